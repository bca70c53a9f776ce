package policy

// Tested by policy/internal/origin/page_test.go.

import "github.com/corsproc/corsproc/policy/internal/origin"

// CheckOrigin reports whether a browser sends s as the Origin of some page (Fetch, section 3.1): an origin as it is
// serialised, or "null". Where it does not, why says so, for people, and fix is the right spelling where there is one.
func CheckOrigin(s string) (fix, why string, ok bool) { return origin.CheckPage(s) }

// MaxOriginBytes is the length in bytes of the longest Origin that is well-formed. Whoever keeps or shows one needs no more.
const MaxOriginBytes = origin.MaxLen
