//go:build unix

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/server/tlstest"
)

// serveTLS has the listener speak TLS with a certificate for a name, and HTTP/2 or HTTP/1.1 as a client wants.
func serveTLS(t *testing.T, c *bootstrap.Config, pair tlstest.Pair) {
	t.Helper()
	inline := func(data []byte) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: data}}
	}
	c.Listener.GetFilterChains()[0].TransportSocket = &corev3.TransportSocket{
		Name: "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(t, &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
			AlpnProtocols:   []string{"h2", "http/1.1"},
			TlsCertificates: []*tlsv3.TlsCertificate{{CertificateChain: inline(pair.Cert), PrivateKey: inline(pair.Key)}},
		}})},
	}
}

// TestModuleTLS: of what comes over TLS the module knows that it is https, over either protocol. That shows where the Origin is the
// gateway's own: with https it is the same origin, with http another.
func TestModuleTLS(t *testing.T) {
	const host, page = "api.example.com", "https://shop.example.com"
	ca := tlstest.NewCA(t, "ca")
	g := start(t, setup{config: moduleRecipe, policies: shopPolicies, edit: func(c *bootstrap.Config) {
		serveTLS(t, c, ca.Issue(tlstest.Leaf{Names: []string{host}}))
	}})
	ask := func(client *http.Client, method, path, origin, wanted string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+host+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		if wanted != "" {
			r.Header.Set("Access-Control-Request-Method", wanted)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response
	}
	cases := []struct {
		name, method, origin, wanted string
		status                       int
		granted, reason              string
	}{
		{"actual", "GET", page, "", 200, page, "allowed"},
		{"preflight", "OPTIONS", page, "POST", 204, page, "allowed"},
		{"refused-preflight", "OPTIONS", "https://evil.example", "POST", 403, "", "origin_not_allowed"},
		{"refused", "GET", "https://evil.example", "", 200, "", "origin_not_allowed"},
		{"same-origin", "GET", "https://" + host, "", 200, "", "same_origin"},
		{"own-host-by-http", "GET", "http://" + host, "", 200, "", "origin_not_allowed"},
	}
	want := map[string]string{}
	for proto, protocols := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2.0": func(p *http.Protocols) { p.SetHTTP2(true) },
	} {
		transport := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, Protocols: new(http.Protocols),
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", g.address)
			},
		}
		protocols(transport.Protocols)
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: patience}
		for _, c := range cases {
			path := "/" + proto + "/" + c.name
			a := ask(client, c.method, path, c.origin, c.wanted)
			if granted := a.Header.Get("Access-Control-Allow-Origin"); a.StatusCode != c.status || a.Proto != proto || granted != c.granted {
				t.Errorf("%s: %s %d, granted %q", path, a.Proto, a.StatusCode, granted)
			}
			want[path] = c.reason
		}
	}
	g.stopEnvoy()
	for line := range strings.Lines(g.log.String()) {
		var entry struct {
			Path   string
			Reason string `json:"cors_reason"`
		}
		if json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		if reason, sent := want[entry.Path]; !sent || entry.Reason != reason {
			t.Errorf("%s: reason %s, want %s", entry.Path, entry.Reason, reason)
		}
		delete(want, entry.Path)
	}
	if len(want) > 0 {
		t.Errorf("not in the access log: %v", want)
	}
}
