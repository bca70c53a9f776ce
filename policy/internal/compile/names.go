package compile

// Tested by policy/findings_test.go and policy/testdata/findings.yaml.

import (
	"maps"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compiled"
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
	near := c.suggestions.Nearest(name, name, len(c.Set.ByName)+1, func(yield func(string) bool) {
		for known := range c.Set.ByName { // with none
			if !yield(known) {
				return
			}
		}
		yield(compiled.NamePassthrough)
	})
	if policy := c.Set.ByName[near]; policy != nil {
		c.Proposed[policy] = true
	}
	return near
}

// nearestOriginSet returns the origin set that a mistyped reference was meant to be.
func (c *compiler) nearestOriginSet(name string) string {
	return c.suggestions.Nearest("@"+name, name, len(c.SetsByName), maps.Keys(c.SetsByName))
}
