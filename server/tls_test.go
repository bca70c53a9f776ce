package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/corsproc/corsproc/server/tlstest"
)

// secured is a server with TLS.
type secured struct {
	*running
	ca *tlstest.CA // of its certificate
}

// startTLS starts a server with TLS.
func startTLS(t *testing.T, change func(*Settings)) *secured {
	t.Helper()
	s := &secured{ca: tlstest.NewCA(t, "servers")}
	cert, key := s.ca.Issue(tlstest.Leaf{Names: []string{"127.0.0.1"}}).Write(t, t.TempDir(), "s")
	s.running = start(t, somePolicies, func(settings *Settings) {
		settings.TLSCert, settings.TLSKey = cert, key
		if change != nil {
			change(settings)
		}
	})
	return s
}

// healthOver asks for the health over a connection of its own.
func healthOver(t *testing.T, addr string, creds credentials.TransportCredentials) error {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = healthv1.NewHealthClient(conn).Check(ctx, new(healthv1.HealthCheckRequest))
	return err
}

func TestTLS(t *testing.T) { onEach(t, testTLS) }

func testTLS(t *testing.T, transport Transport) {
	s := startTLS(t, func(s *Settings) { s.Transport = transport })
	conn, err := grpc.NewClient(s.listen, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: s.ca.Pool()})), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, _, err := s.open(conn, "https://shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	// A drain waits for the stream, and the connection then ends as TLS ends.
	s.signals <- os.Interrupt
	s.logged("draining")
	if !s.allowed(stream) {
		t.Error("an allowed origin is refused")
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("the stream ends with %v", err)
	}
	if err := s.ended(); err != nil {
		t.Error(err)
	}
}

// TestTLSVersions holds what is negotiated, and what a client that is refused is told.
func TestTLSVersions(t *testing.T) {
	s := startTLS(t, nil)
	pool := s.ca.Pool()
	for _, test := range []struct {
		name    string
		config  *tls.Config
		version uint16
		alpn    string
		want    string // part of the error
	}{
		{name: "the newest", config: &tls.Config{NextProtos: []string{"h2"}}, version: tls.VersionTLS13, alpn: "h2"},
		{name: "1.2", config: &tls.Config{NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12}, version: tls.VersionTLS12, alpn: "h2"},
		{name: "1.1", config: &tls.Config{NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, want: "protocol version not supported"},
		{name: "1.2 with a cipher suite that HTTP/2 forbids", config: &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, want: "handshake failure"},
		{name: "several protocols", config: &tls.Config{NextProtos: []string{"http/1.1", "h2"}}, version: tls.VersionTLS13, alpn: "h2"},
		{name: "another protocol", config: &tls.Config{NextProtos: []string{"h3"}}, want: "no application protocol"},
		{name: "no protocol", config: &tls.Config{}, version: tls.VersionTLS13},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.config.RootCAs = pool
			conn, err := tls.Dial("tcp", s.listen, test.config)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want it to say %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if state := conn.ConnectionState(); state.Version != test.version || state.NegotiatedProtocol != test.alpn {
				t.Errorf("%s %q", tls.VersionName(state.Version), state.NegotiatedProtocol)
			}
		})
	}
}

// TestTLSRotation replaces the files as Kubernetes does, by a symbolic link to a directory, and as people do.
func TestTLSRotation(t *testing.T) {
	t.Parallel()
	oldClients, newClients := tlstest.NewCA(t, "old"), tlstest.NewCA(t, "new")
	ca, dir := tlstest.NewCA(t, "servers"), t.TempDir()
	version := func(name string, p tlstest.Pair, clients *tlstest.CA) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		p.Write(t, filepath.Join(dir, name), "s")
		tlstest.WriteFile(t, filepath.Join(dir, name), "clients.pem", clients.PEM)
		if err := errors.Join(os.Symlink(name, filepath.Join(dir, "..tmp")), os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	leaf := tlstest.Leaf{Names: []string{"127.0.0.1"}}
	version("..1", ca.Issue(leaf), oldClients)
	for _, name := range []string{"s.crt", "s.key", "clients.pem"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, somePolicies, func(s *Settings) {
		s.TLSCert, s.TLSKey, s.TLSClientCA = filepath.Join(dir, "s.crt"), filepath.Join(dir, "s.key"), filepath.Join(dir, "clients.pem")
	})
	with := func(clients *tlstest.CA) credentials.TransportCredentials {
		return credentials.NewTLS(&tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{clients.Issue(leaf).TLS(t)},
			ClientSessionCache: tls.NewLRUClientSessionCache(10)})
	}
	old, fresh := with(oldClients), with(newClients)
	open, err := grpc.NewClient(r.listen, grpc.WithTransportCredentials(old), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if !r.ask(open, "https://shop.example.com") {
		t.Fatal("refused")
	}
	if healthOver(t, r.listen, old) != nil || healthOver(t, r.listen, fresh) == nil {
		t.Fatal("the wrong clients are let in at first")
	}
	r.has(`corsproc_tls_reload_total{result="success"} 1`, `corsproc_tls_last_reload_successful 1`)

	version("..2", ca.Issue(leaf), newClients)
	r.logged("TLS files loaded")
	if healthOver(t, r.listen, old) == nil || healthOver(t, r.listen, fresh) != nil {
		t.Error("the wrong clients are let in after the rotation; a session that is resumed is a client, too")
	}
	if !r.ask(open, "https://shop.example.com") {
		t.Error("a connection that was open does not go on")
	}

	for _, bad := range []struct{ file, text, want string }{
		{"s.key", string(ca.Issue(leaf).Key), "are no pair"},
		{"s.crt", "", "holds no certificate"},
		{"clients.pem", string(newClients.PEM) + string(oldClients.PEM[:100]), "does not end as such"},
	} {
		path := filepath.Join(dir, "..2", bad.file)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tlstest.WriteFile(t, filepath.Dir(path), bad.file, []byte(bad.text))
		fault := r.logged("TLS files not loaded; the last good ones stay in force")
		if text, _ := fault["error"].(string); !strings.Contains(text, bad.want) || !strings.Contains(text, bad.file) {
			t.Errorf("logged as %v", fault)
		}
		r.has(`corsproc_tls_last_reload_successful 0`)
		if err := healthOver(t, r.listen, fresh); err != nil {
			t.Errorf("with a bad %s: %v", bad.file, err)
		}
		tlstest.WriteFile(t, filepath.Dir(path), bad.file, good)
		r.logged("TLS files loaded")
	}
	r.has(`corsproc_tls_reload_total{result="failure"} 3`, `corsproc_tls_reload_total{result="success"} 5`, `corsproc_tls_last_reload_successful 1`)
	if err := os.RemoveAll(filepath.Join(dir, "..2")); err != nil {
		t.Fatal(err)
	}
	r.logged("TLS files not loaded; the last good ones stay in force")
	if err := healthOver(t, r.listen, fresh); err != nil {
		t.Errorf("without files: %v", err)
	}
}

// TestTLSHandshakeHoldsNobodyUp: clients that say nothing keep no other from being served, are there for the time of a
// handshake, and are never more than max-connections.
func TestTLSHandshakeHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	onEach(t, tlsHandshakeHoldsNobodyUp)
}

func tlsHandshakeHoldsNobodyUp(t *testing.T, transport Transport) {
	t.Parallel()
	r := startTLS(t, func(s *Settings) { s.Transport, s.MaxConnections = transport, 3 })
	silent := func() net.Conn {
		conn, err := net.Dial("tcp", r.listen)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	first, second := silent(), silent()
	if _, err := second.Write([]byte{22, 3, 1}); err != nil { // the beginning of a hello
		t.Fatal(err)
	}
	creds := credentials.NewTLS(&tls.Config{RootCAs: r.ca.Pool()})
	if err := healthOver(t, r.listen, creds); err != nil {
		t.Errorf("beside clients that say nothing: %v", err)
	}
	third, over := silent(), silent()
	_ = first.SetReadDeadline(time.Now().Add(handshakeTimeout / 2))
	if _, err := first.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the oldest that says nothing makes room at once: %v", err)
	}
	for _, conn := range []net.Conn{second, third, over} {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a client that says nothing: %v", err)
		}
	}
	eventually(t, func() error { return healthOver(t, r.listen, creds) })
	if record := r.logged("TLS handshakes fail"); record["reason"] != "timeout" {
		t.Errorf("logged as %v", record)
	}
}

// An expired certificate is served, since only clients know what they make of it, and told of.
func TestTLSExpired(t *testing.T) {
	ca, dir := tlstest.NewCA(t, "ca"), t.TempDir()
	cert, key := ca.Issue(tlstest.Leaf{Ends: -time.Hour}).Write(t, dir, "s")
	r := start(t, somePolicies, func(s *Settings) { s.TLSCert, s.TLSKey = cert, key })
	if _, metrics := r.http("GET", "/metrics"); !strings.Contains(metrics, `corsproc_tls_certificate_expiry_timestamp_seconds{setting="tls-cert"} `) || strings.Contains(metrics, `setting="tls-client-ca"`) {
		t.Errorf("the metrics do not say when it ended:\n%s", metrics)
	}
}
