package policy

import (
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/finding"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// TestRegexSize: a short expression whose counts make it huge is refused before it is compiled; counts as people write
// them and long lists of alternatives are not.
func TestRegexSize(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"counts":        {`https://[a-z0-9-]{1,63}[.]([a-z]{2,63}[.]){1,10}example[.]com`, true},
		"alternatives":  {"https://(" + strings.Repeat("a.example|", 20_000) + "b[.]example)", true},
		"many counts":   {"https://" + strings.Repeat("(a?){1000}", 500), false},
		"nested counts": {"https://" + strings.Repeat("((ab?){10}){100}", 100), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, findings := Compile(Source{Set: &corsprocv1.PolicySet{
				Policies: map[string]*corsprocv1.Policy{"p": {AllowOriginRegexes: []string{c.text}}},
			}})
			large := false
			for _, f := range findings {
				large = large || f.Code == finding.CodeRegexMalformed && strings.Contains(f.Message, "too large")
			}
			if large == c.ok {
				t.Errorf("too large: %v, want %v", large, !c.ok)
			}
		})
	}
}
