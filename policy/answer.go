package policy

// Header is a header to be set, replacing all lines of its name. Names are lower-case.
type Header struct{ Name, Value string }

// ResponseHeaders are the CORS headers of responses, which only corsproc may send: they are removed from every response
// that is adjusted, before [Decision.AppendResponse] is set. They are the response headers of the Fetch standard,
// section 3.3.3, and of Private Network Access.
var ResponseHeaders = [...]string{
	"access-control-allow-origin",
	"access-control-allow-credentials",
	"access-control-allow-methods",
	"access-control-allow-headers",
	"access-control-expose-headers",
	"access-control-max-age",
	"access-control-allow-private-network",
}

type answer struct{ action Action }

// AppendImmediate appends the headers of the immediate answer to dst and returns them with its status and body; the body
// is empty for preflights. It is complete: Envoy has no response phase for it. Only for decisions whose action is
// [Respond].
func (d *Decision) AppendImmediate(dst []Header) (status int, headers []Header, body string) {
	panic("todo")
}

// AppendResponse appends the headers that the response gets, after [ResponseHeaders] have been removed from it. vary
// holds the response's own Vary lines; where they have to change, one merged line replaces them. Only for decisions
// whose action is [Adjust].
func (d *Decision) AppendResponse(dst []Header, vary []string) []Header { panic("todo") }
