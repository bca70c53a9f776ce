package compile

// Tested by policy/findings_test.go and policy/testdata/findings.yaml.

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// compilePlace overwrites in p, which holds what is inherited, what a place sets itself.
func (c *compiler) compilePlace(p *compiled.Place, m Place, at finding.Location, host, route int) {
	if m.GetPolicies() != nil {
		p.Active = c.compileList(at, "policies", m.GetPolicies().GetNames())
		p.ListRule = compiled.MakeRule(compiled.RulePolicies, host, route)
		p.Candidates = nil // those of the outer place were made for other policies
	}
	if m.GetCandidates() != nil {
		p.Candidates = c.compileList(at, "candidates", m.GetCandidates().GetNames())
	}
	switch v := m.GetUnmatchedPreflights(); v {
	case corsprocv1.UnmatchedPreflights_UNMATCHED_PREFLIGHTS_UNSPECIFIED:
	case corsprocv1.UnmatchedPreflights_UNMATCHED_PREFLIGHTS_ANSWER:
		p.Refuse = false
	case corsprocv1.UnmatchedPreflights_UNMATCHED_PREFLIGHTS_REFUSE:
		p.Refuse = true
	default:
		c.found.Fail(finding.Finding{Code: finding.CodeEnumUnspecified, Location: at.Field("unmatched_preflights"),
			Message: enumFault(int32(v))})
	}
	switch v := m.GetReject(); v {
	case corsprocv1.Reject_REJECT_UNSPECIFIED:
	case corsprocv1.Reject_REJECT_NEVER:
		p.Reject = compiled.RejectNever
	case corsprocv1.Reject_REJECT_WEBSOCKETS:
		p.Reject = compiled.RejectWebSockets
	case corsprocv1.Reject_REJECT_UNSAFE_METHODS:
		p.Reject = compiled.RejectUnsafeMethods
	case corsprocv1.Reject_REJECT_ALWAYS:
		p.Reject = compiled.RejectAlways
	default:
		c.found.Fail(finding.Finding{Code: finding.CodeEnumUnspecified, Location: at.Field("reject"),
			Message: enumFault(int32(v))})
	}
	if m.GetTimingAllowOrigins() != nil {
		p.Timing = c.compileTiming(at.Field("timing_allow_origins"), m.GetTimingAllowOrigins().GetOrigins())
	}
}

// compileList compiles a list of policy names. Lists that are the same are one.
func (c *compiler) compileList(at finding.Location, field string, names []string) *compiled.List {
	if len(names) == 1 {
		if names[0] == compiled.NamePassthrough {
			return &compiled.PassthroughList
		}
		if policy := c.Set.ByName[names[0]]; policy != nil {
			return &policy.Alone
		}
	}
	c.key = appendKey(c.key[:0], names)
	if l := c.lists[string(c.key)]; l != nil {
		return l
	}
	at = at.Field(field)
	faults := c.found.Errors()
	if len(names) == 0 {
		c.found.Fail(finding.Finding{Code: finding.CodeEmptyList, Location: at,
			Message: "an empty list says nothing; write [none] to allow nobody, or leave the field out"})
	}
	var policies []*compiled.Policy
	for i, name := range names {
		switch policy, ok := c.Set.ByName[name]; {
		case (name == compiled.NameNone || name == compiled.NamePassthrough) && len(names) > 1:
			c.found.Fail(finding.Finding{Code: finding.CodeBuiltinNotAlone, Location: at.Index(i), Value: name,
				Message: name + " stands alone in a list"})
		case ok:
			policies = append(policies, policy)
		default:
			c.found.Fail(finding.Finding{Code: finding.CodeUnknownPolicy, Location: at.Index(i), Value: name,
				Message: "there is no policy of this name", Fix: c.nearestPolicy(name)})
		}
	}
	l := compiled.NewList(policies)
	if c.found.Errors() == faults {
		c.lists[string(c.key)] = &l
	}
	return &l
}

// compileTiming returns the value of Timing-Allow-Origin: the origins as written.
func (c *compiler) compileTiming(at finding.Location, origins []string) string {
	for i, text := range origins {
		if text == "*" {
			if len(origins) > 1 {
				c.found.Fail(finding.Finding{Code: finding.CodeTimingMalformed, Location: at.Index(i), Value: text,
					Message: "\"*\" stands alone in this list"})
			}
			continue
		}
		p, ok := c.parsePattern(at, i, text, false)
		if ok && !p.IsExact() {
			c.found.Fail(finding.Finding{Code: finding.CodeTimingMalformed, Location: at.Index(i), Value: text,
				Message: "this header holds exact origins, or \"*\" alone"})
		}
	}
	return strings.Join(origins, ", ")
}

// compileRoute compiles what a route covers.
func (c *compiler) compileRoute(at finding.Location, r *corsprocv1.Route) compiled.Route {
	fields := []struct {
		name, value string
		kind        compiled.RouteKind
	}{
		{"route_name", r.GetRouteName(), compiled.RouteName},
		{"path", r.GetPath(), compiled.RoutePath},
		{"prefix", r.GetPrefix(), compiled.RoutePrefix},
		{"path_separated_prefix", r.GetPathSeparatedPrefix(), compiled.RouteSegments},
		{"regex", r.GetRegex(), compiled.RouteRegex},
	}
	t, set := compiled.Route{}, 0
	for _, f := range fields {
		if f.value == "" {
			continue
		}
		set++
		t.Kind, t.Text = f.kind, f.value
		field := at.Field(f.name)
		switch f.kind {
		case compiled.RouteName:
		case compiled.RouteRegex:
			t.Pattern = c.compileRegex(field, f.value)
		default:
			c.checkPath(field, f.value, f.kind)
		}
	}
	if set != 1 {
		c.found.Fail(finding.Finding{Code: finding.CodeRouteMatch, Location: at,
			Message: "a route has exactly one of route_name, path, prefix, path_separated_prefix and regex"})
	}
	return t
}

// checkPath reports a path that no request can have.
func (c *compiler) checkPath(at finding.Location, s string, kind compiled.RouteKind) {
	fix, why, guess := s, "", false
	if _, rest, ok := strings.Cut(s, "://"); ok {
		slash := strings.IndexByte(rest, '/')
		fix, why, guess = rest[max(slash, 0):], "a path stands without scheme and host", true
		if slash < 0 {
			fix = "/"
		}
	}
	if i := strings.IndexAny(fix, "?#"); i >= 0 {
		fix, why = fix[:i], "a path is compared without query and fragment"
	}
	if !strings.HasPrefix(fix, "/") {
		guess = guess || !startsLikeAPath(fix)
		fix, why = "/"+fix, "a path begins with a slash"
	}
	if kind == compiled.RouteSegments && strings.HasSuffix(fix, "/") {
		fix, why = strings.TrimRight(fix, "/"), "a path_separated_prefix ends before the slash that parts the segments"
		if fix == "" {
			why += "; for every path write prefix: /"
		}
	}
	if strings.HasPrefix(s, "^") || strings.HasPrefix(s, "~") {
		fix, why = "", "a path begins with a slash; expressions stand in regex"
		if expression := strings.TrimSuffix(strings.TrimPrefix(s, "^"), "$"); strings.HasPrefix(expression, "/") && origin.IsShown(expression) {
			why += ": write regex: '" + expression + "'"
		}
	}
	if s == "*" {
		if why, fix, guess = "a path begins with a slash, and for every path stands prefix: /", "", false; kind == compiled.RoutePrefix {
			fix = "/"
		}
	}
	if guess && fix != "" {
		fix, why = "", why+"; if "+fix+" is meant, write that"
	}
	if why != "" {
		c.found.Fail(finding.Finding{Code: finding.CodePathMalformed, Location: at, Value: s,
			Message: why, Fix: fix})
	}
}

// startsLikeAPath reports whether nothing but the slash is missing in front of a path: what begins with a host, a star or a
// brace may be meant for something else.
func startsLikeAPath(s string) bool {
	first, _, _ := strings.Cut(s, "/")
	return first != "" && strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// compileRegex compiles an RE2 expression so that it matches whole strings only.
func (c *compiler) compileRegex(at finding.Location, text string) *regexp.Regexp {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		c.found.Fail(finding.Finding{Code: finding.CodeRegexMalformed, Location: at, Value: text,
			Message: regexFault(err)})
		return nil
	}
	if regex.IsTooLarge(tree, text) {
		c.found.Fail(finding.Finding{Code: finding.CodeRegexMalformed, Location: at, Value: text,
			Message: "written out without {counts} this expression is too large: use + or * where a count does not matter"})
		return nil
	}
	whole, err := regex.Whole(text, tree)
	if err != nil {
		c.found.Fail(finding.Finding{Code: finding.CodeRegexMalformed, Location: at, Value: text,
			Message: regexFault(err)})
		return nil
	}
	return whole
}

func regexFault(err error) string {
	fault := "RE2 does not accept this expression: " + strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	for _, lookAround := range []string{"(?!", "(?=", "(?<!", "(?<="} {
		if strings.HasSuffix(fault, ": `"+lookAround+"`") {
			return fault + "; it has no look-around: say what is meant by an expression without, and exceptions of origins by deny_origins, of paths by a route before"
		}
	}
	return fault
}
