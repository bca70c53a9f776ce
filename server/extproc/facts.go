package extproc

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/corsproc/corsproc/policy"
)

// message is what Envoy sends. Only this file and attributes.go look into it (and unchanged, which hands a body back).
type message = extprocv3.ProcessingRequest

// kind is what a message is about.
type kind uint8

const (
	other kind = iota // a body, trailers, or nothing
	requestHeaders
	responseHeaders
)

func kindOf(m *message) kind {
	switch m.GetRequest().(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return requestHeaders
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return responseHeaders
	}
	return other
}

// observed reports whether Envoy only lets us watch.
func observed(m *message) bool { return m.GetObservabilityMode() }

// relay says of which bodies Envoy keeps no copy, so that what we do not hand back is lost.
type relay struct{ request, response bool }

func (r relay) any() bool { return r.request || r.response }

// relayOf reads the body modes, which the first message of a stream announces.
func relayOf(m *message) relay {
	c := m.GetProtocolConfig()
	return relay{request: handsOver(c.GetRequestBodyMode()), response: handsOver(c.GetResponseBodyMode())}
}

func handsOver(mode modev3.ProcessingMode_BodySendMode) bool {
	return mode == modev3.ProcessingMode_FULL_DUPLEX_STREAMED || mode == modev3.ProcessingMode_GRPC
}

// readRequest reads the facts of a request from its request headers message. r must be zero.
func readRequest(m *message, r *policy.Request) {
	readPlace(attributes(m), r)
	var upgrade, privateNetwork []string
	for _, h := range m.GetRequestHeaders().GetHeaders().GetHeaders() {
		switch lower(h.GetKey()) {
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

// varyLines returns the lines of Vary in a response headers message. Envoy joins them, other proxies may not.
func varyLines(m *message) (lines []string) {
	for _, h := range m.GetResponseHeaders().GetHeaders().GetHeaders() {
		if lower(h.GetKey()) == "vary" {
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

// lower returns a header name in lower case. Envoy's are already; then nothing is copied.
func lower(name string) string {
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			return lowerASCII(name)
		}
	}
	return name
}

// lowerASCII folds ASCII alone: to Unicode the Kelvin sign is a k, in a header name it is nothing.
func lowerASCII(name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
