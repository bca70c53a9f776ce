//go:build unix

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3" // read by name

	"github.com/corsproc/corsproc/server/tlstest"
)

// securedConfig writes the configuration with the lines of its comment about TLS switched on, and the files that they
// name in dir; mutual: with a certificate of Envoy's own, too. It returns its path.
func securedConfig(t *testing.T, config, dir string, mutual bool) string {
	t.Helper()
	text := read(t, "envoy/"+config)
	lines := 14
	if !mutual {
		lines -= 3
	}
	text = uncommented(t, text, "transport_socket:", lines)
	text = strings.ReplaceAll(text, "/etc/envoy/corsproc/", dir+"/")
	path := filepath.Join(t.TempDir(), config)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTLS is the reference configuration with TLS and with mutual TLS: what its comment says is what is needed, and what
// is not let in costs what a corsproc that is down costs.
func TestTLS(t *testing.T) { withRecipes(t, checkTLS) }

func checkTLS(t *testing.T, config string) {
	ca, dir := tlstest.NewCA(t, "ca"), t.TempDir()
	sub := ca.Intermediate("sub")
	tlstest.WriteFile(t, dir, "ca.crt", ca.PEM)
	cert, key := sub.Issue(tlstest.Leaf{Names: []string{"corsproc.example.com"}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}).Write(t, dir, "corsproc")
	const envoy = "spiffe://example.org/ns/edge/sa/envoy"
	sub.Issue(tlstest.Leaf{Names: []string{envoy}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).Write(t, dir, "tls")
	oneWay := []string{"--tls-cert", cert, "--tls-key", key}
	mutual := append(oneWay, "--tls-client-ca", filepath.Join(dir, "ca.crt"), "--tls-client-names", envoy)
	const page = "https://shop.example.com"
	granted := func(t *testing.T, g *gateway) bool {
		a := g.do("GET", "api.example.com", "/", "Origin: "+page)
		if a.status != 200 {
			t.Fatalf("status %d", a.status)
		}
		return a.joined["access-control-allow-origin"] == page
	}

	t.Run("one-way", func(t *testing.T) {
		g := start(t, setup{config: securedConfig(t, config, dir, false), policies: shopPolicies, args: oneWay})
		if !granted(t, g) {
			t.Error("nothing is granted")
		}
	})
	t.Run("mutual", func(t *testing.T) {
		g := start(t, setup{config: securedConfig(t, config, dir, true), policies: shopPolicies, args: mutual})
		if !granted(t, g) {
			t.Error("nothing is granted")
		}
		// The same address, with another certificate, or for another client.
		tlstest.NewCA(t, "ca").Issue(tlstest.Leaf{Names: []string{"corsproc.example.com"}}).Write(t, dir, "stranger")
		ca.Issue(tlstest.Leaf{Names: []string{"other.example.com"}}).Write(t, dir, "other")
		with := func(name string) []string {
			return append([]string{"--tls-cert", filepath.Join(dir, name+".crt"), "--tls-key", filepath.Join(dir, name+".key")}, mutual[4:]...)
		}
		for _, c := range []struct {
			name    string
			args    []string
			granted bool
			metric  string // a failure that corsproc counts
		}{
			{"another client's name", append(oneWay, "--tls-client-ca", filepath.Join(dir, "ca.crt"), "--tls-client-names", envoy+"2"), false, "client_certificate"},
			{"another CA of clients", append(oneWay, "--tls-client-ca", filepath.Join(dir, "stranger.crt")), false, "client_certificate"},
			{"a certificate of another CA", with("stranger"), false, "refused_by_client"},
			{"a certificate of another name", with("other"), false, "refused_by_client"},
			{"as before", mutual, true, ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				g.service.Stop(syscall.SIGKILL, 0)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				g.args = c.args
				g.service = g.startService(ctx, g.service.Listen)
				for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
					counted := c.metric == "" || metric(t, g.service.Admin, `corsproc_tls_handshake_failures_total{reason="`+c.metric+`"}`) > 0
					// Without a grant, one request has to be seen to fail, and it was counted why.
					if granted(t, g) == c.granted && counted {
						return
					}
					if time.Now().After(deadline) {
						t.Fatalf("granted: %v, counted: %v", !c.granted, counted)
					}
				}
			})
		}
	})
}

// metric returns the value of one of corsproc's series; 0: there is none.
func metric(t *testing.T, admin, series string) float64 {
	t.Helper()
	response, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	return 0
}

// TestTLSRotates replaces corsproc's certificate under a running Envoy: new connections have the new one, and no request
// notices.
func TestTLSRotates(t *testing.T) {
	ca, dir := tlstest.NewCA(t, "ca"), t.TempDir()
	tlstest.WriteFile(t, dir, "ca.crt", ca.PEM)
	leaf := tlstest.Leaf{Names: []string{"corsproc.example.com"}}
	cert, key := ca.Issue(leaf).Write(t, dir, "corsproc")
	g := start(t, setup{config: securedConfig(t, "envoy.yaml", dir, false), policies: shopPolicies, args: []string{"--tls-cert", cert, "--tls-key", key}})
	serial := func() string {
		conn, err := tls.Dial("tcp", g.service.Listen, &tls.Config{RootCAs: ca.Pool(), ServerName: "corsproc.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	ca.Issue(leaf).Write(t, dir, "corsproc")
	for deadline := time.Now().Add(patience); serial() == before; time.Sleep(10 * time.Millisecond) {
		if a := g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com"); a.joined["access-control-allow-origin"] == "" {
			t.Fatal("nothing is granted in the meantime")
		}
		if time.Now().After(deadline) {
			t.Fatal("the certificate is not taken up")
		}
	}
	if a := g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com"); a.joined["access-control-allow-origin"] == "" {
		t.Error("nothing is granted any more")
	}
}
