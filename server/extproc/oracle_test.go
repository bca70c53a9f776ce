package extproc

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/corsproc/corsproc/policy"
)

// The reading of facts from the generated types, in the plainest way: what the lean reading is held against.

// plainRequest reads the facts of a request from its request headers message. r must be zero.
func plainRequest(m *processingRequest, r *policy.Request) {
	plainPlace(plainAttributes(m), r)
	var upgrade, privateNetwork []string
	for _, h := range m.GetRequestHeaders().GetHeaders().GetHeaders() {
		switch lowerASCII(h.GetKey()) {
		case ":method":
			r.Method = first(r.Method, h)
		case ":scheme":
			r.Scheme = first(r.Scheme, h)
		case ":authority":
			r.Authority = first(r.Authority, h)
		case ":path":
			r.Path = first(r.Path, h)
		case ":protocol":
			r.Protocol = first(r.Protocol, h)
		case "origin":
			r.Origin = line(r.Origin, h)
		case "access-control-request-method":
			r.RequestMethod = line(r.RequestMethod, h)
		case "access-control-request-headers":
			r.RequestHeaders = append(r.RequestHeaders, value(h))
		case "access-control-request-private-network":
			privateNetwork = append(privateNetwork, value(h))
		case "upgrade":
			upgrade = append(upgrade, value(h))
		case "sec-fetch-site":
			r.FetchSite = line(r.FetchSite, h)
		}
	}
	// Several lines of a field are one list (RFC 9110, section 5.2). Where only one line is legitimate, as with
	// Access-Control-Request-Private-Network, the list is a value that nobody accepts.
	r.Upgrade = strings.Join(upgrade, ",")
	r.RequestPrivateNetwork = strings.Join(privateNetwork, ",")
}

// plainLines returns the lines of a header in a response headers message. Envoy joins them, other proxies may not.
func plainLines(m *processingRequest, name string) (lines []string) {
	for _, h := range m.GetResponseHeaders().GetHeaders().GetHeaders() {
		if lowerASCII(h.GetKey()) == name {
			lines = append(lines, value(h))
		}
	}
	return lines
}

// value returns a header's value. Envoy fills raw_value alone; clients that are not Envoy may know only the older value.
func value(h *corev3.HeaderValue) string {
	if raw := h.GetRawValue(); len(raw) > 0 {
		return string(raw)
	}
	return h.GetValue()
}

// first keeps the first value of a pseudo header, of which HTTP allows one.
func first(already string, h *corev3.HeaderValue) string {
	if already != "" {
		return already
	}
	return value(h)
}

// line counts another line of a field.
func line(f policy.Field, h *corev3.HeaderValue) policy.Field {
	if f.Lines == 0 {
		f.Value = value(h)
	}
	f.Lines++
	return f
}

// plainAttributes returns the attributes of a message: each field is called exactly as the expression in Envoy's
// configuration. Another proxy may send them under another key; of several the first in alphabetical order counts, so
// that the answer does not depend on the order of a map.
func plainAttributes(m *processingRequest) map[string]*structpb.Value {
	all := m.GetAttributes()
	if s, ok := all[filterName]; ok {
		return s.GetFields()
	}
	var found *structpb.Struct
	var key string
	for k, s := range all {
		if found == nil || k < key {
			found, key = s, k
		}
	}
	return found.GetFields()
}

// plainPlace reads what Envoy says of the place of a request. Without a virtual host Envoy sends no such attribute at all;
// a route without a name has an empty one.
func plainPlace(a map[string]*structpb.Value, r *policy.Request) {
	r.VirtualHost = plainAttribute(a, "xds.virtual_host_name").Value
	r.Route = plainAttribute(a, "xds.route_name").Value
	r.Named = plainNamed(a)
}

// plainAnswered reads the facts of a request that is seen only with its response. Nothing is taken from the message's
// headers, for they are the response's. r must be zero.
func plainAnswered(m *processingRequest, r *policy.Request) {
	a := plainAttributes(m)
	plainPlace(a, r)
	r.Method = plainAttribute(a, "request.method").Value
	r.Scheme = plainAttribute(a, "request.scheme").Value
	r.Authority = plainAttribute(a, "request.host").Value
	r.Path = plainAttribute(a, "request.path").Value
	r.Origin = plainAttribute(a, "request.headers['origin']")
	r.RequestMethod = plainAttribute(a, "request.headers['access-control-request-method']")
	r.Upgrade = plainAttribute(a, "request.headers['upgrade']").Value
	r.FetchSite = plainAttribute(a, "request.headers['sec-fetch-site']")
	r.Answered = true
}

// plainAttribute returns an attribute as one line; what is there without being text is an empty line. (CEL joins several
// lines of a header with a comma.)
func plainAttribute(a map[string]*structpb.Value, name string) policy.Field {
	v, ok := a[name]
	if !ok {
		return policy.Field{}
	}
	return policy.Line(v.GetStringValue())
}

// plainNamed returns the policies that Envoy names. The route's beat the virtual host's, and those any others; of several
// others the first in alphabetical order counts.
func plainNamed(a map[string]*structpb.Value) policy.Field {
	var found *structpb.Value
	var from string
	for name, v := range a {
		if !strings.HasSuffix(name, namedSuffix) {
			continue
		}
		if from == "" || rank(name) < rank(from) || rank(name) == rank(from) && name < from {
			found, from = v, name
		}
	}
	if from == "" {
		return policy.Field{}
	}
	if s, ok := found.GetKind().(*structpb.Value_StringValue); ok {
		return policy.Line(s.StringValue)
	}
	return policy.Line(unnamable)
}

// plainReading is what is to be read of a message.
func plainReading(m *processingRequest) (r reading) {
	switch {
	case m.GetRequestHeaders() != nil:
		r.phase = PhaseRequestHeaders
		plainRequest(m, &r.request)
	case m.GetResponseHeaders() != nil:
		r.phase = PhaseResponseHeaders
		plainAnswered(m, &r.request)
		r.upstream = upstream{plainLines(m, "vary"), plainLines(m, "access-control-expose-headers")}
	}
	return r
}
