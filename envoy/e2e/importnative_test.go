//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// native asks Envoy as a browser does.
type native struct {
	t       *testing.T
	address string
	answers map[string]*nativeAnswer
}

type nativeAnswer struct {
	status int
	header http.Header
}

var nativeClient = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 4, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       patience,
}

// do sends one request, once.
func (n *native) do(method, host, path string, headers ...string) *nativeAnswer {
	key := method + " " + host + path + " " + strings.Join(headers, "\n")
	if a := n.answers[key]; a != nil {
		return a
	}
	request, err := http.NewRequestWithContext(n.t.Context(), method, "http://"+n.address+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	request.Host = host
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	response, err := nativeClient.Do(request)
	if err != nil {
		n.t.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	a := &nativeAnswer{response.StatusCode, response.Header}
	n.answers[key] = a
	return a
}

func (n *native) virtualHost(host, path string) string {
	return n.do("GET", host, path).header.Get("X-Virtual-Host")
}

// fetch does what Fetch says (4.8, HTTP-network-or-cache fetch, CORS-preflight fetch), as plainly as can be.
func (n *native) fetch(origin, host, path, method string, headers []string, include bool) (m may) {
	at := []string{"Origin: " + origin}
	if method != "GET" && method != "POST" || len(headers) > 0 {
		ask := append(at, "Access-Control-Request-Method: "+method)
		if len(headers) > 0 {
			ask = append(ask, "Access-Control-Request-Headers: "+strings.Join(headers, ","))
		}
		a := n.do("OPTIONS", host, path, ask...)
		methods, ok := a.list("Access-Control-Allow-Methods")
		names, ok2 := a.list("Access-Control-Allow-Headers")
		if a.status > 299 || !a.passes(origin, include) || !ok || !ok2 {
			return may{}
		}
		star := func(list []string) bool { return !include && slices.Contains(list, "*") }
		if method != "GET" && method != "POST" && !slices.Contains(methods, method) && !star(methods) {
			return may{}
		}
		for _, name := range headers {
			has := slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, name) })
			if !has && !(star(names) && name != "authorization") {
				return may{}
			}
		}
		if s := strings.TrimSpace(a.header.Get("Access-Control-Max-Age")); s != "" && strings.Trim(s, "0123456789") == "" {
			m.maxAge = fmt.Sprint(age(s))
		}
	}
	for _, name := range headers {
		at = append(at, name+": "+headerValue(name))
	}
	a := n.do(method, host, path, at...)
	m.stopped = a.status == 403
	if m.allowed = a.passes(origin, include); !m.allowed {
		return may{stopped: m.stopped}
	}
	exposed, _ := a.list("Access-Control-Expose-Headers")
	for _, name := range exposed {
		if name == "*" && !include {
			m.exposed = []string{"*"}
			return m
		}
		m.exposed = append(m.exposed, strings.ToLower(name))
	}
	slices.Sort(m.exposed)
	m.exposed = slices.Compact(m.exposed)
	return m
}

// list reads a list of tokens.
func (a *nativeAnswer) list(name string) (list []string, ok bool) {
	for s := range strings.SplitSeq(strings.Join(a.header.Values(name), ","), ",") {
		if s = strings.Trim(s, " \t"); s == "" {
			continue
		}
		if strings.ContainsAny(s, " \t;:") {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

// passes is the CORS check (Fetch, 4.9).
func (a *nativeAnswer) passes(origin string, include bool) bool {
	allowed := a.header.Values("Access-Control-Allow-Origin")
	switch {
	case len(allowed) != 1 || allowed[0] != origin && (allowed[0] != "*" || include):
		return false
	}
	return !include || a.header.Get("Access-Control-Allow-Credentials") == "true"
}

// silent is an upstream that knows nothing of CORS.
func silent(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// startNative starts an Envoy with a listener for each connection manager of each fixture, and an upstream.
func startNative(t *testing.T, all []*imported, answer http.HandlerFunc) *launch.Envoy {
	t.Helper()
	envoy, err := launch.FindEnvoy(root)
	need(t, err)
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: answer}
	go server.Serve(upstream)
	t.Cleanup(func() { server.Close() })

	address := func(port int) map[string]any {
		return map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": port}}
	}
	var listeners []any
	for _, f := range all {
		for i, m := range f.managers {
			listeners = append(listeners, map[string]any{"name": fmt.Sprintf("%s#%d", f.name, i), "address": address(0),
				"filter_chains": []any{map[string]any{"filters": []any{map[string]any{"name": "envoy.filters.network.http_connection_manager", "typed_config": m}}}}})
		}
	}
	config := map[string]any{
		"admin":           map[string]any{"address": address(0)},
		"layered_runtime": map[string]any{"layers": []any{map[string]any{"name": "all", "static_layer": map[string]any{"envoy.features.enable_all_deprecated_features": true}}}},
		"static_resources": map[string]any{"listeners": listeners, "clusters": []any{map[string]any{"name": "up", "type": "STATIC", "load_assignment": map[string]any{
			"cluster_name": "up", "endpoints": []any{map[string]any{"lb_endpoints": []any{map[string]any{"endpoint": map[string]any{"address": address(upstream.Addr().(*net.TCPAddr).Port)}}}}}}}}},
	}
	data, err := json.MarshalIndent(config, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "envoy.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	log := &syncBuffer{}
	e, err := launch.StartEnvoy(ctx, envoy, path, "error", log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	t.Cleanup(e.Kill)
	return e
}
