package admin

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

func compile(t testing.TB, text string) *policyfile.Result {
	t.Helper()
	content := policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: []byte(text)}}, Hash: "abc"}
	return content.Compile()
}

const twoPolicies = `
policies: {shop: {allow_origins: [https://shop.example.com]}, public: {allow_origins: ["*"]}}
virtual_hosts: [{name: "api<b>", domains: [api.example.com], policies: [shop]}]
default: {policies: [public]}
`

// newSource is a handler's source with a good set in force and attempt as its last one.
func newSource(t testing.TB, last policydir.Attempt) Source {
	t.Helper()
	good := compile(t, twoPolicies)
	if good.Set == nil {
		t.Fatal(good.Findings)
	}
	if last.Result == nil && last.Err == nil {
		last.Result = good
	}
	m := NewMetrics(Build{Version: "v1"})
	m.InForce(good.Set, good.Hash)
	return Source{
		Policies:     "policies.yaml",
		Status:       func() Status { return Status{InForce: good, Since: time.Unix(0, 0), Last: last} },
		Reload:       func() policydir.Attempt { return last },
		Ready:        func() bool { return true },
		Metrics:      m,
		Reloads:      NewReloads("policies.yaml"),
		Activity:     NewActivity(m),
		Refusals:     NewRefusals(),
		Connections:  func() (int64, int64) { return 2, 100 },
		LogDecisions: func(string, string, time.Duration) error { return nil },
		Logging:      func() []*corsprocv1.DecisionLog { return nil },
		Hosts:        []string{"corsproc.example"},
		Version:      "v1",
	}
}

func do(h http.Handler, method, target, host string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(r *http.Response) string {
	data, _ := io.ReadAll(r.Body)
	return string(data)
}

func TestPaths(t *testing.T) {
	h := Handler(newSource(t, policydir.Attempt{}))
	for _, c := range []struct {
		method, path string
		status       int
		holds        string
	}{
		{"GET", "/", 200, "page/app.js"},
		{"HEAD", "/", 200, ""},
		{"GET", "/page/style.css", 200, "color-scheme"},
		{"GET", "/page/app.js", 200, "import"},
		{"GET", "/page/icon.svg", 200, "<svg"},
		{"GET", "/page/index.html", 404, "nothing"},
		{"GET", "/page/", 404, "nothing"},
		{"GET", "/page/none.js", 404, "nothing"},
		{"GET", "/page/..%2fpage.go", 404, "nothing"},
		{"POST", "/page/app.js", 405, "takes GET"},
		{"GET", "/metrics", 200, `corsproc_policy_info{hash="abc"} 1`},
		{"GET", "/config", 200, "https://shop.example.com"},
		{"GET", "/-/healthy", 200, "."},
		{"GET", "/-/ready", 200, "."},
		{"POST", "/-/reload", 200, "reloaded"},
		{"GET", "/-/reload", 405, "takes POST"},
		{"POST", "/config", 405, "takes GET"},
		{"GET", "/nothing", 404, "nothing"},
		{"GET", "/debug/pprof/", 404, ""},
	} {
		r := do(h, c.method, c.path, "localhost")
		if r.StatusCode != c.status || !strings.Contains(body(r), c.holds) {
			t.Errorf("%s %s: %s, want %d with %q", c.method, c.path, r.Status, c.status, c.holds)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
			if r.Header.Get(name) != want {
				t.Errorf("%s %s: %s is %q", c.method, c.path, name, r.Header.Get(name))
			}
		}
		if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s %s: Content-Security-Policy is %q", c.method, c.path, csp)
		}
		if allow := r.Header.Get("Allow"); (r.StatusCode == 405) != (allow != "") {
			t.Errorf("%s %s: %s with Allow %q", c.method, c.path, r.Status, allow)
		}
	}
	if r := do(h, "GET", "/metrics", "localhost", "Accept", "application/openmetrics-text"); !strings.HasPrefix(r.Header.Get("Content-Type"), "application/openmetrics-text") {
		t.Errorf("OpenMetrics is not negotiated: %s", r.Header.Get("Content-Type"))
	}
}

func TestNotReady(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	s.Ready = func() bool { return false }
	h := Handler(s)
	if r := do(h, "GET", "/-/ready", "localhost"); r.StatusCode != 503 {
		t.Errorf("ready: %s", r.Status)
	}
	if r := do(h, "GET", "/-/healthy", "localhost"); r.StatusCode != 200 {
		t.Errorf("healthy: %s", r.Status)
	}
}

func TestHosts(t *testing.T) {
	h := Handler(newSource(t, policydir.Attempt{}))
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:9003": 200, "[::1]": 200, "[::1]:9003": 200, "10.1.2.3:1": 200,
		"localhost": 200, "LocalHost:9003": 200, "corsproc.example": 200, "CORSPROC.example:80": 200,
		"evil.example": 403, "evil.example:9003": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "": 403, "x.corsproc.example": 403,
		"[localhost]": 403, "[localhost]:9003": 403,
		// What is not the literal of an address, to the last byte, is a name.
		"[::1].evil.example:9003": 403, "[::1].evil.example": 403, "[::1": 403, "[::1]x": 403, "[::1]:": 403, "[::1]:x": 403,
		"[::1]:9003.evil.example": 403, "[::1]:9003:9003": 403, "[::1]]": 403, "[[::1]]": 403, "::1": 403, "::1:9003": 403, "]": 403, "[]": 403,
		"fe80::1%evil.example": 403, "[fe80::1%evil.example]": 403, "[fe80::1%25eth0]:9003": 403, "[fe80::1%eth0]": 403,
		"[127.0.0.1]": 403, "[127.0.0.1]:9003": 403, "127.0.0.1:": 403, "127.0.0.1:x": 403, "127.0.0.1:-1": 403, "127.0.0.1:+1": 403,
		"127.0.0.1:65536": 403, "127.0.0.1:9003.evil.example": 403, "127.0.0.1:9003:9003": 403, "127.0.0.1.": 403, "127.0.0.1%eth0": 403,
		"127.1": 403, "0x7f.0.0.1": 403, "017700000001": 403, "127.0.0.01": 403, "localhost:x": 403, "localhost:9003.evil.example": 403,
		"localhost:9003:9003": 403, "localhost.": 403, ":9003": 403, "[::ffff:127.0.0.1]:9003": 200, "[2001:db8::1]": 200, "[FE80::1]:1": 200,
	} {
		if r := do(h, "GET", "/config", host); r.StatusCode != want {
			t.Errorf("Host %q: %s, want %d", host, r.Status, want)
		}
	}
	for _, path := range []string{"/metrics", "/-/healthy", "/-/ready"} {
		if r := do(h, "GET", path, "pod-7.example"); r.StatusCode != 200 {
			t.Errorf("%s: %s for a machine", path, r.Status)
		}
	}
	for _, c := range []struct {
		header []string
		status int
	}{{nil, 200}, {[]string{"Origin", "http://pod-7.example:8081"}, 403}, {[]string{"Sec-Fetch-Site", "cross-site"}, 403}} {
		r := httptest.NewRequest("POST", "/grpc.health.v1.Health/Check", strings.NewReader("{}"))
		r.Host = "pod-7.example:9003"
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.status || c.status == 200 && w.Body.String() != `{"status":"SERVING"}` {
			t.Errorf("health, %q: %d %s", c.header, w.Code, w.Body)
		}
	}
	if r := do(h, "GET", "/metrics/../config", "pod-7.example"); r.StatusCode != 403 {
		t.Errorf("a path that only begins as a machine's: %s", r.Status)
	}
}

func TestCrossOriginWrites(t *testing.T) {
	h := Handler(newSource(t, policydir.Attempt{}))
	for _, c := range []struct {
		header []string
		status int
	}{
		{nil, 200}, // curl
		{[]string{"Origin", "http://localhost:9003"}, 200},
		{[]string{"Origin", "http://localhost:9003", "Sec-Fetch-Site", "same-origin"}, 200},
		{[]string{"Origin", "http://localhost:8081"}, 403},
		{[]string{"Origin", "http://evil.example"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Origin", "null", "Sec-Fetch-Site", "same-origin"}, 403},
		{[]string{"Origin", "http://evil.example", "Sec-Fetch-Site", "none"}, 403},
		{[]string{"Origin", "https://localhost:9003"}, 403},
		{[]string{"Origin", "https://localhost:9003", "Sec-Fetch-Site", "same-origin"}, 200}, // TLS ends in front of us
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Sec-Fetch-Site", "same-site"}, 403},
	} {
		if r := do(h, "POST", "/-/reload", "localhost:9003", c.header...); r.StatusCode != c.status {
			t.Errorf("%q: %s, want %d", c.header, r.Status, c.status)
		}
	}
}

// TestCrossSiteReads is about requests that a page of another origin has a browser send without asking first.
func TestCrossSiteReads(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	s.Pprof = true
	h := Handler(s)
	all := []string{
		"/", "/config", "/page/app.js", "/page/style.css", "/nothing", "/-/reload", service + "Status", service + "Nothing",
		"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/symbol", "/debug/pprof/trace?seconds=0.001",
	}
	navigation := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for _, site := range []string{"cross-site", "same-site", "cross-origin"} {
		for _, c := range []struct {
			name   string
			header []string
			opens  bool // the page
		}{
			{"an image", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
			{"fetch", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", "https://evil.example"}, false},
			{"a frame", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false},
			{"no more than that", nil, false},
			{"a link", navigation, true},
		} {
			for _, path := range all {
				want := 403
				if c.opens && path == "/" {
					want = 200
				}
				if r := do(h, "GET", path, "localhost", append([]string{"Sec-Fetch-Site", site}, c.header...)...); r.StatusCode != want {
					t.Errorf("%s, %s, %s: %s, want %d", path, site, c.name, r.Status, want)
				}
				if r := do(h, "HEAD", path, "localhost", append([]string{"Sec-Fetch-Site", site}, c.header...)...); r.StatusCode != 403 {
					t.Errorf("HEAD %s, %s, %s: %s", path, site, c.name, r.Status)
				}
			}
			for _, path := range []string{"/metrics", "/-/ready", "/-/healthy"} {
				if r := do(h, "GET", path, "localhost", append([]string{"Sec-Fetch-Site", site}, c.header...)...); r.StatusCode != 200 {
					t.Errorf("%s, %s, %s: %s", path, site, c.name, r.Status)
				}
			}
		}
	}
	for _, site := range []string{"same-origin", "none"} {
		for _, path := range []string{"/", "/config", "/page/app.js", "/debug/pprof/"} {
			if r := do(h, "GET", path, "localhost", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "no-cors"); r.StatusCode != 200 {
				t.Errorf("%s, %s: %s", path, site, r.Status)
			}
		}
	}
	r := httptest.NewRequest("GET", "/config", nil)
	r.Host = "localhost"
	r.Header["Sec-Fetch-Site"] = []string{"same-origin", "cross-site"}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("two values: %d", w.Code)
	}
}

// TestAnswersAreSafeToShow asks for what would do something to a terminal, were it said again.
func TestAnswersAreSafeToShow(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	s.Pprof = true
	h := Handler(s)
	long := strings.Repeat("x", 10_000)
	for _, r := range []*http.Response{
		do(h, "GET", "/%1b[31m%0a"+long, "localhost"),
		do(h, "PUT", "/page/%1b[31m%0a"+long, "localhost"),
		do(h, "PUT", "/debug/pprof/%1b[31m%0a"+long, "localhost"),
		do(h, "GET", "/debug/pprof/%1b[31m%0a"+long, "localhost"),
		do(h, long, "/config", "localhost"),
		do(h, "GET", "/", "\x1b[31m\n"+long),
	} {
		if text := body(r); r.StatusCode < 400 || len(text) > 1000 || strings.ContainsFunc(strings.TrimSuffix(text, "\n"), func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%s %.200q", r.Status, text)
		}
	}
}

func TestReload(t *testing.T) {
	bad := compile(t, "policies: {p: {allow_origins: [https://A.example]}}\ndefault: {policies: [p]}")
	for _, c := range []struct {
		name       string
		attempt    policydir.Attempt
		accept     string
		status     int
		text, kind string
	}{
		{"unchanged", policydir.Attempt{Unchanged: true}, "", 200, "unchanged\n", "text/plain"},
		{"bad", policydir.Attempt{Result: bad}, "", 400, "policies.yaml:1:32: policies.p.allow_origins[0]:", "text/plain"},
		{"bad as JSON", policydir.Attempt{Result: bad}, "text/html, application/json;q=0.9", 400, `{"findings":[{"severity":"error","code":"origin-not-canonical"`, "application/json"},
		{"good as JSON", policydir.Attempt{}, "application/json", 200, `{"findings":[]}`, "application/json"},
		{"unreadable", policydir.Attempt{Err: errors.New("it is gone")}, "", 400, "it is gone", "text/plain"},
		{"unreadable as JSON", policydir.Attempt{Err: errors.New("it is gone")}, "application/json", 400,
			`{"findings":[{"severity":"error","code":"unreadable","file":"policies.yaml",`, "application/json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := do(Handler(newSource(t, c.attempt)), "POST", "/-/reload", "localhost", "Accept", c.accept)
			if got := body(r); r.StatusCode != c.status || !strings.HasPrefix(got, c.text) || !strings.HasPrefix(r.Header.Get("Content-Type"), c.kind) {
				t.Errorf("%s %s %q", r.Status, r.Header.Get("Content-Type"), got)
			}
		})
	}
}

// TestPageFiles holds that the page is made of nothing that its content security policy forbids, that it loads nothing from
// elsewhere, and that it works below a path of a proxy.
func TestPageFiles(t *testing.T) {
	files, err := fs.Glob(pageFiles, "page/*")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	forbidden := regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|<script>|<style|\s(style|on[a-z]+)=|(src|href|import|from|fetch)[=( ]*["'\x60](/|https?:)`)
	for _, name := range files {
		data, err := fs.ReadFile(pageFiles, name)
		if err != nil {
			t.Fatal(err)
		}
		if found := forbidden.Find(data); found != nil {
			t.Errorf("%s has %q", name, found)
		}
	}
	csp := do(Handler(newSource(t, policydir.Attempt{})), "GET", "/", "localhost").Header.Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'"} {
		if !slices.Contains(strings.Split(csp, "; "), directive) {
			t.Errorf("the page's content security policy lacks %s: %s", directive, csp)
		}
	}
}

func TestPprof(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	s.Pprof = true
	if r := do(Handler(s), "GET", "/debug/pprof/", "localhost"); r.StatusCode != 200 || !strings.Contains(body(r), "goroutine") {
		t.Errorf("the index: %s", r.Status)
	}
	if page := body(do(Handler(s), "GET", "/", "localhost")); !strings.Contains(page, `href="debug/pprof/"`) {
		t.Errorf("the page has no link to the index:\n%s", page)
	}
	if r := do(Handler(s), "GET", "/debug/pprof/", "evil.example"); r.StatusCode != 403 {
		t.Errorf("the index for another name: %s", r.Status)
	}
}
