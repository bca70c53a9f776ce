package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHost(t *testing.T) {
	h := secured([]string{"corsproc.internal"}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, test := range []struct {
		host, path string
		want       int
	}{
		{"127.0.0.1:9003", "/", 200},
		{"10.1.2.3", "/", 200},
		{"[::1]:9003", "/", 200},
		{"[::1]", "/", 200},
		{"localhost:9003", "/", 200},
		{"LocalHost", "/", 200},
		{"corsproc.internal:9003", "/", 200},
		{"CORSPROC.internal", "/-/reload", 200},
		{"", "/", 403},
		{"evil.example", "/", 403},
		{"evil.example:9003", "/config", 403},
		{"localhost.evil.example", "/", 403},
		{"evil.example", "/-/reload", 403},
		{"127.0.0.1.evil.example", "/", 403},
		{"x.corsproc.internal", "/", 403},
		{"[localhost]", "/", 403},
		{"corsproc.monitoring.svc", "/metrics", 200},
		{"corsproc.monitoring.svc", "/-/healthy", 200},
		{"corsproc.monitoring.svc", "/-/ready", 200},
		{"corsproc.monitoring.svc", "/metrics/../config", 403},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.URL.Path = test.host, test.path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("Host %q, %s: %d, want %d", test.host, test.path, w.Code, test.want)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	h := secured(nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, test := range []struct {
		method, origin, site string
		want                 int
	}{
		{"POST", "", "", 200}, // curl
		{"POST", "http://localhost:9003", "same-origin", 200},
		{"POST", "http://localhost:9003", "", 200},
		{"POST", "", "none", 200},
		{"POST", "null", "", 403},
		{"POST", "null", "cross-site", 403},
		{"POST", "http://localhost:8080", "", 403},
		{"POST", "http://localhost:8080", "same-site", 403},
		{"POST", "http://localhost", "", 403},
		{"POST", "https://evil.example", "", 403},
		{"POST", "", "cross-site", 403},
		{"POST", "http://127.0.0.1:9003", "", 403},
		{"PUT", "https://evil.example", "", 403},
		{"DELETE", "null", "", 403},
		{"GET", "https://evil.example", "cross-site", 200},
	} {
		r := httptest.NewRequest(test.method, "/-/reload", nil)
		r.Host = "localhost:9003"
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		if test.site != "" {
			r.Header.Set("Sec-Fetch-Site", test.site)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s with Origin %q, Sec-Fetch-Site %q: %d, want %d", test.method, test.origin, test.site, w.Code, test.want)
		}
	}
}
