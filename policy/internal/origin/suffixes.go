package origin

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"
)

// publicSuffixRules are the rules of the public suffix list, both sections, one a line, as package publicsuffix has them:
// it answers what the suffix of a name is and does not tell its rules. TestPublicSuffixRules keeps both alike. The list
// is published under the Mozilla Public License 2.0 (https://publicsuffix.org/list/).
//
//go:generate go test -run ^TestPublicSuffixRules$ -update .
//go:embed suffixes.txt
var publicSuffixRules string

// BackwardSuffix is a domain, spelled backwards, straight under which the list has everybody's names.
type BackwardSuffix struct {
	Text  string
	Every bool // the list lists every name right under it (*.ck)
}

// BackwardSuffixes returns all of them in order.
var BackwardSuffixes = sync.OnceValue(func() []BackwardSuffix {
	every := map[string]bool{}
	for rule := range strings.Lines(publicSuffixRules) {
		if !strings.HasPrefix(rule, "!") { // an exception belongs to somebody
			domain, star := strings.CutPrefix(strings.TrimSuffix(rule, "\n"), "*.")
			text := Backward(domain)
			every[text] = every[text] || star
		}
	}
	all := make([]BackwardSuffix, 0, len(every))
	for _, text := range slices.Sorted(maps.Keys(every)) {
		all = append(all, BackwardSuffix{text, every[text]})
	}
	return all
})

func Backward(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return string(b)
}

// IsPublicSuffix reports whether the public suffix list lists a domain (its private section too), or every domain right
// under it (*.ck). What only its default rule covers, such as internal, is not listed.
func IsPublicSuffix(domain string) bool {
	domain = strings.TrimSuffix(domain, ".")
	// The suffix of a name right under the domain is the domain, or all of it where a rule lists every such name. Package
	// publicsuffix tells the default rule from the others by a suffix without a dot that no section manages.
	name := "any-name-under." + domain
	suffix, icann := publicsuffix.PublicSuffix(name)
	return (suffix == domain || suffix == name) && (icann || strings.Contains(suffix, "."))
}
