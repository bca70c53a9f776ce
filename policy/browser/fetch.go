package browser

// Tested by usage_test.go, fault_test.go and against_test.go.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// Credentials is the credentials mode of a request (Fetch, section 2.2.5).
type Credentials uint8

const (
	SameOrigin Credentials = iota // the default of fetch: none are sent to other origins
	Omit
	Include
)

var credentialsNames = [...]string{SameOrigin: "same-origin", Omit: "omit", Include: "include"}

// String returns the mode as scripts write it.
func (c Credentials) String() string { return credentialsNames[c] }

// CredentialsNames returns the modes as scripts write them.
func CredentialsNames() []string { return []string{"omit", "same-origin", "include"} }

// ParseCredentials reads a mode as scripts write it.
func ParseCredentials(s string) (Credentials, error) {
	if i := slices.Index(credentialsNames[:], s); i >= 0 {
		return Credentials(i), nil
	}
	return 0, fmt.Errorf("%q is no credentials mode; write %s", s, strings.Join(CredentialsNames(), ", "))
}

// Fetch is what a script on a page asks its browser for: fetch(URL, {method, headers, credentials}), or new
// WebSocket(URL).
type Fetch struct {
	Origin      string // the page's, as a browser serialises it, or "null"
	URL         string // http or https; for a WebSocket also ws or wss
	Method      string // empty: GET
	Headers     []policy.Header
	Credentials Credentials
	WebSocket   bool // a WebSocket has neither method nor headers, and always carries cookies

	// VirtualHost and Route are Envoy's names for what the URL belongs to; empty: Envoy tells none.
	VirtualHost, Route string
	// PathAsIs says that Envoy hands the path on as it is sent, and not as the reference configuration does (EnvoyPath).
	PathAsIs bool
}

// Limits of what is taken.
const (
	MaxURLBytes = 2 << 20 // of a URL; Chromium's limit too
	MaxHeaders  = 1000    // of a fetch; servers take a hundred
)

// normalized is a valid Fetch, normalised as the browser does it.
type normalized struct {
	Fetch
	origin origin.Parts // the zero value: the opaque one
	url    target
	path   string // the URL's, as Envoy hands it on, with its query
	method string
	// unheard says that Envoy answers itself, before corsproc is asked.
	unheard bool
	// headers holds what the script sets, sorted by name, lower-case, one for each name.
	headers []policy.Header
}

// normalize checks what no script can ask for: there fetch throws instead of sending anything. A fetch with faults is not
// to be used.
func normalize(asked Fetch) (*normalized, []*Fault) {
	f := &normalized{Fetch: asked}
	var faults faultList
	if fault := CheckOrigin(asked.Origin); fault == nil {
		f.origin, _ = origin.Cut(asked.Origin)
	} else {
		faults = append(faults, fault)
	}
	var err error
	if f.url, err = parseURL(asked.URL, asked.WebSocket); err != nil {
		faults.add(PartURL, "the URL %q: %v", cut(asked.URL), err)
	}
	if f.path = f.url.path; !asked.PathAsIs && err == nil {
		path, ok := EnvoyPath(f.url.path)
		f.path, f.unheard = path, !ok
	}
	if f.method, err = normalizeMethod(asked.Method); err != nil {
		faults.add(PartMethod, "%v", err)
	}
	f.headers = faults.normalizeHeaders(asked.Headers)
	if asked.WebSocket && (f.method != "GET" || len(asked.Headers) > 0) {
		faults.add(PartWebSocket, "a WebSocket is opened with GET, and scripts can set no header of it")
	}
	return f, faults
}

// normalizeMethod returns a method as it is sent (Fetch, section 2.2.1, "normalize"): six of them in upper case, every
// other as it is written.
func normalizeMethod(s string) (string, error) {
	if s == "" {
		return "GET", nil
	}
	if !fetch.IsToken(s) {
		return "", fmt.Errorf("%q is no method: a method is letters, digits and !#$%%&'*+-.^_`|~", cut(s))
	}
	upper := strings.ToUpper(s)
	switch {
	case fetch.IsForbiddenMethod(s):
		return "", fmt.Errorf("no script can send the method %s: fetch throws", upper)
	case fetch.IsNormalizedMethod(upper):
		return upper, nil
	}
	return s, nil
}

// include reports whether credentials go with the request to the other origin.
func (f *normalized) include() bool { return f.Credentials == Include }

// cut shortens what is quoted in an error: enough to recognise it by.
func cut(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
