package compile

// Tested by policy/findings_test.go and policy/testdata/findings.yaml.

import (
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// compileFixedOrigin returns the one origin of a policy with fixed_origin; empty: there is an error. What depends on who
// asks cannot stand in an answer that everybody gets (Fetch, section 3.3.6, "CORS protocol and HTTP caches").
func (c *compiler) compileFixedOrigin(at finding.Location, p *corsprocv1.Policy) (fixed string) {
	fail := func(at finding.Location, value, message string) {
		c.found.Fail(finding.Finding{Code: finding.CodeFixedOrigin, Location: at, Value: value, Message: message})
	}
	allowed := at.Field("allow_origins")
	for i, text := range p.GetAllowOrigins() {
		switch pattern, why := origin.ParsePattern(text); {
		case why != "":
			// There is an error about it.
		case !pattern.IsExact():
			fail(allowed.Index(i), text, "with fixed_origin every answer names one and the same origin: write that origin, and no wildcard, no null and no origin set")
		case fixed != "":
			fail(allowed.Index(i), text, "with fixed_origin every answer names one and the same origin, "+fixed+" here: a second one needs a policy without fixed_origin, and a cache that takes Vary")
		default:
			fixed = text
		}
	}
	if len(p.GetAllowOrigins()) == 0 {
		fail(at.Field("fixed_origin"), "true", "with fixed_origin allow_origins has the one origin that every answer names")
	}
	if list := p.GetAllowOriginRegexes(); len(list) > 0 {
		fail(at.Field("allow_origin_regexes").Index(0), list[0], "with fixed_origin every answer names one and the same origin: write that in allow_origins, and no expression")
	}
	if list := p.GetDenyOrigins(); len(list) > 0 {
		fail(at.Field("deny_origins").Index(0), list[0], "with fixed_origin allow_origins has one origin and nothing to make an exception from")
	}
	return fixed
}
