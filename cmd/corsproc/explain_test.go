package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/browser"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

const explainPolicies = `policies:
  shop:
    allow_origins: [https://shop.example.com]
    allow_methods: [PUT]
    allow_headers: [Content-Type]
    expose_headers: [X-Request-Id]
    allow_credentials: true
    max_age: 2h
  public:
    allow_origins: ["*"]
virtual_hosts:
  - name: api
    domains: [api.example.com]
    policies: [shop]
    routes:
      - {prefix: /public/, policies: [public]}
      - {route_name: internal, policies: [none]}
      - {prefix: /live, reject: WEBSOCKETS}
`

// explain runs explain in the test's folder, for a page of the shop unless args say otherwise.
func explain(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	if !slices.Contains(args, "--origin") {
		args = append(args, "--origin", "https://shop.example.com")
	}
	return runIn(t, "", append([]string{"explain", "--policies", "policies.yaml"}, args...)...)
}

// TestExplain holds the exit statuses, the verdicts and the reasons.
func TestExplain(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", explainPolicies)
	for _, c := range []struct {
		args            []string
		status          int
		verdict, reason string
	}{
		{[]string{"https://api.example.com/"}, 0, "allowed", "allowed"},
		{[]string{"-X", "PUT", "-H", "Content-Type: application/json", "--credentials", "include", "https://api.example.com/"}, 0, "allowed", "allowed"},
		{[]string{"--method", "DELETE", "https://api.example.com/"}, 1, "refused", "method_not_allowed"},
		{[]string{"--header", "X-Custom: 1", "https://api.example.com/"}, 1, "refused", "header_not_allowed"},
		{[]string{"--header", "X-Custom:", "--header", "X-Other: a: b", "https://api.example.com/"}, 1, "refused", "header_not_allowed"},
		{[]string{"--origin", "https://evil.example", "https://api.example.com/"}, 1, "refused", "origin_not_allowed"},
		{[]string{"--origin", "null", "https://api.example.com/public/"}, 0, "allowed", "allowed"},
		{[]string{"--credentials", "include", "https://api.example.com/public/"}, 1, "refused", "credentials_not_allowed"},
		{[]string{"--credentials", "omit", "https://api.example.com/public/"}, 0, "allowed", "allowed"},
		{[]string{"https://other.example.com/"}, 3, "none", "passthrough"},
		{[]string{"-X", "PUT", "https://other.example.com/"}, 3, "none", "passthrough"},
		{[]string{"--virtual-host", "api", "https://other.example.com/"}, 0, "allowed", "allowed"},
		{[]string{"--route", "internal", "https://api.example.com/"}, 1, "refused", "origin_not_allowed"},
		{[]string{"--origin", "https://api.example.com", "https://api.example.com/"}, 0, "none", "not_cors"},
		{[]string{"--origin", "https://api.example.com", "-X", "PUT", "https://api.example.com/"}, 0, "none", "same_origin"},
		{[]string{"--websocket", "wss://api.example.com/live"}, 0, "allowed", "allowed"},
		{[]string{"--websocket", "--origin", "https://evil.example", "wss://api.example.com/live"}, 1, "rejected", "origin_not_allowed"},
		{[]string{"--websocket", "--origin", "https://evil.example", "wss://api.example.com/"}, 0, "refused", "origin_not_allowed"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			status, stdout, stderr := explain(t, append(c.args, "--format", "json")...)
			var x struct{ Verdict, Reason string }
			if err := json.Unmarshal([]byte(stdout), &x); err != nil {
				t.Fatalf("%v: %s%s", err, stdout, stderr)
			}
			if status != c.status || x.Verdict != c.verdict || x.Reason != c.reason {
				t.Errorf("got %d %s %s, want %d %s %s", status, x.Verdict, x.Reason, c.status, c.verdict, c.reason)
			}
			textStatus, text, _ := explain(t, c.args...)
			if textStatus != status || !strings.Contains(text, c.reason) {
				t.Errorf("text: status %d, %s", textStatus, text)
			}
		})
	}
}

// TestExplainUsage holds what is called wrongly: status 2, a sentence on standard error, nothing on standard output.
func TestExplainUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", explainPolicies)
	write(t, "bad.yaml", badPolicies)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "explain takes one URL, but was given 0"},
		{[]string{"https://api.example.com/", "https://api.example.com/"}, "explain takes one URL, but was given 2"},
		{[]string{"--policies", "missing.yaml", "https://api.example.com/"}, "missing.yaml"},
		{[]string{"--policies", "bad.yaml", "https://api.example.com/"}, "bad.yaml:3:21: "},
		{[]string{"--origin", "https://Shop.example.com/", "https://api.example.com/"}, "write https://shop.example.com"},
		{[]string{"--origin", "https:/shop.example.com", "-X", "CONNECT", "/"}, "write https://shop.example.com\ncorsproc: the URL \"/\": is not absolute; write https://host/path\ncorsproc: no script can send the method CONNECT"},
		{[]string{"--origin", "", "https://api.example.com/"}, "origin"},
		{[]string{"/orders"}, "is not absolute"},
		{[]string{"-X", "", "https://api.example.com/"}, "--method is empty"},
		{[]string{"-X", "TRACE", "https://api.example.com/"}, "TRACE"},
		{[]string{"-H", "Content-Type", "https://api.example.com/"}, "write 'Name: value'"},
		{[]string{"-H", "Cookie: a=b", "https://api.example.com/"}, "cookie"},
		{[]string{"--credentials", "always", "https://api.example.com/"}, "write omit, same-origin, include"},
		{[]string{"--format", "xml", "https://api.example.com/"}, "xml"},
		{[]string{"--orign", "null", "https://api.example.com/"}, "did you mean --origin?"},
		{[]string{"wss://api.example.com/"}, "--websocket"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			status, stdout, stderr := explain(t, c.args...)
			if status != 2 || stdout != "" || !strings.Contains(stderr, c.want) {
				t.Errorf("status %d, %q on standard output, %q on standard error; want %q", status, stdout, stderr, c.want)
			}
		})
	}
	for _, args := range [][]string{{"--policies", "policies.yaml"}, {"--origin", "null"}} {
		if status, _, stderr := runIn(t, "", append(append([]string{"explain"}, args...), "https://api.example.com/")...); status != 2 || !strings.Contains(stderr, "required") {
			t.Errorf("%v: status %d, %s", args, status, stderr)
		}
	}
}

// TestExplainJSON holds the keys that programs rely on.
func TestExplainJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", explainPolicies)
	keys := func(args ...string) map[string]json.RawMessage {
		t.Helper()
		_, stdout, stderr := explain(t, append(args, "--format", "json", "https://api.example.com/")...)
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(stdout), &m); err != nil || strings.Count(stdout, "\n") != 1 {
			t.Fatalf("%v: %s%s", err, stdout, stderr)
		}
		for _, key := range []string{"verdict", "reason", "preflight", "browser", "changes", "notes"} {
			if _, ok := m[key]; !ok {
				t.Errorf("%v: there is no %s", args, key)
			}
		}
		return m
	}
	simple := keys()
	if got := string(simple["preflight"]); got != "null" {
		t.Errorf("without a preflight it is %s", got)
	}
	want := `{"readable":true,"exposed_headers":["X-Request-Id"],"cache_seconds":{"chromium":0,"firefox":0,"safari":0},"console":""}`
	if got := string(simple["browser"]); got != want {
		t.Errorf("browser: got %s, want %s", got, want)
	}
	if _, ok := keys("-X", "DELETE")["actual"]; ok {
		t.Error("there is a request although the preflight fails")
	}

	preflighted := keys("-X", "PUT", "-H", "content-type: application/json")
	var p struct {
		Why      string
		Causes   []string
		Headers  map[string]string
		Decision struct {
			Kind, Verdict string
			Rule          corsprocv1.Location
		}
		Answer struct {
			By      string
			Status  int
			Headers map[string]string
		}
	}
	if err := json.Unmarshal(preflighted["preflight"], &p); err != nil {
		t.Fatal(err)
	}
	if p.Decision.Kind != "preflight" || p.Decision.Rule.Line != 3 || p.Decision.Rule.Field != "policies.shop.allow_origins[0]" ||
		p.Answer.Status != 204 || p.Answer.By != "corsproc" || p.Answer.Headers["access-control-max-age"] != "7200" ||
		p.Headers["access-control-request-headers"] != "content-type" || !slices.Equal(p.Causes, []string{"method", "content-type"}) ||
		!strings.Contains(p.Why, "PUT") || !strings.Contains(p.Why, "application/json") {
		t.Errorf("preflight: %s", preflighted["preflight"])
	}
	if got := string(preflighted["browser"]); !strings.Contains(got, `{"chromium":7200,"firefox":7200,"safari":600}`) {
		t.Errorf("browser: %s", got)
	}
}

// TestExplainText holds the form for people.
func TestExplainText(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", explainPolicies)
	_, got, _ := explain(t, "-X", "DELETE", "-H", "X-Custom: 1", "https://api.example.com/orders/7")
	const want = `preflight   OPTIONS https://api.example.com/orders/7
  because   the method DELETE is none of GET, HEAD and POST, and the header x-custom is not safelisted
  sends     access-control-request-headers: x-custom
            access-control-request-method: DELETE
            origin: https://shop.example.com
            sec-fetch-site: same-site
  corsproc  refused (method_not_allowed) by policies.shop.allow_methods, policies.yaml:4:20
  answer    204 from corsproc
            access-control-allow-credentials: true
            access-control-allow-headers: Content-Type
            access-control-allow-methods: PUT
            access-control-allow-origin: https://shop.example.com
            access-control-expose-headers: X-Request-Id
            access-control-max-age: 7200
            vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers
request     not sent, because the preflight fails
browser     the page may not read the answer: refused (method_not_allowed)
  console   Access to fetch at 'https://api.example.com/orders/7' from origin 'https://shop.example.com' has been blocked by CORS policy: Method DELETE is not allowed by Access-Control-Allow-Methods in preflight response.
to allow it add DELETE to policies.shop.allow_methods (policies.yaml:4:20)
            add x-custom to policies.shop.allow_headers (policies.yaml:5:20)
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestExplainTextLines holds lines that only some explanations have.
func TestExplainTextLines(t *testing.T) {
	for _, c := range []struct {
		name, policies string
		args           []string
		want           string
	}{
		{"candidates", "policies: {a: {allow_origins: [https://shop.example.com]}, b: {deny_origins: [https://shop.example.com]}}\ndefault: {policies: [a], candidates: [b]}\n",
			nil, "  candidate would be refused (origin_denied)\n"},
		{"candidates that do not differ", "policies: {a: {allow_origins: [https://shop.example.com]}, b: {allow_origins: [https://shop.example.com]}}\ndefault: {policies: [a], candidates: [b]}\n",
			nil, "  corsproc  allowed by policies.a.allow_origins[0], policies.yaml:1:32\n  answer"},
		{"a dry run", "policies: {a: {allow_origins: [https://shop.example.com]}}\ndefault: {policies: [passthrough], candidates: [a]}\n",
			nil, "  candidate would be allowed\n  answer    whatever the upstream answers\n"},
		{"no default", "{}\n",
			nil, "  corsproc  none (passthrough), because no virtual host is the URL's and there is no default\n"},
		{"a preflight that is not remembered", "policies: {a: {allow_origins: [https://shop.example.com], allow_methods: [PUT], max_age: 0s}}\ndefault: {policies: [a]}\n",
			[]string{"-X", "PUT"}, "  remembers nothing: the next request is preflighted too\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "policies.yaml", c.policies)
			if _, got, _ := explain(t, append(c.args, "https://api.example.com/")...); !strings.Contains(got, c.want) {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// TestExplainColors holds that colours change nothing but colours, and that nothing else reaches a terminal as a control
// sequence.
func TestExplainColors(t *testing.T) {
	x := &corsprocv1.Explanation{
		Verdict: "refused", Reason: "origin_not_allowed",
		Actual: &corsprocv1.ExplainedRequest{Method: "GET", Url: "https://api.example.com/", Decision: &corsprocv1.Decision{
			Rule: &corsprocv1.Location{File: "\x1b[2Jpolicies.yaml"},
		}, Answer: &corsprocv1.ExplainedAnswer{Status: 200}},
		Changes: []*corsprocv1.PolicyChange{{Text: "add \x1b[31m"}},
	}
	var plain, colored bytes.Buffer
	if err := writeExplanationText(&plain, browser.Unreadable, x, false); err != nil {
		t.Fatal(err)
	}
	if err := writeExplanationText(&colored, browser.Unreadable, x, true); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plain.String(), "\x1b") {
		t.Errorf("control sequences: %q", plain.String())
	}
	if !strings.Contains(colored.String(), "\x1b[31mthe page may not read the answer\x1b[0m") {
		t.Errorf("no colours: %q", colored.String())
	}
	if stripped := regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(colored.String(), ""); stripped != plain.String() {
		t.Errorf("with colours\n%s\nwithout\n%s", stripped, plain.String())
	}
}
