package policy

// Tested by cases_test.go and policy/casetable/testdata/, naive_test.go and cost_test.go.

// Request holds the facts of a request that a decision depends on, as they arrived: nothing in it has been validated,
// and all of it may come from an attacker. A Request is only read; a [Decision] may keep substrings of it.
type Request struct {
	VirtualHost string // Envoy's name of the virtual host (xds.virtual_host_name); empty: not told
	Route       string // Envoy's name of the route (xds.route_name); empty: not told

	Method    string // :method
	Scheme    string // :scheme, as Envoy sees it
	Authority string // :authority
	Path      string // :path, with its query
	Protocol  string // :protocol of an extended CONNECT (RFC 8441)

	Origin                Field    // Origin
	RequestMethod         Field    // Access-Control-Request-Method
	RequestHeaders        []string // the lines of Access-Control-Request-Headers
	RequestPrivateNetwork string   // Access-Control-Request-Private-Network
	Upgrade               string   // Upgrade, several lines joined by a comma
	FetchSite             Field    // Sec-Fetch-Site

	// Named is the value of an attribute that ends in ['corsproc']['policies']: policy names separated by commas, which
	// replace those of the place. Without a line: Envoy names none.
	Named Field

	// Answered says that the request was seen only with its response: a local reply of an earlier filter, or a
	// configuration without the request phase. Such a request can be neither answered nor stopped.
	Answered bool
}

// Field is a header field of which only one line is legitimate.
type Field struct {
	Value string // the first line's value
	Lines int    // how many lines there were; 0: absent
}

// Line returns the field of a single line.
func Line(value string) Field { return Field{Value: value, Lines: 1} }
