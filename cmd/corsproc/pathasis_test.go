package main

import (
	"strings"
	"testing"
)

// TestPathAsIs: explain and test take a path as the reference Envoy hands it on, or as it is.
func TestPathAsIs(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "p.yaml", "policies: {open: {allow_origins: ['*']}}\nvirtual_hosts:\n- {domains: [api.example.com], policies: [none], routes: [{prefix: /public/, policies: [open]}]}\n")
	write(t, "t.yaml", `policies: p.yaml
tests:
- {name: handed on, fetch: {origin: https://a.example, url: https://api.example.com//public/x}, expect: ALLOWED}
- {name: as it is, fetch: {origin: https://a.example, url: https://api.example.com//public/x, path_as_is: true}, expect: REFUSED}
`)
	explain := func(args ...string) (int, string) {
		status, stdout, stderr := runIn(t, "", append([]string{"explain", "--policies", "p.yaml", "--origin", "https://a.example"}, args...)...)
		if stderr != "" {
			t.Error(stderr)
		}
		return status, stdout
	}
	for _, format := range []string{"text", "json"} {
		if status, out := explain("--format", format, "https://api.example.com//public/x"); status != exitOK || !strings.Contains(out, "makes /public/x of the path") {
			t.Errorf("exit status %d\n%s", status, out)
		}
		if status, out := explain("--format", format, "--path-as-is", "https://api.example.com//public/x"); status != exitFailure || strings.Contains(out, "of the path") {
			t.Errorf("as it is: exit status %d\n%s", status, out)
		}
		if status, out := explain("--format", format, "https://api.example.com/public/%00"); status != exitFailure || !strings.Contains(out, "answers 400") {
			t.Errorf("exit status %d\n%s", status, out)
		}
	}
	if status, out, _ := runIn(t, "", "test", "t.yaml"); status != exitOK || !strings.Contains(out, "2 passed, 0 failed") {
		t.Errorf("exit status %d\n%s", status, out)
	}
}
