package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/corsproc/corsproc/server/logs"
	"github.com/corsproc/corsproc/server/logtest"
	"github.com/corsproc/corsproc/server/tlstest"
)

// patience is how long a test waits for what happens at once.
const patience = 10 * time.Second

// untold are hooks that nobody hears.
var untold = Hooks{Loaded: func(time.Time, time.Time) {}, Failed: func() {}, HandshakeFailed: func(HandshakeFailure) {}}

// TestMutualTLS holds who is let in, and what the others and the log are told.
func TestMutualTLS(t *testing.T) {
	servers, clients, strangers := tlstest.NewCA(t, "servers"), tlstest.NewCA(t, "clients"), tlstest.NewCA(t, "strangers")
	dir := t.TempDir()
	files := &Files{ClientCA: tlstest.WriteFile(t, dir, "clients.pem", clients.PEM)}
	files.Cert, files.Key = servers.Issue(tlstest.Leaf{Names: []string{"127.0.0.1"}}).Write(t, dir, "s")
	const spiffe = "spiffe://example.org/ns/edge/sa/envoy"
	names := []string{spiffe, "Envoy.example.org"}

	sub := clients.Intermediate("sub").Intermediate("sub-sub")
	bare := sub.Issue(tlstest.Leaf{Names: []string{spiffe}})
	const end = "-----END CERTIFICATE-----\n"
	bare.Cert = bare.Cert[:bytes.Index(bare.Cert, []byte(end))+len(end)]
	for _, test := range []struct {
		name string
		pair *tlstest.Pair // nil: none
		free bool          // any name will do
		want string        // part of what is logged; empty: let in
	}{
		{name: "the URI", pair: issue(clients, tlstest.Leaf{Names: []string{spiffe}})},
		{name: "the DNS name", pair: issue(clients, tlstest.Leaf{Names: []string{"envoy.EXAMPLE.org"}})},
		{name: "one of several", pair: issue(clients, tlstest.Leaf{Names: []string{"other.example.org", "spiffe://example.org/x", spiffe}})},
		{name: "intermediates", pair: issue(sub, tlstest.Leaf{Names: []string{spiffe}})},
		{name: "for clients alone", pair: issue(clients, tlstest.Leaf{Names: []string{spiffe}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})},
		{name: "any name will do", pair: issue(clients, tlstest.Leaf{}), free: true},
		{name: "none", want: "didn't provide a certificate"},
		{name: "none, and any name would do", free: true, want: "didn't provide a certificate"},
		{name: "a stranger", pair: issue(strangers, tlstest.Leaf{Names: []string{spiffe}}), want: "unknown authority"},
		{name: "a stranger, and any name would do", pair: issue(strangers, tlstest.Leaf{Names: []string{spiffe}}), free: true, want: "unknown authority"},
		{name: "the intermediates are missing", pair: &bare, want: "unknown authority"},
		{name: "expired", pair: issue(clients, tlstest.Leaf{Names: []string{spiffe}, Ends: -time.Hour}), want: "expired"},
		{name: "for servers alone", pair: issue(clients, tlstest.Leaf{Names: []string{spiffe}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}), want: "incompatible key usage"},
		{name: "another name", pair: issue(clients, tlstest.Leaf{Names: []string{"other.example.org", spiffe + "2"}}),
			want: `none of tls-client-names: it has "` + spiffe + `2", "other.example.org"`},
		{name: "no name", pair: issue(clients, tlstest.Leaf{}), want: "neither a URI nor a DNS name"},
		{name: "the URI in another case", pair: issue(clients, tlstest.Leaf{Names: []string{"spiffe://example.org/ns/edge/sa/Envoy"}}), want: "none of tls-client-names"},
		{name: "the URI as a DNS name", pair: issue(clients, tlstest.Leaf{Names: []string{"example.org"}}), want: "none of tls-client-names"},
		{name: "a wildcard", pair: issue(clients, tlstest.Leaf{Names: []string{"*.example.org"}}), want: "none of tls-client-names"},
		{name: "control bytes", pair: issue(clients, tlstest.Leaf{Names: []string{"a\n\x1b[31mb", strings.Repeat("b", 300), "c", "d", "e"}}),
			want: `it has "a\n\x1b[31mb", "` + strings.Repeat("b", maxToldName) + `", "c", and others`},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(test.name+" "+tls.VersionName(version), func(t *testing.T) {
				wanted := *files
				if !test.free {
					wanted.ClientNames = names
				}
				config := &tls.Config{RootCAs: servers.Pool(), MaxVersion: version}
				if test.pair != nil {
					pair := test.pair.TLS(t)
					// As a client does that sends what it has, whatever authorities the server names.
					config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
				}
				log, told := shake(t, &wanted, config)
				if test.want == "" {
					if log != nil || told != nil {
						t.Errorf("not let in: %v, %v", told, log)
					}
					return
				}
				if text, _ := log["error"].(string); !strings.Contains(text, test.want) || log["reason"] != "client_certificate" {
					t.Errorf("logged as %v, want it to say %q", log, test.want)
				}
				if told == nil || !strings.Contains(told.Error(), "remote error: tls: ") {
					t.Errorf("the client is told %v", told)
				}
			})
		}
	}
}

func issue(ca *tlstest.CA, leaf tlstest.Leaf) *tlstest.Pair {
	p := ca.Issue(leaf)
	return &p
}

// shake connects a client to a server with these files. It returns what the server logs of it and what the client gets
// for an error; both nil: a byte went to and fro.
func shake(t *testing.T, files *Files, config *tls.Config) (logged map[string]any, told error) {
	t.Helper()
	c, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	log := new(logtest.Buffer)
	c.Report(logs.New(log, logs.JSON, slog.LevelInfo), untold)
	log.Take(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := c.Secure(inner)
	defer l.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		b := make([]byte, 1)
		if _, err := conn.Read(b); err == nil {
			conn.Write(b)
			conn.(interface{ CloseWrite() error }).CloseWrite()
		}
	}()
	told = func() error {
		conn, err := tls.Dial("tcp", inner.Addr().String(), config)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("x")); err != nil {
			return err
		}
		if got, err := io.ReadAll(conn); err != nil || string(got) != "x" {
			return fmt.Errorf("read %q: %w", got, err)
		}
		return nil
	}()
	<-served
	for _, logged = range log.Take(t) {
	}
	return logged, told
}

func TestCheckClientName(t *testing.T) {
	for name, want := range map[string]string{
		"envoy.example.org": "", "Envoy.Example.org": "", "localhost": "", "a_b.example": "",
		"spiffe://example.org/ns/edge/sa/envoy": "", "spiffe://cluster.local/a": "",
		"":                              "is empty",
		"*.example.org":                 "wildcards are none",
		"spiffe://example.org/*":        "wildcards are none",
		"SPIFFE://example.org/a":        "write spiffe://example.org/a",
		"spiffe://Example.org/a":        "lower-case letters",
		"spiffe://a:8080/a":             "lower-case letters",
		"spiffe://u@a/a":                "lower-case letters",
		"spiffe:///a":                   "lower-case letters",
		"spiffe://example.org":          "is a trust domain and no workload",
		"spiffe://example.org/":         "is a trust domain and no workload",
		"spiffe://a/b/":                 "between single slashes",
		"spiffe://a/b//c":               "between single slashes",
		"spiffe://a/../c":               "between single slashes",
		"spiffe://a/b?c":                "between single slashes",
		"spiffe://a/%62":                "between single slashes",
		"https://example.org/":          "neither a SPIFFE URI nor a DNS name",
		"10.0.0.1":                      "is an IP address",
		"[::1]":                         "is an IP address",
		"example.org:443":               "is no DNS name",
		"example.org.":                  "is no DNS name",
		"exam ple.org":                  "is no DNS name",
		"-a.example.org":                "is no DNS name",
		strings.Repeat("a.", 127) + "a": "is no DNS name",
	} {
		err := CheckClientName(name)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %q", name, err, want)
		}
	}
}
