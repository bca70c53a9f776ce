//go:build unix

package e2e

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/server/tlstest"
)

// verifiedPolicies use everything that an answer depends on.
const verifiedPolicies = `
policies:
  shop:
    allow_origins: [https://shop.example.com, "https://*.shop.example.com", "http://localhost:*", "chrome-extension://abcdef", "null"]
    allow_origin_regexes: ['https://pr-[0-9]+\.preview\.example\.com']
    deny_origins: [https://legacy.shop.example.com]
    allow_methods: [PUT, DELETE, PATCH]
    allow_headers: [Content-Type, X-Custom-Header, Authorization]
    expose_headers: [X-Request-Id]
    max_age: 2h
    allow_private_network: true
  account:
    allow_origins: [https://account.example.com]
    allow_methods: ["*"]
    allow_headers: ["*"]
    allow_credentials: true
    preflight_status: 200
  public: {allow_origins: ["*"], allow_methods: ["*"], allow_headers: ["*"], expose_headers: ["*"]}
virtual_hosts:
- domains: [api.example.com]
  policies: [shop, account]
  routes:
  - {prefix: /public/, policies: [public], timing_allow_origins: ["*"]}
  - {path: /closed, policies: [none]}
  - {path_separated_prefix: /account, policies: [account], unmatched_preflights: REFUSE, timing_allow_origins: [https://shop.example.com]}
  - {regex: '/users/[0-9]+/photo', policies: [shop]}
  - {path: /stopped, policies: [account], REJECT}
  - {prefix: /upstream/, policies: [passthrough]}
- domains: ["*.files.example.com"]
  policies: [public]
`

// verifyGateway runs verify on a gateway, and returns its report.
func verifyGateway(t *testing.T, args ...string) (agrees bool, report string) {
	t.Helper()
	diagnoses, report := diagnoseGateway(t, args...)
	return diagnoses == "agrees", report
}

// diagnoseGateway runs verify on a gateway, and returns the codes of its diagnoses, or "agrees".
func diagnoseGateway(t *testing.T, args ...string) (codes, report string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(binary, append([]string{"verify", "--rate", "1000", "--format", "json"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var v struct {
		Agrees    bool
		Requests  int
		Diagnoses []struct{ Code string }
	}
	if parsed := json.Unmarshal(stdout.Bytes(), &v); parsed != nil {
		t.Fatalf("%v: %v\n%s%s", err, parsed, stdout.String(), stderr.String())
	}
	if v.Agrees != (err == nil) || v.Requests < 20 || stderr.Len() > 0 {
		t.Errorf("%v, agrees %v, %d requests\n%s", err, v.Agrees, v.Requests, stderr.String())
	}
	if v.Agrees {
		return "agrees", stdout.String()
	}
	for _, d := range v.Diagnoses {
		codes += "[" + d.Code + "]"
	}
	return codes, stdout.String()
}

// TestVerifyRecipes: every recipe agrees with the policies that it runs with, whatever the upstream says of CORS itself, and
// whatever comes of a request behind corsproc.
func TestVerifyRecipes(t *testing.T) {
	for config, reject := range map[string]string{"envoy.yaml": "reject: UNSAFE_METHODS", "enforcing.yaml": "reject: ALWAYS", "one-message.yaml": "reject: WEBSOCKETS"} {
		t.Run(config, func(t *testing.T) {
			g := start(t, setup{config: config, policies: strings.Replace(verifiedPolicies, "REJECT", reject, 1), after: jwtFilter})
			g.upstream.answers("loud", "Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true", "Vary: Accept-Encoding", "Timing-Allow-Origin: https://up.example")
			for _, method := range []string{"GET", "HEAD"} {
				if agrees, report := verifyGateway(t, "--policies", g.policyFile, "--connect", g.address, "--method", method, "-H", "X-Case: loud",
					"http://api.example.com", "http://a.files.example.com:8080/", "http://api.example.com/private?x=1"); !agrees {
					t.Errorf("%s: %s", method, report)
				}
			}
		})
	}
}

// TestVerifyDemo asks the demo, as its page in docs/ does.
func TestVerifyDemo(t *testing.T) {
	d := startDemo(t)
	if agrees, report := verifyGateway(t, "--policies", d.policies, "--virtual-host", "api", "--virtual-host", "files=files.localhost",
		d.api, strings.Replace(d.api, "localhost", "files.localhost", 1)); !agrees {
		t.Error(report)
	}
}

// TestVerifyTLS asks an Envoy that wants certificates of its clients, over HTTP/2.
func TestVerifyTLS(t *testing.T) {
	ca, dir := tlstest.NewCA(t, "ca"), t.TempDir()
	trusted := tlstest.WriteFile(t, dir, "ca.crt", ca.PEM)
	cert, key := ca.Issue(tlstest.Leaf{Names: []string{"api.example.com"}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}).Write(t, dir, "api")
	client, clientKey := ca.Issue(tlstest.Leaf{Names: []string{"client.example.com"}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).Write(t, dir, "client")
	file := func(name string) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}
	}
	g := start(t, setup{policies: strings.Replace(verifiedPolicies, "REJECT", "reject: ALWAYS", 1), edit: func(c *bootstrap.Config) {
		secure, err := anypb.New(&tlsv3.DownstreamTlsContext{
			RequireClientCertificate: wrapperspb.Bool(true),
			CommonTlsContext: &tlsv3.CommonTlsContext{
				AlpnProtocols:         []string{"h2", "http/1.1"},
				TlsCertificates:       []*tlsv3.TlsCertificate{{CertificateChain: file(cert), PrivateKey: file(key)}},
				ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: file(trusted)}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Listener.FilterChains[0].TransportSocket = &corev3.TransportSocket{
			Name: "envoy.transport_sockets.tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: secure},
		}
	}})
	if agrees, report := verifyGateway(t, "--policies", g.policyFile, "--connect", g.address, "--ca", trusted, "--cert", client, "--key", clientKey,
		"--repeat", "2", "https://api.example.com"); !agrees {
		t.Error(report)
	}
	stats, err := g.envoy.Get(t.Context(), "/stats?filter=downstream_rq_http2_total|downstream_rq_http1_total")
	if err != nil || !strings.Contains(string(stats), "http.ingress.downstream_rq_http1_total: 0\n") || strings.Contains(string(stats), "http.ingress.downstream_rq_http2_total: 0\n") {
		t.Errorf("%v: %s", err, stats)
	}
}

// TestVerifyDiagnoses: what goes wrong with a real Envoy is called by its name.
func TestVerifyDiagnoses(t *testing.T) {
	policies := strings.Replace(verifiedPolicies, "REJECT", "reject: NEVER", 1)
	g := start(t, setup{policies: policies, before: denyFilter})
	down := start(t, setup{noService: true})
	for _, up := range []*gateway{g, down} {
		up.upstream.answers("loud", "Access-Control-Allow-Origin: https://up.example", "Access-Control-Allow-Methods: PUT")
	}
	ahead := filepath.Join(t.TempDir(), "ahead.yaml")
	if err := os.WriteFile(ahead, []byte(strings.Replace(policies, "[PUT, DELETE, PATCH]", "[PUT, DELETE, PATCH, QUERY]", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, policies string
		gateway        *gateway
		header, codes  string
	}{
		{"all is well", g.policyFile, g, "X-Case: loud", "agrees"},
		{"a filter in front denies", g.policyFile, g, "X-Deny: 1", "[behind-authentication]"},
		{"other policies are in force", ahead, g, "X-Case: loud", "[other-policies]"},
		{"corsproc is down", g.policyFile, down, "X-Case: quiet", "[not-attached]"},
		{"corsproc is down, and the upstream speaks", g.policyFile, down, "X-Case: loud", "[not-attached][upstream-headers-pass]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if codes, report := diagnoseGateway(t, "--policies", c.policies, "--connect", c.gateway.address, "-H", c.header, "http://api.example.com"); codes != c.codes {
				t.Errorf("%s, want %s: %s", codes, c.codes, report)
			}
		})
	}
}
