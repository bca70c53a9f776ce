package verify

import (
	"slices"
	"testing"
)

// TestSamplesMatch: what is told as a sample of an expression is matched by it.
func TestSamplesMatch(t *testing.T) {
	for expression, want := range map[string]string{
		`/users/[0-9]+`:  "/users/1",
		`/a(/b)?`:        "/a",
		`/(x|y)/.*\.jpg`: "/x/.jpg",
		`(?i)/ABC`:       "/abc",
		`/\Qa.b`:         "/a.b", // the quotation lasts to the end
		`a\bb`:           "",     // nothing matches it
		`(`:              "",
	} {
		got := samples(expression)
		if want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want) {
			t.Errorf("%s: %q", expression, got)
		}
	}
}
