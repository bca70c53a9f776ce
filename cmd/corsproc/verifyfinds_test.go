package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestVerifyFinds asks gateways that are wrong in known ways: each is found, and named.
func TestVerifyFinds(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", verifyPolicies)
	set := setOf(t, verifyPolicies)
	older := setOf(t, strings.ReplaceAll(verifyPolicies, "[PUT, DELETE]", "[PUT]"))
	hasty := setOf(t, strings.ReplaceAll(verifyPolicies, "max_age: 2h", "max_age: 1h"))
	grantless := setOf(t, strings.ReplaceAll(verifyPolicies, "https://partner.example", "https://partner2.example"))
	isPreflight := func(r *http.Request) bool { return r.Method == "OPTIONS" }
	reflect := func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
		}
	}
	replace := func(name, value string) func(w http.ResponseWriter, r *http.Request, status int) int {
		return func(w http.ResponseWriter, r *http.Request, status int) int {
			if w.Header().Get(name) != "" {
				w.Header().Set(name, value)
			}
			return status
		}
	}
	remove := func(name string) func(w http.ResponseWriter, r *http.Request, status int) int {
		return func(w http.ResponseWriter, r *http.Request, status int) int {
			w.Header().Del(name)
			return status
		}
	}
	answer := func(status int, lines ...string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			for _, line := range lines {
				name, value, _ := strings.Cut(line, ": ")
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			return true
		}
	}
	preflights := func(status int, lines ...string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			return isPreflight(r) && answer(status, lines...)(w, r)
		}
	}
	letIn := func(origins func(origin string) bool) func(w http.ResponseWriter, r *http.Request, status int) int {
		return func(w http.ResponseWriter, r *http.Request, status int) int {
			if origin := r.Header.Get("Origin"); origins(origin) {
				w.Header().Set("Access-Control-Allow-Origin", origin)
			}
			return status
		}
	}
	turns := func(gateways ...http.Handler) http.Handler {
		var n atomic.Int64
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			gateways[int(n.Add(1))%len(gateways)].ServeHTTP(w, r)
		})
	}
	for _, c := range []struct {
		name    string
		gateway http.Handler
		args    string
		codes   string // as codes returns them
	}{
		{"not attached", &testGateway{}, "", "[not-attached][max-age][missing-header][missing-vary][other-status][keeps_out]"},
		{"not attached, the upstream reflects", &testGateway{upstream: reflect}, "",
			"[not-attached][upstream-headers-pass][extra-header][max-age][missing-header][missing-vary][other-status][other-value][keeps_out][lets_in]"},
		{"down and failing open: preflights fail", &testGateway{upstream: reflect, before: preflights(503)}, "", "[not-attached][upstream-headers-pass][max-age][missing-header][missing-vary][other-status][keeps_out][lets_in]"},
		{"preflights behind authentication", &testGateway{set: set, before: preflights(401, "WWW-Authenticate: Basic")}, "", "[behind-authentication][max-age][missing-header][missing-vary][other-status][keeps_out]"},
		{"preflights behind a proxy's authentication", &testGateway{set: set, before: preflights(407)}, "", "[behind-authentication][max-age][missing-header][missing-vary][other-status][keeps_out]"},
		{"preflights behind a firewall", &testGateway{set: set, before: preflights(403)}, "", "[behind-authentication][max-age][missing-header][missing-vary][other-status][keeps_out]"},
		{"everything behind authentication", &testGateway{before: answer(401)}, "", "[behind-authentication][not-attached][max-age][missing-header][missing-vary][other-status][keeps_out]"},
		{"another layer adds headers", &testGateway{set: set, wrong: func(w http.ResponseWriter, r *http.Request, status int) int {
			w.Header().Add("Access-Control-Allow-Origin", "*")
			return status
		}}, "", "[another-cors-layer][extra-header][header-twice][keeps_out][lets_in]"},
		{"another layer answers some preflights", &testGateway{set: set, before: func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasPrefix(r.RequestURI, "/public/") && preflights(200, "Access-Control-Allow-Origin: *", "Access-Control-Allow-Methods: *")(w, r)
		}}, "", "[another-cors-layer][extra-header][other-status][lets_in]"},
		{"an upstream's grants behind ours", &testGateway{set: set, wrong: func(w http.ResponseWriter, r *http.Request, status int) int {
			if !isPreflight(r) {
				reflect(w, r)
			}
			return status
		}}, "", "[another-cors-layer][lets_in]"},
		{"an older set: a method", &testGateway{set: older}, "", "[other-policies][other-value][keeps_out]"},
		{"an older set: an origin", &testGateway{set: grantless}, "", "[other-policies][missing-header][other-status][keeps_out]"},
		{"Vary is stripped", &testGateway{set: set, wrong: remove("Vary")}, "", "[vary-stripped][missing-vary]"},
		{"Vary is stripped of requests", &testGateway{set: set, wrong: func(w http.ResponseWriter, r *http.Request, status int) int {
			if !isPreflight(r) {
				w.Header().Del("Vary")
			}
			return status
		}}, "", "[vary-stripped][missing-vary]"},
		{"Vary is missing without Origin", &testGateway{set: set, wrong: func(w http.ResponseWriter, r *http.Request, status int) int {
			if r.Header.Get("Origin") == "" {
				w.Header().Del("Vary")
			}
			return status
		}}, "", "[missing-vary]"},
		{"any origin is reflected", &testGateway{set: set, wrong: letIn(func(string) bool { return true })}, "", "[another-cors-layer][extra-header][other-value][lets_in]"},
		{"a look-alike is let in: suffix", &testGateway{set: set, wrong: letIn(func(s string) bool { return strings.HasSuffix(s, "shop.example.com") })}, "", "[another-cors-layer][extra-header][lets_in]"},
		{"a look-alike is let in: prefix", &testGateway{set: set, wrong: letIn(func(s string) bool { return strings.HasPrefix(s, "https://shop.example.com") })}, "", "[another-cors-layer][extra-header][lets_in]"},
		{"a look-alike is let in: an unescaped dot", &testGateway{set: set, wrong: letIn(func(s string) bool { return strings.HasSuffix(s, "xexample.com") })}, "", "[another-cors-layer][extra-header][lets_in]"},
		{"another scheme is let in", &testGateway{set: set, wrong: letIn(func(s string) bool { return s == "http://shop.example.com" })}, "", "[another-cors-layer][extra-header][lets_in]"},
		{"another port is let in", &testGateway{set: set, wrong: letIn(func(s string) bool { return strings.HasPrefix(s, "https://shop.example.com:") })}, "", "[another-cors-layer][extra-header][lets_in]"},
		{"null is granted", &testGateway{set: set, wrong: letIn(func(s string) bool { return s == "null" })}, "", "[another-cors-layer][extra-header][other-value][lets_in]"},
		{"a malformed origin is echoed", &testGateway{set: set, wrong: letIn(func(s string) bool { return strings.HasSuffix(s, "/") })}, "", "[another-cors-layer][extra-header][other-value][lets_in]"},
		{"credentials are missing", &testGateway{set: set, wrong: remove("Access-Control-Allow-Credentials")}, "", "[other-policies][missing-header][keeps_out]"},
		{"credentials are added", &testGateway{set: set, wrong: func(w http.ResponseWriter, r *http.Request, status int) int {
			if w.Header().Get("Access-Control-Allow-Origin") != "" {
				w.Header().Set("Access-Control-Allow-Credentials", "true")
			}
			return status
		}}, "", "[other-policies][extra-header][lets_in]"},
		{"the list of methods lacks one", &testGateway{set: set, wrong: replace("Access-Control-Allow-Methods", "PUT")}, "", "[other-policies][other-value][keeps_out]"},
		{"the list of headers lacks one", &testGateway{set: set, wrong: replace("Access-Control-Allow-Headers", "Content-Type")}, "", "[other-policies][other-value][keeps_out]"},
		{"nothing is exposed", &testGateway{set: set, wrong: remove("Access-Control-Expose-Headers")}, "", "[other-policies][missing-header][keeps_out]"},
		{"more is exposed", &testGateway{set: set, wrong: replace("Access-Control-Expose-Headers", "X-Request-Id, X-Secret")}, "", "[other-policies][other-value][lets_in]"},
		{"another max-age", &testGateway{set: set, wrong: replace("Access-Control-Max-Age", "5")}, "", "[other-policies][max-age]"},
		{"no max-age", &testGateway{set: set, wrong: remove("Access-Control-Max-Age")}, "", "[other-policies][max-age]"},
		{"the timing header is the upstream's", &testGateway{set: set, wrong: replace("Timing-Allow-Origin", "*")}, "", "[other-value]"},
		{"a timing header on preflights", &testGateway{set: set, wrong: func(w http.ResponseWriter, r *http.Request, status int) int {
			w.Header().Set("Timing-Allow-Origin", "https://shop.example.com")
			return status
		}}, "", "[another-cors-layer][extra-header]"},
		{"the star where the origin belongs", &testGateway{set: set, wrong: replace("Access-Control-Allow-Origin", "*")}, "", "[other-policies][other-value][keeps_out]"},
		{"preflights are answered with 200", &testGateway{set: set, wrong: func(w http.ResponseWriter, r *http.Request, status int) int {
			if status == 204 {
				status = 200
			}
			return status
		}}, "", "[other-policies][other-status]"},
		{"what is to be rejected goes through", &testGateway{set: set, wrong: func(w http.ResponseWriter, r *http.Request, status int) int {
			if status == 403 && !isPreflight(r) {
				w.Header().Del("Cache-Control")
				status = 200
			}
			return status
		}}, "", "[missing-header][other-status]"},
		{"redirected", &testGateway{before: answer(308, "Location: https://api.test/")}, "", "[redirected][max-age][missing-header][missing-vary][other-status][keeps_out]"},
		{"rate-limited", &testGateway{before: answer(429)}, "", "[rate-limited][max-age][missing-header][missing-vary][other-status][keeps_out]"},
		{"one replica of two has an older set", turns(&testGateway{set: set}, &testGateway{set: hasty}), "--repeat 8", "[other-policies][replicas-disagree][max-age]"},
		{"one replica of two is not attached", turns(&testGateway{set: set}, &testGateway{}), "--repeat 8", "[replicas-disagree][max-age][missing-header][missing-vary][other-status][keeps_out]"},
		{"the wrong grants for preflights only", &testGateway{set: older}, "--preflights-only", "[other-policies][other-value][keeps_out]"},
		{"a wrong upstream for HEAD", &testGateway{set: set, wrong: func(w http.ResponseWriter, r *http.Request, status int) int {
			if r.Method == "HEAD" {
				w.Header().Del("Vary")
			}
			return status
		}}, "--method HEAD", "[vary-stripped][missing-vary]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, status, stderr := verifyIn(t, serveGateway(t, c.gateway), append(strings.Fields(c.args), "http://api.test")...)
			if got := v.codes(); status != exitFailure || v.Agrees || stderr != "" || got != c.codes {
				t.Errorf("status %d, %s, %s", status, got, stderr)
				for _, d := range v.Diagnoses {
					t.Log(d)
				}
			}
		})
	}
}
