package regex

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"regexp/syntax"
	"sync"
)

// originLanguage is an expression that accepts every well-formed origin. Of what it accepts beside them, nothing has upper
// case in a host, a path or a default port: those are what authors write by mistake.
var originLanguage = sync.OnceValue(func() *syntax.Regexp {
	const (
		host  = `(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])`
		not80 = `(?::(?:[1-79][0-9]*|8|8[1-9][0-9]*|80[0-9]+))?`
		// Four figures and the rest: 4, 44, 443 and more, or another one at one of these places.
		not443 = `(?::(?:[1-35-9][0-9]*|4|4[0-35-9][0-9]*|44|44[0-24-9][0-9]*|443[0-9]+))?`
		// Every scheme but http and https.
		other = `(?:[a-gi-z][a-z0-9+.-]*|h|h[a-su-z0-9+.-][a-z0-9+.-]*|ht|ht[a-su-z0-9+.-][a-z0-9+.-]*|htt|htt[a-oq-z0-9+.-][a-z0-9+.-]*|` +
			`http[a-rt-z0-9+.-][a-z0-9+.-]*|https[a-z0-9+.-]+)`
	)
	tree, err := syntax.Parse(`http://`+host+not80+`|https://`+host+not443+`|`+other+`://[A-Za-z0-9._-]*(?::[0-9]+)?`, syntax.Perl)
	if err != nil {
		panic(err)
	}
	return tree
})

// AcceptsNoOrigin reports whether an expression for whole origins accepts none at all.
func (x *Inclusion) AcceptsNoOrigin(tree *syntax.Regexp) bool {
	a, b := x.machine(tree, true), x.machine(originLanguage(), true)
	if a == nil || b == nil {
		return false
	}
	accepts := false
	complete := x.explore(a, b, states{a.start(), b.start()}, true, func(at states) (stop bool) {
		accepts = a.accepts(at.a) && b.accepts(at.b)
		return accepts
	})
	return complete && !accepts
}
