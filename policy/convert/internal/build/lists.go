package build

// Tested by builder_test.go and policy/convert/golden_test.go.

import (
	"math"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/source"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// dedupe takes out of lists what stands there twice.
func dedupe(p *corsprocv1.Policy) {
	p.AllowOrigins = Once(p.AllowOrigins, false)
	p.AllowOriginRegexes = Once(p.AllowOriginRegexes, false)
	p.AllowMethods = Once(p.AllowMethods, false)
	p.AllowHeaders = Once(p.AllowHeaders, true)
	p.ExposeHeaders = Once(p.ExposeHeaders, true)
}

// Once returns the first of each of a list. fold: names, whose case is ignored.
func Once(list []string, fold bool) []string {
	seen := make(map[string]bool, len(list))
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool {
		if fold {
			s = strings.ToLower(s)
		}
		had := seen[s]
		seen[s] = true
		return had
	})
}

// TakeEverybody makes a policy whose origins have "*" among them one for everybody. Where it allows credentials the source
// echoes the Origin, null too, which no echo covers here unless it is written.
func TakeEverybody(p *corsprocv1.Policy) (everybody bool) {
	if !slices.Contains(p.AllowOrigins, "*") {
		return false
	}
	p.AllowOrigins, p.AllowOriginRegexes = []string{"*"}, nil
	if p.AllowCredentials {
		p.AllowOrigins = append(p.AllowOrigins, "null")
	}
	return true
}

// ExposeWithCredentials leaves out a * where credentials are allowed: there it is for requests without them only, which a
// policy does not tell apart.
func ExposeWithCredentials(b *Builder, q *Proposal, at source.Position, field string, names []string) []string {
	if !q.Policy.AllowCredentials || !slices.Contains(names, "*") {
		return names
	}
	b.Warn(&q.Notes, at, CodeExposeAny, field, "* exposes every header to requests without credentials only, and with credentials none: it is left out; list the names that scripts read")
	return slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "*" })
}

// MaxPolicyAge is the longest that a policy file can say, in seconds. No browser keeps a preflight longer than a day.
const MaxPolicyAge = math.MaxInt32
