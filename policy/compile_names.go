package policy

import (
	"maps"

	"github.com/corsproc/corsproc/policy/finding"
)

// isName reports whether s can name a policy or an origin set.
func isName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// checkName checks the name of a policy or an origin set.
func (c *compiler) checkName(at finding.Location, name string) {
	if !isName(name) {
		at.Key = true
		c.found.Fail(finding.Finding{Code: finding.CodeInvalidName, Location: at, Value: name,
			Message: "a name is 1 to 200 of A-Z a-z 0-9 . _ -"})
	}
}

// nearestPolicy returns the name that a mistyped one in a list of policies was meant to be.
func (c *compiler) nearestPolicy(name string) string {
	return c.suggestions.Nearest(name, name, len(c.set.byName)+1, func(yield func(string) bool) {
		for known := range c.set.byName { // with none
			if !yield(known) {
				return
			}
		}
		yield(namePassthrough)
	})
}

// nearestOriginSet returns the origin set that a mistyped reference was meant to be.
func (c *compiler) nearestOriginSet(name string) string {
	return c.suggestions.Nearest("@"+name, name, len(c.originSets), maps.Keys(c.originSets))
}
