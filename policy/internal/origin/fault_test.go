package origin

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
		"stars":         "https://" + strings.Repeat("*.", maxFaulty) + "example",
		"an expression": "^https://" + strings.Repeat("a?", maxFaulty) + "$",
	} {
		_, why := ParsePattern(text)
		if reason, fix, spelling := Fault(text, "allow_origins", why); spelling || reason != why || fix != "" {
			t.Errorf("%s: %v, %.200s, %.200s", name, spelling, reason, fix)
		}
	}
}
