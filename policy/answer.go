package policy

// Tested by cases_test.go and policy/casetable/testdata/, and naive_test.go.

import (
	"bytes"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// Header is a header to be set, replacing all lines of its name. Names are lower-case.
type Header struct{ Name, Value string }

// ResponseHeaders are the CORS headers of responses, which only corsproc may send: they are removed from every response
// that is adjusted, before what [Decision.AppendResponse] says is set. They are the response headers of the Fetch
// standard, section 3.3.3, and of Private Network Access.
var ResponseHeaders = [...]string{
	fetch.AllowOrigin,
	fetch.AllowCredentials,
	fetch.AllowMethods,
	fetch.AllowHeaders,
	fetch.ExposeHeaders,
	fetch.MaxAge,
	fetch.AllowPrivateNetwork,
}

const (
	HeaderVary    = fetch.Vary          // by which caches tell answers apart
	HeaderExposed = fetch.ExposeHeaders // which headers scripts may read
)

// What of an upstream's Access-Control-Expose-Headers is read and added to what a policy exposes. No upstream names as many,
// and each name is compared with those before it.
const (
	MaxExposedElements = 256
	MaxExposedBytes    = 4096
)

const (
	varyOrigin    = "Origin"
	varyPreflight = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
	varyPrivate   = "Access-Control-Request-Private-Network"
)

const statusForbidden = 403

// rejectedBody is what someone reads who opens the answer to a rejected request.
const rejectedBody = "This request was refused: pages of its origin may not send it here.\n"

// answer is what of a decision is written to the wire.
type answer struct {
	action Action
	static bool // the place gives the same headers to every response, and so needs no Vary
	reject bool // the immediate answer to a rejected request

	// Of a preflight's list of headers and of what else it asks for:
	bareAuthorization bool // Authorization is in it, which the policy does not list
	privateNetwork    bool // asked for
	privateOffered    bool // a policy of the place grants it to who asks, so that answers depend on it

	policy *compiled.Policy // whose headers are sent; nil: none are
	origin string           // the value of Access-Control-Allow-Origin, where policy is set
	timing string           // the value of Timing-Allow-Origin; empty: the upstream's stays
	method string           // a preflight's requested method where it may be echoed, else empty
	names  []string         // a preflight's lines of requested field names, not validated
}

// AppendImmediate appends the headers of the immediate answer to dst and returns them with its status and body; the body
// is empty for preflights. It is complete: Envoy has no response phase for it. Only for decisions whose action is
// [Respond].
func (d *Decision) AppendImmediate(dst []Header) (status int, headers []Header, body string) {
	a := &d.answer
	if a.policy == nil {
		vary := a.varyPreflight()
		if a.reject {
			dst = append(dst, Header{fetch.ContentType, "text/plain; charset=utf-8"})
			vary, body = varyOrigin, rejectedBody
		}
		if vary != "" {
			dst = append(dst, Header{HeaderVary, vary})
		}
		return statusForbidden, append(dst, Header{fetch.CacheControl, "no-store"}), body
	}
	dst = a.appendGrant(dst)
	if v := a.allowMethods(); v != "" {
		dst = append(dst, Header{fetch.AllowMethods, v})
	}
	if v := a.allowHeaders(); v != "" {
		dst = append(dst, Header{fetch.AllowHeaders, v})
	}
	if a.policy.MaxAge != "" {
		dst = append(dst, Header{fetch.MaxAge, a.policy.MaxAge})
	}
	if a.privateNetwork && a.policy.PrivateNetwork {
		dst = append(dst, Header{fetch.AllowPrivateNetwork, "true"})
	}
	if vary := a.varyPreflight(); vary != "" {
		dst = append(dst, Header{HeaderVary, vary})
	}
	return a.policy.PreflightStatus, dst, ""
}

// varyPreflight returns the value of Vary of a preflight's answer; empty: it has none.
func (a *answer) varyPreflight() string {
	switch {
	case a.static && a.privateOffered:
		return varyPrivate
	case a.static:
		return ""
	case a.privateOffered:
		return varyPreflight + ", " + varyPrivate
	}
	return varyPreflight
}

// AppendResponse appends the headers that the response gets, after [ResponseHeaders] have been removed from it. vary and
// exposed are the response's own lines of Vary and of Access-Control-Expose-Headers. Where Vary has to change, one merged
// line replaces them, and what is exposed is one list. Only for decisions whose action is [Adjust].
func (d *Decision) AppendResponse(dst []Header, vary []string, exposed ...string) []Header {
	dst = d.AppendFixed(dst)
	if merged, some := d.AppendExposed(nil, exposed); some {
		dst = append(dst, Header{HeaderExposed, string(merged)})
	}
	if merged, changed := d.AppendVary(nil, vary); changed {
		dst = append(dst, Header{HeaderVary, string(merged)})
	}
	return dst
}

// AppendFixed appends the headers of [Decision.AppendResponse] that do not depend on the response: all but Vary, and but
// Access-Control-Expose-Headers where [Decision.ExposesUpstream].
func (d *Decision) AppendFixed(dst []Header) []Header {
	a := &d.answer
	if a.policy != nil {
		dst = a.appendOrigin(dst)
		if !a.policy.ExposeUpstream {
			dst = a.appendExposed(dst)
		}
	}
	if a.timing != "" {
		dst = append(dst, Header{fetch.TimingAllowOrigin, a.timing})
	}
	return dst
}

// Varies reports whether a response that is adjusted needs Vary merged ([MergeVary]): caches have to tell origins apart
// wherever a place does.
func (d *Decision) Varies() bool { return !d.answer.static }

// AppendVary appends the value of Vary that a response with these lines needs, as [MergeVary] does, and reports whether it
// has to change. Where nothing changes, what is appended counts for nothing.
func (d *Decision) AppendVary(dst []byte, lines []string) (merged []byte, changed bool) {
	if !d.Varies() {
		return dst, false
	}
	return MergeVary(dst, lines)
}

// MergeVary appends the value of Vary that a response needs which depends on the Origin and has these lines, and reports
// whether it has to change. Nothing of the upstream's is lost, and no name is doubled by us. Where nothing changes, what is
// appended counts for nothing.
func MergeVary(dst []byte, lines []string) (merged []byte, changed bool) {
	start := len(dst)
	list := fetch.Elements{Lines: lines}
	for name, ok := list.Next(); ok; name, ok = list.Next() {
		switch own := dst[start:]; {
		case name == "*" || fetch.EqualFoldASCII(name, "origin"):
			return dst, false
		case name != "" && !(len(own) < maxDeduplicated && hasElement(own, name)):
			dst = append(append(dst, name...), ", "...)
		}
	}
	if len(dst) > start && !fetch.IsFieldValue(dst[start:]) {
		// It cannot be written back, and half of it would let a cache mix answers: say that they depend on everything.
		return append(dst[:start], '*'), true
	}
	return append(dst, varyOrigin...), true
}

// ExposesUpstream reports whether what the response exposes depends on what its upstream names (expose_upstream), so that
// [Decision.AppendExposed] has to be asked.
func (d *Decision) ExposesUpstream() bool {
	return d.answer.action == Adjust && d.answer.policy != nil && d.answer.policy.ExposeUpstream
}

// AppendExposed appends the value of Access-Control-Expose-Headers where [Decision.ExposesUpstream]: what the policy exposes,
// and what else the upstream names in these lines of its own header. It reports whether there is any; if not, nothing is
// appended. No name is there twice because of us, whatever its case. What is no token is dropped, and so is "*", which would
// expose what nobody has named. The upstream's list is read up to [MaxExposedElements] elements, empty ones too, and adds at
// most [MaxExposedBytes]. It allocates nothing where dst has room.
func (d *Decision) AppendExposed(dst []byte, lines []string) (merged []byte, some bool) {
	if !d.ExposesUpstream() {
		return dst, false
	}
	start := len(dst)
	dst = append(dst, d.answer.policy.ExposeHeaders...)
	most := len(dst) + MaxExposedBytes
	list := fetch.Elements{Lines: lines}
	for range MaxExposedElements {
		name, ok := list.Next()
		if !ok || len(dst)+len(", ")+len(name) > most {
			break
		}
		if name == "*" || !fetch.IsToken(name) || hasElement(dst[start:], name) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, name...)
	}
	return dst, len(dst) > start
}

// hasElement reports whether a list whose names we have joined has a name.
func hasElement(list []byte, name string) bool {
	for len(list) > 0 {
		element, rest, _ := bytes.Cut(list, []byte(", "))
		if sameName(element, name) {
			return true
		}
		list = rest
	}
	return false
}

// sameName reports whether two names of header fields are the same: they are tokens, so A-Z alone are folded.
func sameName(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if x, y := a[i], b[i]; x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || 'z' < x|0x20) {
			return false
		}
	}
	return true
}

// appendGrant appends what answers to preflights and to other requests have in common.
func (a *answer) appendGrant(dst []Header) []Header { return a.appendExposed(a.appendOrigin(dst)) }

// appendOrigin appends who may read the answer.
func (a *answer) appendOrigin(dst []Header) []Header {
	dst = append(dst, Header{fetch.AllowOrigin, a.origin})
	if a.policy.Credentials {
		dst = append(dst, Header{fetch.AllowCredentials, "true"})
	}
	return dst
}

// appendExposed appends what the policy itself exposes.
func (a *answer) appendExposed(dst []Header) []Header {
	if a.policy.ExposeHeaders != "" {
		dst = append(dst, Header{HeaderExposed, a.policy.ExposeHeaders})
	}
	return dst
}

// allowMethods returns the value of Access-Control-Allow-Methods. With credentials browsers take "*" for the name of a
// method, so the requested one is named instead.
func (a *answer) allowMethods() string {
	if a.policy.AnyMethod && a.policy.Credentials {
		return a.method
	}
	return a.policy.AllowMethods
}

// allowHeaders returns the value of Access-Control-Allow-Headers. With credentials browsers take "*" for the name of a
// header, so the requested ones are named instead. They are also named where Authorization is asked for and not listed:
// Chromium (156) lets "*" cover it, against the standard.
func (a *answer) allowHeaders() string {
	if !a.policy.AnyHeader || (!a.policy.Credentials && !a.bareAuthorization) {
		return a.policy.AllowHeaders
	}
	var b strings.Builder
	for list := (fetch.Elements{Lines: a.names}); ; {
		name, ok := list.Next()
		if !ok {
			return b.String()
		}
		// A name "*" would stand for all of them, also for what is left out.
		if name != "" && name != "*" && checkHeader(a.policy, name) == ReasonAllowed {
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(name)
		}
	}
}

// maxDeduplicated bounds the work of finding names that stand twice in an upstream's Vary, in bytes of the list.
const maxDeduplicated = 512
