package policy

import (
	"strings"
	"testing"
)

// TestLongFaults: what a very long text may have been meant to be is not looked for, so that a file of one value is read in the time
// of reading it.
func TestLongFaults(t *testing.T) {
	for name, text := range map[string]string{
		"origins":       strings.Repeat("https://a.example, ", maxFaulty/10),
		"an origin":     "HTTPS://" + strings.Repeat("A", maxFaulty) + "/",
		"a variable":    strings.Repeat("a", maxFaulty) + "${ORIGIN}",
		"stars":         "https://" + strings.Repeat("*.", maxFaulty) + "example",
		"an expression": "^https://" + strings.Repeat("a?", maxFaulty) + "$",
	} {
		_, why := parsePattern(text)
		if code, reason, fix := patternFault(text, "allow_origins", why); code != CodeOriginMalformed || reason != why || fix != "" {
			t.Errorf("%s: %v, %.200s, %.200s", name, code, reason, fix)
		}
		if IsPlaceholder(text) {
			t.Errorf("%s: taken for a variable", name)
		}
	}
}
