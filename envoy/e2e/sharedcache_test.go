//go:build unix

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/corsproc/corsproc/envoy/internal/child"
	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
)

// A cache in front of the gateway that takes no Vary: its key is the URL alone, as that of some CDNs is.
const cacheConfig = `daemon off;
master_process off;
pid DIR/pid;
error_log DIR/error.log;
events {}
http {
  access_log off;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  proxy_cache_path DIR/cache keys_zone=all:1m;
  server {
    listen unix:DIR/http;
    location / {
      proxy_pass http://GATEWAY;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_cache all;
      proxy_cache_key $host$request_uri;
      proxy_cache_valid any 10m;
      proxy_ignore_headers Vary Cache-Control Expires;
      add_header X-Cache $upstream_cache_status always;
    }
  }
}
`

// startCache starts an nginx that caches a gateway's answers, and returns a client of it.
func startCache(t *testing.T, gateway string) *http.Client {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nginx")
	}
	need(t, err)
	dir, err := os.MkdirTemp("", "cors") // short: the path of a socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(strings.NewReplacer("DIR", dir, "GATEWAY", gateway).Replace(cacheConfig)), 0o600); err != nil {
		t.Fatal(err)
	}
	nginx, err := child.Start("nginx", exec.Command(path, "-e", filepath.Join(dir, "error.log"), "-c", config))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nginx.Stop(syscall.SIGTERM, time.Second) })
	socket := filepath.Join(dir, "http")
	eventually(t, "nginx listens", func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
}

// TestCacheWithoutVary puts a cache in front of the gateway that ignores Vary, and lets many ask for the same in every order.
// With fixed_origin nobody gets an answer that is another one's. Without, somebody does: so much for the test itself.
func TestCacheWithoutVary(t *testing.T) {
	const shop = "https://shop.example.com"
	g := start(t, setup{policies: `policies:
  fixed: {allow_origins: [https://shop.example.com], fixed_origin: true, allow_credentials: true, expose_headers: [X-Total]}
  usual: {allow_origins: [https://shop.example.com], allow_credentials: true, expose_headers: [X-Total]}
virtual_hosts:
  - {domains: [fixed.example.com], policies: [fixed]}
  - {domains: [usual.example.com], policies: [usual]}
`})
	cache := startCache(t, g.address)
	askers := []string{shop, "https://evil.example", "", "null", "HTTPS://SHOP.EXAMPLE.COM", "https://other.shop.example.com"}
	// mixed asks for one path, one asker first, and counts who is treated as somebody else.
	mixed := func(host string, first int) (mixed int) {
		t.Helper()
		path := fmt.Sprintf("/first-%d", first)
		before := g.upstream.requests.Load()
		for i := range askers {
			from := askers[(first+i)%len(askers)]
			got := getCached(t, cache, host, path, from)
			if hit := got.headers["x-cache"] == "HIT"; hit != (i > 0) {
				t.Errorf("%s%s from %q, asker %d: %v", host, path, from, i, got.headers)
			}
			for _, credentials := range []bool{false, true} {
				if from != "" && got.answer.Read(from, credentials).Passes != (from == shop) {
					mixed++
				}
			}
		}
		if asked := g.upstream.requests.Load() - before; asked != 1 {
			t.Errorf("%s%s: the upstream was asked %d times", host, path, asked)
		}
		return mixed
	}
	usual := 0
	for first := range askers {
		if n := mixed("fixed.example.com", first); n > 0 {
			t.Errorf("fixed_origin, %q first: %d answers were somebody else's", askers[first], n)
		}
		usual += mixed("usual.example.com", first)
	}
	if usual == 0 {
		t.Error("without fixed_origin nobody got somebody else's answer: this cache takes Vary")
	}
	// Preflights are not cached, and each gets its own answer.
	for _, from := range []string{"https://evil.example", shop} {
		want := map[bool]int{true: 204, false: 403}[from == shop]
		if got := preflightCached(t, cache, "fixed.example.com", from); got.answer.Status != want {
			t.Errorf("a preflight from %s: status %d, want %d", from, got.answer.Status, want)
		}
	}
}

// cached is an answer that came through the cache.
type cached struct {
	answer  browser.Answer
	headers map[string]string
}

func getCached(t *testing.T, c *http.Client, host, path, from string) cached {
	return askCached(t, c, http.MethodGet, host, path, map[string]string{"Origin": from})
}

func preflightCached(t *testing.T, c *http.Client, host, from string) cached {
	return askCached(t, c, http.MethodOptions, host, "/", map[string]string{"Origin": from, "Access-Control-Request-Method": "GET"})
}

func askCached(t *testing.T, c *http.Client, method, host, path string, headers map[string]string) cached {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	got := cached{browser.Answer{Status: response.StatusCode}, map[string]string{}}
	for name, values := range response.Header {
		name = strings.ToLower(name)
		for _, value := range values {
			got.answer.Headers = append(got.answer.Headers, policy.Header{Name: name, Value: value})
		}
		got.headers[name] = strings.Join(values, ", ")
	}
	return got
}
