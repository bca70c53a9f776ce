package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestExplainBlocked: of what a browser blocks nothing is sent, so that no answer of the policies is told; the exit status
// is that of a page that may not read it, also where everybody may.
func TestExplainBlocked(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "open.yaml", "policies: {open: {allow_origins: ['*']}}\ndefault: {policies: [open]}\n")
	write(t, "pass.yaml", "default: {policies: [passthrough]}\n")
	write(t, "test.yaml", `policies: open.yaml
tests:
- {name: mixed, fetch: {origin: https://a.example, url: http://b.example/}, expect: REFUSED, reason: mixed_content}
- {name: port, fetch: {origin: https://a.example, url: https://b.example:25/}, expect: REFUSED, reason: bad_port}
- {name: failing, fetch: {origin: https://a.example, url: http://b.example/}, expect: ALLOWED}
- {name: failing too, fetch: {origin: https://a.example, url: http://b.example/}, expect: REJECTED}
`)
	for _, policies := range []string{"open.yaml", "pass.yaml"} {
		for url, reason := range map[string]string{"http://b.example/": "mixed_content", "https://b.example:25/": "bad_port"} {
			status, stdout, stderr := runIn(t, "", "explain", "--format", "json", "--policies", policies, "--origin", "https://a.example", "-X", "PUT", url)
			var x map[string]any
			if err := json.Unmarshal([]byte(stdout), &x); err != nil || stderr != "" {
				t.Fatal(err, stderr)
			}
			_, preflight := x["preflight"]
			_, actual := x["actual"]
			if status != exitFailure || x["verdict"] != "refused" || x["reason"] != reason || preflight || actual {
				t.Errorf("%s: exit status %d, %s", url, status, stdout)
			}
			status, stdout, _ = runIn(t, "", "explain", "--policies", policies, "--origin", "https://a.example", url)
			if status != exitFailure || !strings.Contains(stdout, "not sent, because the browser blocks it") || !strings.Contains(stdout, "refused ("+reason+")") ||
				strings.Contains(stdout, "to allow it") {
				t.Errorf("%s: exit status %d\n%s", url, status, stdout)
			}
		}
	}
	status, stdout, _ := runIn(t, "", "test", "test.yaml")
	if status != exitFailure || !strings.Contains(stdout, "2 passed, 2 failed") || !strings.Contains(stdout, "Nothing is sent") {
		t.Errorf("exit status %d\n%s", status, stdout)
	}
}
