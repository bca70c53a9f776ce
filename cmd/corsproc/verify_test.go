package main

import "testing"

const verifyPolicies = `policies:
  shop:
    allow_origins: [https://shop.example.com, "https://*.shop.example.com"]
    deny_origins: [https://legacy.shop.example.com]
    allow_methods: [PUT, DELETE]
    allow_headers: [Content-Type, X-Custom-Header]
    expose_headers: [X-Request-Id]
    allow_credentials: true
    max_age: 2h
  partner: {allow_origins: [https://partner.example]}
  public: {allow_origins: ["*"]}
virtual_hosts:
  - name: api
    domains: [api.test]
    policies: [shop, partner]
    timing_allow_origins: [https://shop.example.com]
    routes:
      - {prefix: /public/, policies: [public]}
      - {path: /closed, policies: [none], reject: ALWAYS}
      - {path: /healthz, policies: [passthrough]}
`

// TestVerifyAgrees asks a gateway that does what the policies say.
func TestVerifyAgrees(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", verifyPolicies)
	g := &testGateway{set: setOf(t, verifyPolicies)}
	v, status, stderr := verifyIn(t, serveGateway(t, g), "http://api.test")
	if status != exitOK || !v.Agrees || v.codes() != "" || stderr != "" {
		t.Errorf("status %d, %+v, %s", status, v, stderr)
	}
	if int(g.requests.Load()) != v.Requests || v.Requests < 50 || v.Skipped != 0 || v.Unanswered != 0 || len(v.Places) != 3 {
		t.Errorf("%d requests came, %+v", g.requests.Load(), v)
	}
}
