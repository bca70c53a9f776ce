package convert

import "testing"

// TestLabelPattern: an expression becomes a pattern only where both say the same.
func TestLabelPattern(t *testing.T) {
	for expression, want := range map[string]string{
		`https://app-[a-z0-9-]+\.example\.com`:              "https://app-*.example.com",
		`^https://[a-z0-9-]+-team\.preview\.example:8443$`:  "https://*-team.preview.example:8443",
		`https://pr-[0-9a-z\-]+-eu\.example\.com`:           "https://pr-*-eu.example.com",
		`https://[a-z0-9-]+\.example\.com`:                  "", // one label, and *. has several
		`https://app-[a-z0-9-]*\.example\.com`:              "", // also none
		`https://app-[a-z0-9]+\.example\.com`:               "",
		`https://app-[a-z0-9-]+.example\.com`:               "",
		`(?i)https://app-[a-z0-9-]+\.example\.com`:          "",
		`https://eu\.app-[a-z0-9-]+\.example\.com`:          "",
		`https://app-[a-z0-9-]+-[a-z0-9-]+\.example\.com`:   "",
		`https://app-[a-z0-9-]+`:                            "",
		`https://app-[a-z0-9-]+\.example\.com(:8443)?`:      "",
		`https://app-[a-z0-9-]+\.example\.com:443`:          "",
		`https://app-[a-z0-9-]+\.example\.com|https://b\.c`: "",
	} {
		if got := labelPattern(expression); got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}
