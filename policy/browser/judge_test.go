package browser

import (
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
)

// TestJudgeAnswers judges the answers of the table, which a real Chromium has judged, too: the same comes of them.
func TestJudgeAnswers(t *testing.T) {
	const origin = "http://shop.localhost:8080"
	reasons := map[string]string{
		"": "allowed", "origin missing": "origin_not_allowed", "origin differs": "origin_not_allowed", "origin wildcard": "credentials_not_allowed",
		"credentials not on": "credentials_not_allowed", "status not ok": "preflight_unanswered", "methods unreadable": "method_malformed",
		"headers unreadable": "header_malformed", "method missing": "method_not_allowed", "header missing": "header_not_allowed",
	}
	for _, c := range readAnswers(t) {
		f := c.fetch(t, origin, "http://api.localhost:8081/")
		var v View
		if c.Status != 0 {
			a := Answer{c.Status, headers(c.Preflight, origin)}
			v = a.Permit(origin, f.method, unsafeNames(f.headers), f.include())
		}
		if c.Status == 0 || v.Passes {
			a := Answer{200, headers(c.Answer, origin)}
			v = a.Read(origin, f.include())
		}
		if v.Passes != (c.Failure == "") || v.Reason != reasons[c.Failure] {
			t.Errorf("%s: %+v, want %q", c.Name, v, c.Failure)
		}
	}
	a := Answer{200, []policy.Header{{Name: "access-control-allow-origin", Value: "*"}, {Name: "access-control-expose-headers", Value: "X-A"}, {Name: "access-control-expose-headers", Value: " x-b "}}}
	if v := a.Read(origin, false); strings.Join(v.Exposed.Names, " ") != "X-A x-b" {
		t.Errorf("%+v", v.Exposed)
	}
	if value, ok := a.Get("access-control-expose-headers"); value != "X-A, x-b" || !ok {
		t.Errorf("%q %v", value, ok)
	}
}

func TestTarget(t *testing.T) {
	for _, c := range []struct{ url, want, fault string }{
		{"https://API.example.com:443/a/../b?x#y", "https api.example.com /b?x", ""},
		{"http://[::1]:8080", "http [::1]:8080 /", ""},
		{"api.example.com", "", "absolute"},
		{"https://user:secret@h.example/", "", "user name"},
		{"https://user:se/cret@h.example/", "", "user name"},
	} {
		target, err := ParseTarget(c.url)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "cret") {
				t.Errorf("%s: %v", c.url, err)
			}
			continue
		}
		if got := target.Scheme + " " + target.Authority() + " " + target.Path; err != nil || got != c.want {
			t.Errorf("%s: %s %v", c.url, got, err)
		}
	}
	target, _ := ParseTarget("https://h.example")
	for origin, want := range map[string]bool{
		"https://h.example": true, "http://h.example": true, "http://h.example:443": true, "https://h.example:8443": false,
		"https://x.h.example": false, "app://h.example": false, "null": false, "": false,
	} {
		if target.IsOwn(origin) != want {
			t.Errorf("%q: %v", origin, !want)
		}
	}
}
