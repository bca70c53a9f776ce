package browser

import (
	"cmp"
	"errors"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// An Answer is what a server answered, whoever wrote it. The names of its headers are lower-case, and of a header that
// came in several lines each is there.
type Answer struct {
	Status  int
	Headers []policy.Header
}

// A View is what a browser makes of an answer.
type View struct {
	Passes  bool
	Reason  string  // the reason of this project that says it best: "allowed" where it passes
	Exposed Exposed // of an answer that may be read
}

// Read tells whether a page of an origin may read the answer to a request, and which headers of it.
func (a *Answer) Read(origin string, credentials bool) View {
	v := viewOf(corsCheck(a, origin, credentials))
	if v.Passes {
		v.Exposed = exposed(a, credentials)
	}
	return v
}

// Permit tells whether a request with a method and headers that are not safelisted, whose names are lower-case, may follow
// the answer to its preflight.
func (a *Answer) Permit(origin, method string, headers []string, credentials bool) View {
	f := normalized{Fetch: Fetch{Origin: origin}, method: method}
	if credentials {
		f.Credentials = Include
	}
	return viewOf(f.preflightCheck(a, headers))
}

// viewOf gives a failure the reason that the engine would have for it.
func viewOf(failed failure) View {
	reason := policy.ReasonAllowed
	switch failed.kind {
	case passes:
		return View{Passes: true, Reason: reason.String()}
	case originWildcard, credentialsNotOn:
		return View{Reason: CredentialsNotAllowed}
	case statusNotOK:
		reason = policy.ReasonPreflightUnanswered
	case methodsUnreadable:
		reason = policy.ReasonMethodMalformed
	case headersUnreadable:
		reason = policy.ReasonHeaderMalformed
	case methodMissing:
		reason = policy.ReasonMethodNotAllowed
	case headerMissing:
		reason = policy.ReasonHeaderNotAllowed
	default:
		reason = policy.ReasonOriginNotAllowed
	}
	return View{Reason: reason.String()}
}

// A Target is a URL of http or https, as a browser has parsed it.
type Target struct {
	Scheme string
	Host   string // IPv6 addresses with their brackets
	Port   string // empty: the scheme's default
	Path   string // with its query
}

// ParseTarget parses an absolute URL as a browser does. An error says, for people, what is wrong with it, without the URL
// itself: it may hold a password.
func ParseTarget(s string) (Target, error) {
	t, err := parseURL(s, false)
	if err != nil && strings.Contains(s, "@") {
		err = errors.New("has a user name or password, which is not taken")
	}
	return Target{t.scheme, t.host, t.port, t.path}, err
}

// Authority returns what is sent as Host or :authority.
func (t Target) Authority() string { return target{host: t.Host, port: t.Port}.authority() }

// IsOwn reports whether an origin is of the target's host and port, whatever its scheme: where TLS ends in front of Envoy, it
// and the server take different schemes for the page's own.
func (t Target) IsOwn(page string) bool {
	o, _ := origin.Cut(page)
	if !o.IsWeb() || o.Host != t.Host {
		return false
	}
	return o.Port == t.Port || cmp.Or(o.Port, defaultPorts[o.Scheme]) == cmp.Or(t.Port, defaultPorts[t.Scheme])
}
