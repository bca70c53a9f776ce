package admin

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/corsproc/corsproc/policy/policyfile"
)

const somePolicies = `policies:
  shop: {allow_origins: [https://shop.example.com]}
  desk: {allow_origins: [https://desk.example.com]}
virtual_hosts:
  - {name: api, domains: [api.example.com], policies: [shop, desk]}
`

// compiled returns what becomes of a policy file.
func compiled(t *testing.T, policies string) *policyfile.Result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policies.yaml")
	if err := os.WriteFile(path, []byte(policies), 0o600); err != nil {
		t.Fatal(err)
	}
	content, err := policyfile.Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return content.Compile()
}

// good returns the result of a file without errors.
func good(t *testing.T, policies string) *policyfile.Result {
	t.Helper()
	r := compiled(t, policies)
	if r.Set == nil {
		t.Fatal(r.Findings)
	}
	return r
}

func testSource(t *testing.T) Source {
	r := good(t, somePolicies)
	m := NewMetrics(Build{Version: "v1"})
	m.InForce(r.Set, r.Hash)
	a := policyfile.Attempt{Time: time.Now(), Result: r}
	return Source{
		Status:  func() Status { return Status{InForce: r, Since: a.Time, Last: a} },
		Reload:  func() policyfile.Attempt { return a },
		Ready:   func() bool { return true },
		Metrics: m,
		Version: "v1",
	}
}

// call sends a request; headers are names and values.
func call(s Source, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	Handler(s).ServeHTTP(w, r)
	return w
}

func TestPaths(t *testing.T) {
	s := testSource(t)
	notReady := s
	notReady.Ready = func() bool { return false }
	withPprof := s
	withPprof.Pprof = true
	for _, test := range []struct {
		source       Source
		method, path string
		status       int
		contentType  string
		body         string // a part of it
		allow        string
	}{
		{source: s, method: "GET", path: "/", status: 200, contentType: "text/html; charset=utf-8", body: "<title>corsproc: ready</title>"},
		{source: notReady, method: "GET", path: "/", status: 200, contentType: "text/html; charset=utf-8", body: "<title>corsproc: not ready</title>"},
		{source: s, method: "HEAD", path: "/", status: 200, contentType: "text/html; charset=utf-8"},
		{source: s, method: "GET", path: "/style.css", status: 200, contentType: "text/css; charset=utf-8", body: "color-scheme"},
		{source: s, method: "GET", path: "/config", status: 200, contentType: "application/yaml; charset=utf-8", body: "https://shop.example.com"},
		{source: s, method: "GET", path: "/-/healthy", status: 200, contentType: "text/plain; charset=utf-8", body: "corsproc is running.\n"},
		{source: s, method: "GET", path: "/-/ready", status: 200, contentType: "text/plain; charset=utf-8", body: "corsproc is ready.\n"},
		{source: notReady, method: "GET", path: "/-/ready", status: 503, contentType: "text/plain; charset=utf-8", body: "not ready"},
		{source: notReady, method: "GET", path: "/-/healthy", status: 200, contentType: "text/plain; charset=utf-8", body: "corsproc is running.\n"},
		{source: s, method: "POST", path: "/-/reload", status: 200, contentType: "text/plain; charset=utf-8", body: "reloaded\n"},
		{source: s, method: "GET", path: "/-/reload", status: 405, contentType: "text/plain; charset=utf-8", body: "/-/reload takes POST, not GET.", allow: "POST"},
		{source: s, method: "POST", path: "/metrics", status: 405, contentType: "text/plain; charset=utf-8", body: "takes GET, HEAD, not POST", allow: "GET, HEAD"},
		{source: s, method: "GET", path: "/nothing", status: 404, contentType: "text/plain; charset=utf-8", body: `There is nothing at "/nothing".`},
		{source: s, method: "GET", path: "/debug/pprof/", status: 404, contentType: "text/plain; charset=utf-8"},
		{source: withPprof, method: "GET", path: "/debug/pprof/", status: 200, contentType: "text/html; charset=utf-8", body: "goroutine"},
		{source: withPprof, method: "GET", path: "/debug/pprof/heap", status: 200, contentType: "application/octet-stream"},
	} {
		w := call(test.source, test.method, test.path)
		if w.Code != test.status || w.Header().Get("Content-Type") != test.contentType ||
			!strings.Contains(w.Body.String(), test.body) || w.Header().Get("Allow") != test.allow {
			t.Errorf("%s %s: %d, %v, %q", test.method, test.path, w.Code, w.Header(), w.Body)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: %s is %q", test.method, test.path, name, got)
			}
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s %s: Content-Security-Policy is %q", test.method, test.path, csp)
		}
	}
}

func TestMetricsFormats(t *testing.T) {
	s := testSource(t)
	for accept, want := range map[string]string{
		"":                             "text/plain",
		"text/plain":                   "text/plain",
		"application/openmetrics-text": "application/openmetrics-text",
		"application/openmetrics-text;version=1.0.0,text/plain;q=0.5": "application/openmetrics-text",
	} {
		w := call(s, "GET", "/metrics", "Accept", accept)
		if got := w.Header().Get("Content-Type"); w.Code != 200 || !strings.HasPrefix(got, want) {
			t.Errorf("Accept %q: %d, %q, want %q", accept, w.Code, got, want)
		}
		if ends := strings.HasSuffix(w.Body.String(), "# EOF\n"); ends != strings.Contains(want, "openmetrics") {
			t.Errorf("Accept %q: the body ends with # EOF: %v", accept, ends)
		}
	}
}

func TestReload(t *testing.T) {
	fine := good(t, somePolicies)
	bad := compiled(t, "policies: {shop: {allow_origins: ['https://Shop.example.com/']}}")
	for _, test := range []struct {
		name     string
		attempt  policyfile.Attempt
		status   int
		text     string // a part of the answer as text
		findings int
		code     string // of the first finding
	}{
		{"good", policyfile.Attempt{Result: fine}, 200, "reloaded\n", 0, ""},
		{"unchanged", policyfile.Attempt{Result: fine, Unchanged: true}, 200, "unchanged\n", 0, ""},
		{"bad", policyfile.Attempt{Result: bad}, 400, "policies.yaml:1:35: ", 1, "origin-not-canonical"},
		{"bad and unchanged", policyfile.Attempt{Result: bad, Unchanged: true}, 400, "policies.yaml:1:35: ", 1, "origin-not-canonical"},
		{"unreadable", policyfile.Attempt{Err: errors.New("policies.yaml does not exist")}, 400, "policies.yaml does not exist\n", 1, "unreadable"},
	} {
		s := testSource(t)
		s.Reload = func() policyfile.Attempt { return test.attempt }
		if w := call(s, "POST", "/-/reload"); w.Code != test.status || !strings.Contains(w.Body.String(), test.text) {
			t.Errorf("%s: %d %q", test.name, w.Code, w.Body)
		}
		w := call(s, "POST", "/-/reload", "Accept", "text/html;q=0.5, application/json")
		var got struct {
			Findings []struct{ Code string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Errorf("%s: %q: %v", test.name, w.Body, err)
			continue
		}
		if w.Code != test.status || w.Header().Get("Content-Type") != "application/json" || len(got.Findings) != test.findings {
			t.Errorf("%s as JSON: %d %v %q", test.name, w.Code, w.Header(), w.Body)
			continue
		}
		if test.findings > 0 && got.Findings[0].Code != test.code {
			t.Errorf("%s as JSON: code %q, want %q", test.name, got.Findings[0].Code, test.code)
		}
	}
}

// What the page shows comes from policy files, and none of it may become markup; the page may need nothing that its own
// content security policy forbids.
func TestPage(t *testing.T) {
	s := testSource(t)
	status := s.Status()
	bad := compiled(t, "policies: {shop: {allow_origins: ['https://<script>alert(1)</script>']}}")
	status.Last = policyfile.Attempt{Time: time.Now(), Result: bad}
	s.Status = func() Status { return status }
	body := call(s, "GET", "/").Body.String()
	for _, want := range []string{
		"The policy files cannot be used", "policies.yaml:1:35", "&lt;script&gt;", "<code>api</code>", "<code>default</code>",
		"<code>shop</code>", "<code>desk</code>", status.InForce.Hash, `href="/config"`, `href="/metrics"`, `href="/-/ready"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	if found := regexp.MustCompile(`<script|<style|\s(style|on[a-z]+)=|https?://[^<]*"`).FindString(body); found != "" {
		t.Errorf("the page has %q:\n%s", found, body)
	}
}
