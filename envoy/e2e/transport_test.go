//go:build unix

package e2e

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/policy/casetable"
	"github.com/corsproc/corsproc/server/tlstest"
)

// overGRPC are the arguments of a corsproc that is served by grpc-go.
var overGRPC = []string{"--transport", "grpc"}

// TestCasesOverGRPC runs every case table with grpc-go as the transport.
func TestCasesOverGRPC(t *testing.T) {
	for _, table := range casetable.Load(t) {
		t.Run(table.File, func(t *testing.T) {
			runCasesAt(t, &table, setup{policies: table.Policies, virtualHosts: virtualHosts(t, &table), before: denyFilter, args: overGRPC})
		})
	}
}

// TestTransportsBehindEnvoy: over mutual TLS, over a unix socket, and with pings every 20 ms, requests
// are answered on the connections that Envoy opened at first, none of which is ever closed, nor wished to be (GOAWAY).
func TestTransportsBehindEnvoy(t *testing.T) {
	ca, dir := tlstest.NewCA(t, "ca"), t.TempDir()
	tlstest.WriteFile(t, dir, "ca.crt", ca.PEM)
	cert, key := ca.Issue(tlstest.Leaf{Names: []string{"corsproc.example.com"}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}).Write(t, dir, "corsproc")
	ca.Issue(tlstest.Leaf{Names: []string{"envoy.example.com"}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).Write(t, dir, "tls")
	mutual := []string{"--tls-cert", cert, "--tls-key", key, "--tls-client-ca", filepath.Join(dir, "ca.crt"), "--tls-client-names", "envoy.example.com"}

	sockets, err := os.MkdirTemp("", "corsproc-") // a short path: one of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	socket := filepath.Join(sockets, "s")
	overSocket := func(c *bootstrap.Config) {
		cluster, err := c.Cluster(bootstrap.ClusterName)
		if err != nil {
			t.Fatal(err)
		}
		cluster.GetLoadAssignment().GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint().Address =
			&corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: socket}}}
	}

	for _, transport := range []string{"loop", "grpc"} {
		for name, s := range map[string]setup{
			"mutual TLS":    {config: securedConfig(t, "envoy.yaml", dir, true), args: mutual},
			"a unix socket": {args: []string{"--listen", "unix://" + socket}, edit: overSocket},
			"pings":         {config: pinging(t)},
		} {
			t.Run(transport+"/"+name, func(t *testing.T) {
				s.policies, s.args = shopPolicies, append(slices.Clone(s.args), "--transport", transport)
				g := start(t, s)
				for range 2 { // pings between them come on connections that are idle
					requests := g.startTraffic()
					time.Sleep(500 * time.Millisecond)
					if failed := requests.end(); len(failed) > 0 {
						t.Errorf("of %d requests %v", requests.requests.Load(), failed)
					}
					time.Sleep(500 * time.Millisecond)
				}
				stats, err := g.envoy.Get(t.Context(), "/stats?filter=cluster.corsproc.(upstream_cx_destroy|upstream_cx_close_notify|http2.keepalive_timeout|health_check.failure)$")
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"upstream_cx_destroy: 0\n", "upstream_cx_close_notify: 0\n", "keepalive_timeout: 0\n", "health_check.failure: 0\n"} {
					if !strings.Contains(string(stats), want) {
						t.Errorf("%s\nwant %s", stats, want)
					}
				}
			})
		}
	}
}

// pinging writes the configuration with a ping every 20 ms, and returns its path.
func pinging(t *testing.T) string {
	t.Helper()
	const usual = "connection_keepalive: { interval: 30s,"
	text := read(t, "envoy/envoy.yaml")
	if strings.Count(text, usual) != 1 {
		t.Fatalf("envoy.yaml has no %q", usual)
	}
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(text, usual, "connection_keepalive: { interval: 0.02s,", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
