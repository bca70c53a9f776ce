package extproc

import (
	"testing"

	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/policy"
)

// Configurations of Envoy's filter.
var (
	twoPhase     = envoy{requestHeaders: true, responseHeaders: true}
	requestOnly  = envoy{requestHeaders: true}
	responseOnly = envoy{responseHeaders: true}
)

// request makes the lines of a request for the virtual host api.
func request(method, path string, more ...string) []string {
	return append([]string{":method: " + method, ":scheme: https", ":authority: api.example", ":path: " + path}, more...)
}

// leaky are the headers of an upstream that answers CORS itself, wrongly.
var leaky = []string{":status: 200", "content-type: text/plain",
	"access-control-allow-origin: *", "access-control-allow-origin: https://up.example",
	"access-control-allow-credentials: true", "access-control-allow-methods: PATCH", "access-control-allow-headers: x",
	"access-control-expose-headers: x", "access-control-max-age: 1", "access-control-allow-private-network: true",
	"vary: Accept-Encoding", "vary: origin, X-Two"}

var plain = []string{":status: 200", "content-type: text/plain"}

func metadata(virtualHost, policy, kind, verdict, reason string, candidate ...string) map[string]any {
	m := map[string]any{"virtual_host": virtualHost, "policy": policy, "kind": kind, "verdict": verdict, "reason": reason}
	if candidate != nil {
		m["candidate_verdict"], m["candidate_reason"] = candidate[0], candidate[1]
	}
	return map[string]any{"corsproc": m}
}

func TestExchanges(t *testing.T) { overEach(t, testExchanges) }

func testExchanges(t *testing.T, connect connector) {
	const (
		shop  = "origin: https://shop.example"
		other = "origin: https://other.example"
	)
	allowed := map[string]string{
		"content-type":                     "text/plain",
		"access-control-allow-origin":      "https://shop.example",
		"access-control-allow-credentials": "true",
		"access-control-expose-headers":    "X-Request-Id",
		"vary":                             "Origin",
	}
	refused := map[string]string{"content-type": "text/plain", "vary": "Origin"}
	untouched := map[string]string{
		"content-type":                "text/plain",
		"access-control-allow-origin": "*,https://up.example", "access-control-allow-credentials": "true",
		"access-control-allow-methods": "PATCH", "access-control-allow-headers": "x", "access-control-expose-headers": "x",
		"access-control-max-age": "1", "access-control-allow-private-network": "true",
		"vary": "Accept-Encoding,origin, X-Two",
	}
	const preflightVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
	granted := map[string]string{
		"access-control-allow-origin":      "https://shop.example",
		"access-control-allow-credentials": "true",
		"access-control-allow-methods":     "PUT",
		"access-control-allow-headers":     "X-Token",
		"access-control-expose-headers":    "X-Request-Id",
		"access-control-max-age":           "600",
		"vary":                             preflightVary,
	}
	noGrant := map[string]string{"vary": preflightVary, "cache-control": "no-store"}
	const acrm = "access-control-request-method: PUT"

	tests := []struct {
		name  string
		envoy envoy
		exchange
		want outcome
	}{
		{
			"an allowed request", twoPhase,
			exchange{request: request("GET", "/", shop), response: plain},
			outcome{Status: "200", Headers: allowed, Messages: 2, Metadata: metadata("api", "shop", "actual", "allowed", "allowed")},
		},
		{
			"a refused request and an upstream that grants", twoPhase,
			exchange{request: request("GET", "/", other), response: leaky},
			outcome{
				Status: "200", Headers: map[string]string{"content-type": "text/plain", "vary": "Accept-Encoding,origin, X-Two"},
				Messages: 2, Metadata: metadata("api", "", "actual", "refused", "origin_not_allowed"),
			},
		},
		{
			"a denied request", twoPhase,
			exchange{request: request("GET", "/", "origin: https://old.shop.example"), response: plain},
			outcome{Status: "200", Headers: refused, Messages: 2, Metadata: metadata("api", "shop", "actual", "refused", "origin_denied")},
		},
		{
			"two origins", twoPhase,
			exchange{request: request("GET", "/", shop, shop), response: plain},
			outcome{Status: "200", Headers: refused, Messages: 2, Metadata: metadata("api", "", "actual", "refused", "origin_malformed")},
		},
		{
			"no origin", twoPhase,
			exchange{request: request("GET", "/"), response: []string{":status: 204", "vary: Accept"}},
			outcome{
				Status: "204", Headers: map[string]string{"vary": "Accept, Origin"}, Messages: 2,
				Metadata: metadata("api", "", "not_cors", "none", "not_cors"),
			},
		},
		{
			"a place for everybody", twoPhase,
			exchange{request: request("GET", "/public/a", other), response: plain},
			outcome{
				Status: "200", Headers: map[string]string{"content-type": "text/plain", "access-control-allow-origin": "*"},
				Messages: 2, Metadata: metadata("api", "public", "actual", "allowed", "allowed"),
			},
		},
		{
			"passthrough", twoPhase,
			exchange{request: request("GET", "/upstream/a", other), response: leaky, body: "in", answer: "out"},
			outcome{
				Status: "200", Headers: untouched, Upstream: "in", Body: "out", Messages: 2,
				Metadata: metadata("api", "passthrough", "actual", "none", "passthrough"),
			},
		},
		{
			"passthrough where an override counts", envoy{requestHeaders: true, responseHeaders: true, allowOverride: true},
			exchange{request: request("GET", "/upstream/a", other), response: leaky},
			outcome{Status: "200", Headers: untouched, Messages: 1, Metadata: metadata("api", "passthrough", "actual", "none", "passthrough")},
		},
		{
			"an allowed preflight", twoPhase,
			exchange{request: request("OPTIONS", "/", shop, acrm, "access-control-request-headers: x-token"), response: leaky},
			outcome{
				Status: "NoContent", Headers: granted, Upstream: "-", Details: "cors_allowed", Messages: 1,
				Metadata: metadata("api", "shop", "preflight", "allowed", "allowed"),
			},
		},
		{
			"a preflight whose method is not allowed", requestOnly,
			exchange{request: request("OPTIONS", "/", shop, "access-control-request-method: PATCH")},
			outcome{
				Status: "NoContent", Headers: granted, Upstream: "-", Details: "cors_method_not_allowed", Messages: 1,
				Metadata: metadata("api", "shop", "preflight", "refused", "method_not_allowed"),
			},
		},
		{
			"the same where failures are refused", twoPhase,
			exchange{request: request("OPTIONS", "/strict/", shop, "access-control-request-method: PATCH")},
			outcome{
				Status: "Forbidden", Headers: noGrant, Upstream: "-", Details: "cors_method_not_allowed", Messages: 1,
				Metadata: metadata("api", "shop", "preflight", "refused", "method_not_allowed"),
			},
		},
		{
			"a preflight of another origin", twoPhase,
			exchange{request: request("OPTIONS", "/", other, acrm)},
			outcome{
				Status: "Forbidden", Headers: noGrant, Upstream: "-", Details: "cors_origin_not_allowed", Messages: 1,
				Metadata: metadata("api", "", "preflight", "refused", "origin_not_allowed"),
			},
		},
		{
			"a rejected request", twoPhase,
			exchange{request: request("POST", "/guarded/", other), response: plain},
			outcome{
				Status: "Forbidden", Upstream: "-", Details: "cors_origin_not_allowed", Messages: 1,
				Headers:  map[string]string{"content-type": "text/plain; charset=utf-8", "vary": "Origin", "cache-control": "no-store"},
				Body:     "This request was refused: pages of its origin may not send it here.\n",
				Metadata: metadata("api", "", "actual", "rejected", "origin_not_allowed"),
			},
		},
		{
			"a candidate that differs", twoPhase,
			exchange{request: request("GET", "/trial/", other), response: plain},
			outcome{
				Status: "200", Headers: refused, Messages: 2,
				Metadata: metadata("api", "", "actual", "refused", "origin_not_allowed", "allowed", "allowed"),
			},
		},
		{
			"a candidate that agrees", twoPhase,
			exchange{request: request("GET", "/trial/", shop), response: plain},
			outcome{Status: "200", Headers: allowed, Messages: 2, Metadata: metadata("api", "shop", "actual", "allowed", "allowed")},
		},
		{
			"a virtual host of no file", twoPhase,
			exchange{request: []string{":method: GET", ":authority: elsewhere.example", ":path: /", shop}, response: leaky},
			outcome{Status: "200", Headers: untouched, Messages: 2, Metadata: metadata("default", "passthrough", "actual", "none", "passthrough")},
		},
		{
			"a virtual host that Envoy names", twoPhase,
			exchange{
				request: []string{":method: GET", ":authority: elsewhere.example", ":path: /", shop}, response: plain,
				attrs: attrs{"xds.virtual_host_name": "api"},
			},
			outcome{Status: "200", Headers: allowed, Messages: 2, Metadata: metadata("api", "shop", "actual", "allowed", "allowed")},
		},
		{
			"policies that Envoy names", twoPhase,
			exchange{
				request: request("GET", "/", other), response: plain,
				attrs: attrs{"xds.route_metadata.filter_metadata['corsproc']['policies']": "public"},
			},
			outcome{
				Status: "200", Headers: map[string]string{"content-type": "text/plain", "access-control-allow-origin": "*"},
				Messages: 2, Metadata: metadata("api", "public", "actual", "allowed", "allowed"),
			},
		},
		{
			"policies that Envoy names with a number", twoPhase,
			exchange{
				request: request("GET", "/upstream/", shop), response: leaky,
				attrs: attrs{"xds.route_metadata.filter_metadata['corsproc']['policies']": 1},
			},
			outcome{
				Status: "200", Headers: map[string]string{"content-type": "text/plain", "vary": "Accept-Encoding,origin, X-Two"},
				Messages: 2, Metadata: metadata("api", "", "actual", "refused", "policy_unknown"),
			},
		},
		{
			"an earlier filter answers", twoPhase,
			exchange{
				attrs:    attrs{"xds.virtual_host_name": "api", "request.method": "GET", "request.headers['origin']": "https://shop.example"},
				response: []string{":status: 403", "content-type: text/plain"}, answer: "RBAC: access denied",
			},
			outcome{
				Status: "403", Headers: allowed, Upstream: "-", Body: "RBAC: access denied", Messages: 1,
				Metadata: metadata("api", "shop", "actual", "allowed", "allowed"),
			},
		},
		{
			"an earlier filter answers without a virtual host", twoPhase,
			exchange{
				attrs: attrs{
					"request.method": "GET", "request.host": "api.example", "request.path": "/",
					"request.headers['origin']": "https://shop.example",
				},
				response: []string{":status: 404", "content-type: text/plain"},
			},
			outcome{Status: "404", Headers: allowed, Upstream: "-", Messages: 1, Metadata: metadata("api", "shop", "actual", "allowed", "allowed")},
		},
		{
			"an earlier filter answers a preflight", twoPhase,
			exchange{
				attrs: attrs{
					"xds.virtual_host_name": "api", "request.method": "OPTIONS", "request.headers['origin']": "https://shop.example",
					"request.headers['access-control-request-method']": "PUT",
				},
				response: []string{":status: 401", "content-type: text/plain"},
			},
			outcome{
				Status: "401", Headers: refused, Upstream: "-", Messages: 1,
				Metadata: metadata("api", "", "preflight", "refused", "preflight_unanswered"),
			},
		},
		{
			"an earlier filter answers, and Envoy tells nothing", twoPhase,
			exchange{response: leaky},
			outcome{Status: "200", Headers: untouched, Upstream: "-", Messages: 1, Metadata: metadata("default", "passthrough", "not_cors", "none", "passthrough")},
		},
		{
			"a request that should be rejected and has been answered", responseOnly,
			exchange{
				request: request("POST", "/guarded/", other), response: leaky,
				attrs: attrs{
					"xds.virtual_host_name": "api", "request.method": "POST", "request.path": "/guarded/",
					"request.headers['origin']": "https://other.example",
				},
			},
			outcome{
				Status: "200", Headers: map[string]string{"content-type": "text/plain", "vary": "Accept-Encoding,origin, X-Two"},
				Messages: 1, Metadata: metadata("api", "", "actual", "refused", "origin_not_allowed"),
			},
		},
		{
			"the response phase alone, and policies that Envoy names", responseOnly,
			exchange{
				request: request("GET", "/", other), response: plain,
				attrs: attrs{
					"xds.virtual_host_name": "api", "request.method": "GET", "request.headers['origin']": "https://other.example",
					"xds.virtual_host_metadata.filter_metadata['corsproc']['policies']": "public",
				},
			},
			outcome{
				Status: "200", Headers: map[string]string{"content-type": "text/plain", "access-control-allow-origin": "*"},
				Messages: 1, Metadata: metadata("api", "public", "actual", "allowed", "allowed"),
			},
		},
		{
			"bodies and trailers that Envoy keeps",
			envoy{requestHeaders: true, responseHeaders: true, bodies: modev3.ProcessingMode_BUFFERED, trailers: true},
			exchange{request: request("PUT", "/", shop), response: plain, body: "in", answer: "out"},
			// The response's body and trailers no longer reach us: the stream has ended by then.
			outcome{
				Status: "200", Headers: allowed, Upstream: "in", Body: "out", Messages: 5,
				Metadata: metadata("api", "shop", "actual", "allowed", "allowed"),
			},
		},
		{
			"bodies that Envoy hands over",
			envoy{requestHeaders: true, responseHeaders: true, bodies: modev3.ProcessingMode_FULL_DUPLEX_STREAMED, trailers: true},
			exchange{request: request("PUT", "/", shop), response: plain, body: "in", answer: "out"},
			outcome{
				Status: "200", Headers: allowed, Upstream: "in", Body: "out", Messages: 6,
				Metadata: metadata("api", "shop", "actual", "allowed", "allowed"),
			},
		},
		{
			"passthrough with bodies that Envoy hands over",
			envoy{requestHeaders: true, responseHeaders: true, bodies: modev3.ProcessingMode_FULL_DUPLEX_STREAMED},
			exchange{request: request("PUT", "/upstream/", shop), response: leaky, body: "in", answer: "out"},
			outcome{
				Status: "200", Headers: untouched, Upstream: "in", Body: "out", Messages: 4,
				Metadata: metadata("api", "passthrough", "actual", "none", "passthrough"),
			},
		},
		{
			"Envoy only lets us watch", envoy{requestHeaders: true, responseHeaders: true, observes: true},
			exchange{request: request("GET", "/", shop), response: leaky, body: "in", answer: "out"},
			outcome{Status: "200", Headers: untouched, Upstream: "in", Body: "out", Messages: 2},
		},
	}
	conn := connect(t, New(always(compiled(t, shopPolicies())), Hooks{}))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := test.envoy.run(t, conn, test.exchange)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func always(p *policy.Set) func() *policy.Set { return func() *policy.Set { return p } }
