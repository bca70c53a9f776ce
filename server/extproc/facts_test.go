package extproc

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
)

func TestRequestHeaders(t *testing.T) {
	tests := []struct {
		name string
		in   *processingRequest
		want policy.Request
	}{
		{"nothing", requestMessage(), policy.Request{}},
		{"no header map", &processingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{}}, policy.Request{}},
		{
			"a request as Envoy sends it",
			with(requestMessage(":method: GET", ":scheme: https", ":authority: api.example.com", ":path: /a?b",
				"origin: https://shop.example.com", "sec-fetch-site: cross-site", "cookie: secret", "vary: X"),
				filterName, attrs{"xds.virtual_host_name": "api", "xds.route_name": "orders"}),
			policy.Request{
				VirtualHost: "api", Route: "orders",
				Method: "GET", Scheme: "https", Authority: "api.example.com", Path: "/a?b",
				Origin: policy.Line("https://shop.example.com"), FetchSite: policy.Line("cross-site"),
			},
		},
		{
			"a preflight",
			requestMessage("access-control-request-method: PUT", "access-control-request-headers: a,b",
				"access-control-request-private-network: true"),
			policy.Request{
				RequestMethod: policy.Line("PUT"), RequestHeaders: []string{"a,b"}, RequestPrivateNetwork: "true",
			},
		},
		{
			"an extended CONNECT",
			requestMessage(":method: CONNECT", ":protocol: websocket"),
			policy.Request{Method: "CONNECT", Protocol: "websocket"},
		},
		{
			"several lines",
			requestMessage("origin: https://a.example", "origin: https://b.example",
				"access-control-request-method: PUT", "access-control-request-method: PUT", "access-control-request-method: GET",
				"access-control-request-headers: a", "access-control-request-headers: b",
				"access-control-request-private-network: true", "access-control-request-private-network: true",
				"upgrade: h2c", "upgrade: websocket", "sec-fetch-site: same-origin", "sec-fetch-site: none"),
			policy.Request{
				Origin:         policy.Field{Value: "https://a.example", Lines: 2},
				RequestMethod:  policy.Field{Value: "PUT", Lines: 3},
				RequestHeaders: []string{"a", "b"}, RequestPrivateNetwork: "true,true",
				Upgrade: "h2c,websocket", FetchSite: policy.Field{Value: "same-origin", Lines: 2},
			},
		},
		{
			"an empty first line counts",
			requestMessage("origin: ", "origin: https://a.example", "access-control-request-headers: "),
			policy.Request{Origin: policy.Field{Value: "", Lines: 2}, RequestHeaders: []string{""}},
		},
		{
			"the first pseudo header counts",
			requestMessage(":authority: a.example", ":authority: b.example"),
			policy.Request{Authority: "a.example"},
		},
		{
			"upper case",
			requestMessage("Origin: https://a.example", "ACCESS-CONTROL-REQUEST-METHOD: PUT", "UpGrade: websocket"),
			policy.Request{
				Origin: policy.Line("https://a.example"), RequestMethod: policy.Line("PUT"), Upgrade: "websocket",
			},
		},
		{
			"names that Unicode would fold to ours",
			requestMessage("access-control-request-private-networ\u212a: true", "\u0130origin: x", "ori\u0261in: x"),
			policy.Request{},
		},
		{
			"names that are nearly ours",
			requestMessage("origin : x", " origin: x", "origins: x", "method: PUT", "access-control-request-method\x00: PUT"),
			policy.Request{},
		},
		{
			"value instead of raw_value, and raw_value before value",
			&processingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{
				Headers: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
					{Key: ":method", Value: "PUT"},
					{Key: "origin", Value: "https://value.example", RawValue: []byte("https://raw.example")},
				}},
			}}},
			policy.Request{Method: "PUT", Origin: policy.Line("https://raw.example")},
		},
		{
			"bytes that are no text",
			requestMessage("origin: \xff\x00\n"),
			policy.Request{Origin: policy.Line("\xff\x00\n")},
		},
		{
			"attributes that only streams without a request message need",
			with(requestMessage(":method: GET"), filterName, attrs{
				"request.method": "PUT", "request.host": "evil.example", "request.headers['origin']": "https://evil.example",
			}),
			policy.Request{Method: "GET"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := read(t, encode(t, test.in)).request
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestAnsweredRequest(t *testing.T) {
	tests := []struct {
		name string
		in   *processingRequest
		want policy.Request
	}{
		{"no attributes", responseMessage(":status: 404"), policy.Request{Answered: true}},
		{
			"all of them",
			with(responseMessage(":status: 403", "vary: Origin"), filterName, attrs{
				"xds.virtual_host_name": "api", "xds.route_name": "",
				"request.method": "OPTIONS", "request.scheme": "https", "request.host": "api.example.com", "request.path": "/a?b",
				"request.headers['origin']":                        "https://shop.example.com",
				"request.headers['access-control-request-method']": "PUT",
				"request.headers['upgrade']":                       "websocket",
				"request.headers['sec-fetch-site']":                "cross-site",
				"response.code":                                    403,
			}),
			policy.Request{
				VirtualHost: "api", Method: "OPTIONS", Scheme: "https", Authority: "api.example.com", Path: "/a?b",
				Origin: policy.Line("https://shop.example.com"), RequestMethod: policy.Line("PUT"), Upgrade: "websocket",
				FetchSite: policy.Line("cross-site"), Answered: true,
			},
		},
		{
			"a response's headers are not the request's",
			responseMessage(":status: 200", ":method: PUT", ":authority: evil.example", ":path: /evil",
				"origin: https://evil.example", "access-control-request-method: PUT", "upgrade: websocket"),
			policy.Request{Answered: true},
		},
		{
			"an empty origin is a line",
			with(responseMessage(), filterName, attrs{"request.headers['origin']": ""}),
			policy.Request{Origin: policy.Line(""), Answered: true},
		},
		{
			"what is no text is an empty line",
			with(responseMessage(), filterName, attrs{
				"request.headers['origin']": 7, "request.method": true, "request.host": nil, "xds.virtual_host_name": []any{"api"},
			}),
			policy.Request{Origin: policy.Line(""), Answered: true},
		},
		{
			"another proxy's key",
			with(responseMessage(), "other", attrs{"request.headers['origin']": "https://a.example"}),
			policy.Request{Origin: policy.Line("https://a.example"), Answered: true},
		},
		{
			"Envoy's key before others",
			with(with(responseMessage(), "a", attrs{"request.method": "PUT", "request.path": "/"}), filterName, attrs{"request.method": "GET"}),
			policy.Request{Method: "GET", Answered: true},
		},
		{
			"the first of several others",
			with(with(with(responseMessage(), "b", attrs{"request.method": "PUT"}), "a", attrs{"request.method": "GET"}), "c", attrs{}),
			policy.Request{Method: "GET", Answered: true},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := read(t, encode(t, test.in)).request
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestPoliciesNamedByEnvoy(t *testing.T) {
	const (
		route       = "xds.route_metadata.filter_metadata['corsproc']['policies']"
		virtualHost = "xds.virtual_host_metadata.filter_metadata['corsproc']['policies']"
		listener    = "xds.listener_metadata.filter_metadata['corsproc']['policies']"
		cluster     = "xds.cluster_metadata.filter_metadata['corsproc']['policies']"
	)
	tests := []struct {
		name  string
		attrs attrs
		want  policy.Field
	}{
		{"none", attrs{"xds.virtual_host_name": "api"}, policy.Field{}},
		{"the route's", attrs{route: "a, b"}, policy.Line("a, b")},
		{"the virtual host's", attrs{virtualHost: "b"}, policy.Line("b")},
		{"the route's beat the virtual host's", attrs{virtualHost: "b", route: "a"}, policy.Line("a")},
		{"the virtual host's beat others", attrs{cluster: "c", virtualHost: "b", listener: "d"}, policy.Line("b")},
		{"of others the first name", attrs{listener: "d", cluster: "c"}, policy.Line("c")},
		{"an empty list is one", attrs{route: "", virtualHost: "b"}, policy.Line("")},
		{"a number", attrs{route: 1, virtualHost: "b"}, policy.Line(unnamable)},
		{"null", attrs{virtualHost: nil}, policy.Line(unnamable)},
		{"a list", attrs{virtualHost: []any{"a"}}, policy.Line(unnamable)},
		{"a name that only contains it", attrs{route + ".x": "a", "['corsproc']['policy']": "b"}, policy.Field{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, m := range []*processingRequest{requestMessage(), responseMessage()} {
				got := read(t, encode(t, with(m, filterName, test.attrs))).request
				if got.Named != test.want {
					t.Errorf("%s: named %+v, want %+v", messageKind(m), got.Named, test.want)
				}
			}
		})
	}
}

func TestExposedLines(t *testing.T) {
	got := read(t, encode(t, responseMessage(":status: 200", "access-control-expose-headers: a, b", "vary: c", "Access-Control-Expose-Headers: "))).upstream
	if diff := cmp.Diff([]string{"a, b", ""}, got.exposed); diff != "" || len(got.vary) != 1 {
		t.Errorf("-want +got\n%s\nVary %q", diff, got.vary)
	}
}

func TestVaryLines(t *testing.T) {
	got := read(t, encode(t, responseMessage(":status: 200", "vary: a, b", "Vary: ", "varying: c", "VARY: *"))).upstream.vary
	if diff := cmp.Diff([]string{"a, b", "", "*"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := read(t, encode(t, responseMessage(":status: 200"))).upstream.vary; len(got) != 0 {
		t.Errorf("without Vary: %q", got)
	}
}

// reading is what is read of a message about headers.
type reading struct {
	phase    Phase
	request  policy.Request // of a message about response headers, as if nothing had come before it
	upstream upstream
	usual    bool // the generated types were not needed
}

// read reads a message as a stream does.
func read(t testing.TB, message []byte) reading {
	t.Helper()
	r, err := tryRead(message)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryRead(message []byte) (reading, error) {
	if r, err := readUsual(message); err == nil {
		r.usual = true
		return r, nil
	}
	m, err := unmarshal(message)
	if err != nil {
		return reading{}, err
	}
	if m.GetRequestHeaders() == nil && m.GetResponseHeaders() == nil {
		return reading{}, nil
	}
	if message, err = rewritten(m); err != nil {
		return reading{}, err
	}
	return readUsual(message)
}

func readUsual(message []byte) (reading, error) {
	var in inbound
	if err := in.read(message); err != nil {
		return reading{}, err
	}
	r := reading{phase: in.phase}
	f := new(facts)
	var err error
	if in.phase == PhaseRequestHeaders {
		err = f.readRequest(&in)
	} else if err = f.readAnswered(&in); err == nil {
		r.upstream, err = f.readUpstream(upstream{}, &in)
	}
	r.request = f.request
	return r, err
}

// encode encodes a message with its maps in order.
func encode(t testing.TB, m *processingRequest) []byte {
	t.Helper()
	message, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return message
}
