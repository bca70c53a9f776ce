//go:build unix

package e2e

import (
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// agreeingPolicies are for a little of everything.
const agreeingPolicies = `
policies:
  shop:
    allow_origins: [https://shop.example.com, "https://*.shop.example.com"]
    deny_origins: [https://legacy.shop.example.com]
    allow_methods: [PUT, DELETE]
    allow_headers: [X-Custom-Header, Authorization]
    expose_headers: [X-Request-Id]
    max_age: 10m
    allow_private_network: true
  account: {allow_origins: [https://account.example.com], allow_methods: ["*"], allow_headers: ["*"], allow_credentials: true, preflight_status: 200}
  public: {allow_origins: ["*"], allow_methods: ["*"], allow_headers: ["*"]}
virtual_hosts:
- name: api
  policies: [shop, account]
  timing_allow_origins: [https://rum.example]
  routes:
  - {prefix: /public/, policies: [public]}
  - {prefix: /strict, reject: ALWAYS}
  - {prefix: /unsafe, reject: UNSAFE_METHODS, unmatched_preflights: REFUSE}
  - {prefix: /sockets, reject: WEBSOCKETS}
  - {prefix: /tried, candidates: [public]}
  - {prefix: /dry, policies: [passthrough], candidates: [shop]}
  - {prefix: /off, policies: [passthrough]}
  - {route_name: "named/*", policies: [public]}
- {domains: [other.example.com], policies: [public], timing_allow_origins: ["*"]}
default: {policies: [shop]}
`

// agreeingHosts are Envoy's routes for them. What they add is in every answer but our own ones.
const agreeingHosts = `
- name: api
  domains: [api.example.com]
  response_headers_to_add: [{header: {key: x-added, value: host}}, {header: {key: access-control-allow-origin, value: "*"}}]
  routes:
  - {match: {path: /down}, route: {cluster: nobody}}
  - {match: {prefix: /direct}, direct_response: {status: 418, body: {inline_string: teapot}}}
  - {match: {path: /redirect}, redirect: {path_redirect: /}}
  - {match: {path: /secure}, redirect: {https_redirect: true}}
  - {match: {prefix: /named/by/route}, route: {cluster: echo}, name: named/by/route}
  - {match: {prefix: /named/metadata}, route: {cluster: echo}, metadata: {filter_metadata: {corsproc: {policies: " account , public "}}}}
  - {match: {prefix: /named/unknown}, route: {cluster: echo}, metadata: {filter_metadata: {corsproc: {policies: nobody}}}}
  - {match: {prefix: /named/number}, route: {cluster: echo}, metadata: {filter_metadata: {corsproc: {policies: 7}}}}
  - {match: {prefix: /named/other}, route: {cluster: echo}, metadata: {filter_metadata: {corsproc: {remark: public}}}}
  - {match: {prefix: /named/empty}, route: {cluster: echo}, metadata: {filter_metadata: {corsproc: {policies: ""}}}}
  - {match: {connect_matcher: {}}, route: {cluster: echo, upgrade_configs: [{upgrade_type: websocket}]}}
  - {match: {prefix: /}, route: {cluster: echo}}
- name: hosted
  domains: [hosted.example.com]
  metadata: {filter_metadata: {corsproc: {policies: account}}}
  routes:
  - {match: {prefix: /metadata}, route: {cluster: echo}, metadata: {filter_metadata: {corsproc: {policies: public}}}}
  - {match: {prefix: /nothing}, direct_response: {status: 404}}
  - {match: {prefix: /found}, route: {cluster: echo}}
- name: others
  domains: [other.example.com, "*.example.net"]
  routes: [{match: {prefix: /}, route: {cluster: echo}}]
`

// agreements are what both are asked: each with every origin below.
var agreements = []wire{
	{method: "GET", host: "api.example.com", path: "/"},
	{method: "HEAD", host: "api.example.com", path: "/strict"},
	{method: "POST", host: "api.example.com", path: "/unsafe"},
	{method: "POST", host: "api.example.com", path: "/strict", version: "2"},
	{method: "GET", host: "api.example.com", path: "/tried"},
	{method: "GET", host: "api.example.com", path: "/dry"},
	{method: "GET", host: "api.example.com", path: "/off", lines: []string{"X-Case: loud"}},
	{method: "GET", host: "api.example.com", path: "/", lines: []string{"X-Case: loud"}},
	{method: "GET", host: "api.example.com", path: "/public/x", lines: []string{"X-Case: loud"}},
	{method: "GET", host: "other.example.com:8443", path: "/"},

	// What Envoy and its filters answer.
	{method: "GET", host: "api.example.com", path: "/down"},
	{method: "GET", host: "api.example.com", path: "/direct"},
	{method: "GET", host: "api.example.com", path: "/direct/strict"},
	{method: "GET", host: "api.example.com", path: "/redirect"},
	{method: "GET", host: "api.example.com", path: "/secure"},
	{method: "GET", host: "hosted.example.com", path: "/no/route"},
	{method: "GET", host: "nobody.example.org", path: "/no/host"},
	{method: "GET", host: "api.example.com", path: "/", lines: []string{"X-Deny: 1"}},
	{method: "POST", host: "api.example.com", path: "/unsafe", lines: []string{"X-Deny: 1"}},
	{method: "GET", host: "api.example.com", path: "/public/x", lines: []string{"X-Deny: 1", "Upgrade: websocket", "Connection: upgrade"}},
	{method: "GET", host: "hosted.example.com", path: "/found", lines: []string{"X-Deny: 1"}},
	{method: "OPTIONS", host: "api.example.com", path: "/", lines: []string{"X-Deny: 1", "Access-Control-Request-Method: PUT"}},
	{method: "GET", host: "api.example.com", path: "/a/%00/b"},
	{method: "GET", host: "api.example.com", path: "/public/..%2f..%2f;x"},
	{method: "GET", host: "api.example.com", path: "/", noHost: true},
	{method: "GET", host: "api.example.com", path: "/", version: "1.0"},
	{method: "GET", path: "/", version: "1.0", noHost: true},
	{method: "TRACE", host: "api.example.com", path: "/"},

	// Preflights.
	{method: "OPTIONS", host: "api.example.com", path: "/", lines: []string{"Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-custom-header"}},
	{method: "OPTIONS", host: "api.example.com", path: "/", lines: []string{"Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-custom-header"}, version: "2"},
	{method: "OPTIONS", host: "api.example.com", path: "/", lines: []string{"Access-Control-Request-Method: PATCH", "Access-Control-Request-Private-Network: true"}},
	{method: "OPTIONS", host: "api.example.com", path: "/unsafe", lines: []string{"Access-Control-Request-Method: PATCH"}},
	{method: "OPTIONS", host: "api.example.com", path: "/unsafe", lines: []string{"Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-unknown"}},
	{method: "OPTIONS", host: "api.example.com", path: "/public/", lines: []string{"Access-Control-Request-Method: ANY", "Access-Control-Request-Headers: x-a, authorization"}},
	{method: "OPTIONS", host: "api.example.com", path: "/off", lines: []string{"Access-Control-Request-Method: PUT"}},
	{method: "OPTIONS", host: "api.example.com", path: "/", lines: []string{"Access-Control-Request-Method:"}},
	{method: "OPTIONS", host: "api.example.com", path: "/", lines: []string{"Access-Control-Request-Method: PUT", "Access-Control-Request-Method: PUT"}},
	{method: "OPTIONS", host: "api.example.com", path: "/"},
	{method: "OPTIONS", host: "api.example.com", path: "/direct", lines: []string{"Access-Control-Request-Method: PUT"}},
	{method: "OPTIONS", host: "nobody.example.org", path: "/", lines: []string{"Access-Control-Request-Method: PUT"}},
	{method: "OPTIONS", host: "api.example.com", path: "/", version: "1.0", lines: []string{"Access-Control-Request-Method: PUT"}},
	{method: "OPTIONS", host: "api.example.com", path: "*", lines: []string{"Access-Control-Request-Method: PUT"}},

	// Named by Envoy.
	{method: "GET", host: "api.example.com", path: "/named/by/route"},
	{method: "GET", host: "api.example.com", path: "/named/metadata"},
	{method: "OPTIONS", host: "api.example.com", path: "/named/metadata", lines: []string{"Access-Control-Request-Method: PATCH"}},
	{method: "GET", host: "api.example.com", path: "/named/metadata", lines: []string{"X-Deny: 1"}},
	{method: "GET", host: "api.example.com", path: "/named/unknown"},
	{method: "GET", host: "api.example.com", path: "/named/other"},
	{method: "GET", host: "api.example.com", path: "/named/empty"},
	{method: "GET", host: "hosted.example.com", path: "/found"},
	{method: "GET", host: "hosted.example.com", path: "/nothing"},
	{method: "GET", host: "hosted.example.com", path: "/metadata"},

	// WebSockets, gRPC, and other requests that stay open.
	{method: "GET", host: "api.example.com", path: "/sockets", lines: handshake},
	{method: "GET", host: "api.example.com", path: "/", lines: handshake},
	{method: "GET", host: "api.example.com", path: "/sockets", lines: append(slices.Clone(handshake), "Upgrade: h2c")},
	{method: "CONNECT", host: "api.example.com", path: "/sockets", version: "2", protocol: "websocket", lines: []string{"sec-websocket-version: 13"}},
	{method: "CONNECT", host: "api.example.com", path: "/chat", version: "2", protocol: "websocket", lines: []string{"sec-websocket-version: 13"}},
	{method: "CONNECT", host: "api.example.com", path: "/strict", version: "2", protocol: "other"},
	{method: "POST", host: "api.example.com", path: "/strict/Service/Method", version: "2", lines: []string{"content-type: application/grpc", "te: trailers"}},
	{method: "POST", host: "api.example.com", path: "/strict/Service/Method", version: "2", lines: []string{"content-type: application/grpc+proto", "te: trailers"}},
	{method: "POST", host: "api.example.com", path: "/strict/Service/Method", version: "2", lines: []string{"content-type: application/grpc-web"}},
	{method: "POST", host: "api.example.com", path: "/strict/Service/Method", lines: []string{"Content-Type: application/grpc;charset=utf-8"}},
	{method: "POST", host: "api.example.com", path: "/strict/Service/Method", lines: []string{"Content-Type: Application/GRPC"}},
	{method: "HEAD", host: "api.example.com", path: "/strict/Service/Method", version: "2", lines: []string{"content-type: application/grpc"}},
	{method: "OPTIONS", host: "api.example.com", path: "/unsafe", version: "2", lines: []string{"access-control-request-method: PATCH", "content-type: application/grpc"}},
	{method: "OPTIONS", host: "api.example.com", path: "/", version: "2", lines: []string{"access-control-request-method: PUT", "content-type: application/grpc"}},
	{method: "OPTIONS", host: "other.example.com", path: "/", version: "2", lines: []string{"access-control-request-method: PUT", "content-type: application/grpc"}},

	// Pages of the same origin.
	{method: "POST", host: "shop.example.com", path: "/strict"},
	{method: "POST", host: "api.example.com", path: "/strict", lines: []string{"Sec-Fetch-Site: same-origin"}},
	{method: "POST", host: "api.example.com", path: "/strict", lines: []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin"}},
	{method: "POST", host: "api.example.com", path: "/unsafe", lines: []string{"Sec-Fetch-Site: same-origin", "X-Deny: 1"}},
}

// handshake are the lines of a handshake.
var handshake = []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}

// agreeingOrigins are sent with each of them; several lines of one are parted by a line break.
var agreeingOrigins = []string{"https://shop.example.com", "https://account.example.com", "https://legacy.shop.example.com", "https://evil.example", "null",
	"https://api.example.com", "http://shop.example.com", "HTTPS://shop.example.com", "https://\xff.example.com", "", "https://shop.example.com\nhttps://shop.example.com"}

// TestModuleAgrees sends everything that is hard to two listeners, one of which asks corsproc while it is a module in the other:
// clients and the access log see the same.
func TestModuleAgrees(t *testing.T) {
	w := startTwins(t, setup{policies: agreeingPolicies, virtualHosts: agreeingHosts, before: denyFilter, edit: func(c *bootstrap.Config) {
		c.Manager.HttpProtocolOptions = &corev3.Http1ProtocolOptions{AcceptHttp_10: true}
	}})
	w.upstream.answers("loud", "Access-Control-Allow-Origin: https://up.example", "Access-Control-Allow-Credentials: true", "Access-Control-Expose-Headers: X-Up",
		"Access-Control-Allow-Methods: PUT", "Vary: Accept-Encoding, origin-x", "vary: accept-encoding", "Timing-Allow-Origin: https://up.example")
	for _, r := range agreements {
		w.ask(r) // without an Origin
		for _, o := range agreeingOrigins {
			with := r
			with.lines = slices.Clone(r.lines)
			for _, line := range strings.Split(o, "\n") {
				with.lines = append(with.lines, "Origin: "+line)
			}
			w.ask(with)
		}
	}
	w.compare(agreeingDifferences)
}

// agreeingDifferences are those that are meant.
var agreeingDifferences = []difference{
	{
		why:     "a request that Envoy refuses before it looks for a route: ext_proc is not told what it was, the module knows",
		details: []string{"path_normalization_failed", "missing_host_header", "absolute_path_rejected"},
	},
	{
		why:     "typed_per_filter_config of a virtual host is seen only with a route; without one, the file decides",
		details: []string{"route_not_found"}, host: "hosted.example.com",
	},
}
