package policy

import (
	"regexp"
	"slices"

	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
)

// A grant is a compiled policy: what it says, as it is compared and as it is sent.
type grant struct {
	name    string
	source  int32 // in Set.sources
	index   int32 // in Set.policies
	builtin bool  // none

	// allow and deny hold the policy's own patterns, if any, and then the origin sets it refers to, which it shares with
	// every other policy that refers to them.
	allow, deny []*match.Origins
	regexes     []*regexp.Regexp // each matches the whole origin only
	many        regex.Many       // the same, where there are many

	credentials bool

	alone list // of the policy itself

	// anybody is the rule that lists "*", or 0. star says that Access-Control-Allow-Origin is the literal "*" for whoever
	// the policy allows: browsers take it for requests without credentials only (Fetch, section 4.9, "CORS check"). It is
	// so also where other patterns stand beside the star, which then say nothing more.
	anybody Rule
	star    bool

	*terms
	preflightStatus int
	privateNetwork  bool

	regexTexts []string // the expressions as they are written; deciding needs none of it
}

// terms are what a policy says of methods and headers. Policies that say the same share them.
type terms struct {
	methods   []string // as listed, without "*"
	anyMethod bool

	headers   map[string]struct{} // lower-case, without "*"
	maxHeader int                 // the length of the longest of them
	anyHeader bool

	allowMethods  string // header values, ready to be sent; empty: none is sent
	allowHeaders  string
	exposeHeaders string
	maxAge        string
}

// listsMethods reports whether the policy has a list of methods to show.
func (g *grant) listsMethods() bool { return g.anyMethod || len(g.methods) > 0 }

// listsHeaders reports whether the policy has a list of request headers to show.
func (g *grant) listsHeaders() bool { return g.anyHeader || len(g.headers) > 0 }

// denies returns the rule that denies a well-formed origin, or 0.
func (g *grant) denies(o *origin.Origin) Rule {
	for _, set := range g.deny {
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

// allows returns the rule that allows a well-formed origin, or 0. The opaque origin is allowed only where it is listed,
// or where the literal "*" is what is sent: an echo of "null" would let in every sandboxed frame and every redirect.
func (g *grant) allows(o *origin.Origin) Rule {
	if o.Null {
		for _, set := range g.allow {
			if set.Null != 0 {
				return Rule(set.Null)
			}
		}
		if g.star {
			return g.anybody
		}
		return 0
	}
	for _, set := range g.allow {
		// "*" is the least particular rule of all: a pattern of a later set or a regex is named before it.
		if rule := set.Match(o); rule != 0 && rule != set.Any {
			return Rule(rule)
		}
	}
	if len(g.regexes) > 0 {
		if i := g.matchingRegex(o.Text); i >= 0 {
			return makeRule(ruleRegex, int(g.index), i)
		}
	}
	return g.anybody
}

// matchingRegex returns the index of the first expression that matches an origin, or -1.
func (g *grant) matchingRegex(text string) int {
	if g.many != nil {
		return g.many.Find(text)
	}
	return slices.IndexFunc(g.regexes, func(re *regexp.Regexp) bool { return re.MatchString(text) })
}

// match returns the rule by which the policy denies or allows a well-formed origin, or 0. Deny wins.
func (g *grant) match(o *origin.Origin) (rule Rule, denied bool) {
	if len(g.deny) > 0 {
		if rule := g.denies(o); rule != 0 {
			return rule, true
		}
	}
	return g.allows(o), false
}

// A list is a compiled list of policies of a place.
type list struct {
	grants      []*grant
	passthrough bool
	fixed       bool // the list's part of what makes a place static: [none], or one policy that answers everybody alike
	private     bool // a policy of it has allow_private_network
}

var (
	passthroughList = list{passthrough: true}
	namedList       list // without policies: an evaluation has their names
)

// newList compiles a list of policies that exist.
func newList(grants []*grant) list {
	l := list{grants: grants, private: slices.ContainsFunc(grants, func(g *grant) bool { return g.privateNetwork })}
	if len(grants) == 1 {
		g := grants[0]
		l.fixed = g.builtin || (g.star && len(g.deny) == 0)
	}
	return l
}
