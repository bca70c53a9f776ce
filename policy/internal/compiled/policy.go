package compiled

// Tested by policy/cases_test.go and policy/naive_test.go.

import (
	"regexp"
	"slices"

	"github.com/corsproc/corsproc/policy/internal/fetch"

	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
)

// A Policy is a compiled policy: what it says, as it is compared and as it is sent.
type Policy struct {
	Name    string
	Source  int32 // in Set.sources
	Index   int32 // in Set.policies
	Builtin bool  // none

	// allow and deny hold the policy's own patterns, if any, and then the origin sets it refers to, which it shares with
	// every other policy that refers to them.
	Allow, Deny []*match.Origins
	Regexes     []*regexp.Regexp // each matches the whole origin only
	Many        regex.Many       // the same, where there are many

	Credentials bool

	Alone List // of the policy itself

	// anybody is the rule that lists "*", or 0. star says that Access-Control-Allow-Origin is the literal "*" for whoever
	// the policy allows: browsers take it for requests without credentials only (Fetch, section 4.9, "CORS check"). It is
	// so also where other patterns stand beside the star, which then say nothing more.
	Anybody Rule
	Star    bool

	FixedOrigin string // with fixed_origin: the one origin that is allowed; else empty

	*Terms
	PreflightStatus int
	PrivateNetwork  bool

	RegexTexts []string // the expressions as they are written; deciding needs none of it
}

// Terms are what a policy says of methods and headers. Policies that say the same share them.
type Terms struct {
	Methods   []string // as listed, without "*"
	AnyMethod bool

	Headers   map[string]struct{} // lower-case, without "*"
	MaxHeader int                 // the length of the longest of them
	AnyHeader bool

	ExposeUpstream bool // beside ExposeHeaders, which does not cover everything then

	AllowMethods  string // header values, ready to be sent; empty: none is sent
	AllowHeaders  string
	ExposeHeaders string
	MaxAge        string
}

// StatusNoContent is the status of a positive preflight answer where the policy does not say otherwise.
const StatusNoContent = 204

// ListsHeader reports whether the policy lists a field name, ignoring case.
func (t *Terms) ListsHeader(name string) bool {
	if len(name) > t.MaxHeader {
		return false
	}
	if !fetch.HasUpperASCII(name) { // as browsers send them
		_, ok := t.Headers[name]
		return ok
	}
	var buf [128]byte
	_, ok := t.Headers[string(fetch.LowerASCII(name, buf[:]))]
	return ok
}

// ListsMethods reports whether the policy has a list of methods to show.
func (t *Terms) ListsMethods() bool { return t.AnyMethod || len(t.Methods) > 0 }

// ListsHeaders reports whether the policy has a list of request headers to show.
func (t *Terms) ListsHeaders() bool { return t.AnyHeader || len(t.Headers) > 0 }

// Denies returns the rule that denies a well-formed origin, or 0.
func (p *Policy) Denies(o *origin.Origin) Rule {
	for _, set := range p.Deny {
		if o.Null {
			if set.Null != 0 {
				return Rule(set.Null)
			}
			if set.Any != 0 {
				return Rule(set.Any)
			}
		} else if rule := set.Match(o); rule != 0 {
			return Rule(rule)
		}
	}
	return 0
}

// Allows returns the rule that allows a well-formed origin, or 0. The opaque origin is allowed only where it is listed,
// or where the literal "*" is what is sent: an echo of "null" would let in every sandboxed frame and every redirect.
func (p *Policy) Allows(o *origin.Origin) Rule {
	if o.Null {
		for _, set := range p.Allow {
			if set.Null != 0 {
				return Rule(set.Null)
			}
		}
		if p.Star {
			return p.Anybody
		}
		return 0
	}
	for _, set := range p.Allow {
		// "*" is the least particular rule of all: a pattern of a later set or a regex is named before it.
		if rule := set.Match(o); rule != 0 && rule != set.Any {
			return Rule(rule)
		}
	}
	if len(p.Regexes) > 0 {
		if i := p.MatchingRegex(o.Text); i >= 0 {
			return MakeRule(RuleRegex, int(p.Index), i)
		}
	}
	return p.Anybody
}

// MatchingRegex returns the index of the first expression that matches an origin, or -1.
func (p *Policy) MatchingRegex(text string) int {
	if p.Many != nil {
		return p.Many.Find(text)
	}
	return slices.IndexFunc(p.Regexes, func(re *regexp.Regexp) bool { return re.MatchString(text) })
}

// Match returns the rule by which the policy denies or allows a well-formed origin, or 0. Deny wins.
func (p *Policy) Match(o *origin.Origin) (rule Rule, denied bool) {
	if len(p.Deny) > 0 {
		if rule := p.Denies(o); rule != 0 {
			return rule, true
		}
	}
	return p.Allows(o), false
}

// A List is a compiled list of policies of a place.
type List struct {
	Policies      []*Policy
	Passthrough   bool
	Fixed         bool // the list's part of what makes a place static: [none], or one policy that answers everybody alike
	ButPreflights bool // but preflights, which are answered as everywhere (fixed_origin)
	Private       bool // a policy of it has allow_private_network
}

var (
	PassthroughList = List{Passthrough: true}
	NamedList       List // without policies: an evaluation has their names
)

// NewList compiles a list of policies that exist.
func NewList(policies []*Policy) List {
	l := List{Policies: policies, Private: slices.ContainsFunc(policies, func(p *Policy) bool { return p.PrivateNetwork })}
	if len(policies) == 1 {
		p := policies[0]
		l.Fixed = p.Builtin || (p.Star && len(p.Deny) == 0) || p.FixedOrigin != ""
		l.ButPreflights = p.FixedOrigin != ""
	}
	return l
}
