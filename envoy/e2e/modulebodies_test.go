//go:build unix

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// TestModuleBodies: what follows the headers of a request that corsproc answers goes nowhere and is no request, over HTTP/1 the
// connection ends; what follows those of another one reaches the upstream whole.
func TestModuleBodies(t *testing.T) {
	const policies = `
policies: {shop: {allow_origins: [https://shop.example.com], allow_methods: [PUT]}}
default: {policies: [shop], reject: ALWAYS}
`
	const shop, evil = "https://shop.example.com", "https://evil.example"
	g := start(t, setup{config: moduleRecipe, policies: policies, edit: func(c *bootstrap.Config) {
		c.Manager.DelayedCloseTimeout = durationpb.New(50 * time.Millisecond) // how long clients are waited for at the end of a connection
	}})
	g.upstream.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})

	const next = "GET /next HTTP/1.1\r\nHost: api.example.com\r\n\r\n"
	for name, rest := range map[string]string{
		"whole":       fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(next), next),
		"and another": "Content-Length: 3\r\n\r\nabc" + next,
		"chunked":     fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n", len(next), next),
		"begun":       "Content-Length: 1000000\r\n\r\n" + next,
	} {
		for method, c := range map[string]struct {
			origin string
			status int
		}{"POST": {evil, 403}, "OPTIONS": {shop, 204}} {
			before := g.upstream.requests.Load()
			all := untilClosed(t, g.address, method+" / HTTP/1.1\r\nHost: api.example.com\r\nAccess-Control-Request-Method: PUT\r\nOrigin: "+c.origin+"\r\n"+rest)
			if !strings.HasPrefix(all, fmt.Sprintf("HTTP/1.1 %d ", c.status)) || strings.Count(all, "HTTP/1.1") != 1 || !strings.Contains(all, "\r\nconnection: close\r\n") {
				t.Errorf("%s, %s: %q", method, name, all)
			}
			if n := g.upstream.requests.Load() - before; n != 0 {
				t.Errorf("%s, %s: %d requests reach the upstream", method, name, n)
			}
		}
	}

	for _, http2 := range []bool{false, true} {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(!http2)
		protocols.SetUnencryptedHTTP2(http2)
		transport := &http.Transport{Protocols: protocols}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: patience}
		send := func(origin string, n int) (reached bool, body string) {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+g.address+"/", io.MultiReader(strings.NewReader(strings.Repeat("a", n))))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", origin)
			r.Trailer = http.Header{"X-Trailer": {"1"}}
			before := g.upstream.requests.Load()
			a, err := client.Do(r)
			if err != nil {
				t.Fatalf("HTTP/2 %v, %s, %d bytes: %v", http2, origin, n, err)
			}
			defer a.Body.Close()
			all, err := io.ReadAll(a.Body)
			if err != nil {
				t.Errorf("HTTP/2 %v, %s, %d bytes: %v", http2, origin, n, err)
			}
			return g.upstream.requests.Load() > before, string(all)
		}
		for range 3 { // on one connection
			for _, n := range []int{0, 1, 100_000} {
				if reached, body := send(shop, n); !reached || body != fmt.Sprint(n, nil) {
					t.Errorf("HTTP/2 %v: of %d bytes the upstream got %s", http2, n, body)
				}
				if !http2 {
					continue
				}
				if reached, body := send(evil, n); reached || !strings.HasPrefix(body, "This request was refused") {
					t.Errorf("%d bytes of a request that is rejected: %q, reached %v", n, body, reached)
				}
			}
		}
	}
}

// untilClosed sends a text on a connection of its own, and returns all that comes until Envoy closes it.
func untilClosed(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // on a connection that was just opened
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // of what Envoy has not read
		t.Error(err)
	}
	return string(all)
}
