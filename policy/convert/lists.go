package convert

// Tested by builder_test.go and golden_test.go.

import (
	"math"
	"slices"
	"strings"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// dedupe takes out of lists what stands there twice.
func dedupe(p *corsprocv1.Policy) {
	p.AllowOrigins = once(p.AllowOrigins, false)
	p.AllowOriginRegexes = once(p.AllowOriginRegexes, false)
	p.AllowMethods = once(p.AllowMethods, false)
	p.AllowHeaders = once(p.AllowHeaders, true)
	p.ExposeHeaders = once(p.ExposeHeaders, true)
}

// once returns the first of each of a list. fold: names, whose case is ignored.
func once(list []string, fold bool) []string {
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

// takeEverybody makes a policy whose origins have "*" among them one for everybody. Where it allows credentials the source
// echoes the Origin, null too, which no echo covers here unless it is written.
func takeEverybody(p *corsprocv1.Policy) (everybody bool) {
	if !slices.Contains(p.AllowOrigins, "*") {
		return false
	}
	p.AllowOrigins, p.AllowOriginRegexes = []string{"*"}, nil
	if p.AllowCredentials {
		p.AllowOrigins = append(p.AllowOrigins, "null")
	}
	return true
}

// exposeWithCredentials leaves out a * where credentials are allowed: there it is for requests without them only, which a
// policy does not tell apart.
func exposeWithCredentials(b *builder, q *proposal, at Position, field string, names []string) []string {
	if !q.policy.AllowCredentials || !slices.Contains(names, "*") {
		return names
	}
	b.warn(&q.notes, at, codeExposeAny, field, "* exposes every header to requests without credentials only, and with credentials none: it is left out; list the names that scripts read")
	return slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "*" })
}

// maxPolicyAge is the longest that a policy file can say, in seconds. No browser keeps a preflight longer than a day.
const maxPolicyAge = math.MaxInt32
