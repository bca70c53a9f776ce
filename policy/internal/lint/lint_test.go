package lint

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/internal/compile"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// compileLinted compiles a set and looks at it, as Compile does.
func compileLinted(set *corsprocv1.PolicySet) (*compiled.Set, []finding.Finding) {
	compiled, found := &compiled.Set{}, &finding.Collector{}
	compile.Compile(compiled, found, New(found), []compile.File{{Name: "x", Set: set}})
	return compiled, found.Findings()
}

// universe returns all origins and patterns of a small world, in which every origin can be tried on every pattern. Hosts
// of origins have a label more than those of patterns, so that each pattern matches something.
func universe(t *testing.T) (all []origin.Origin, patterns []origin.Pattern) {
	t.Helper()
	hosts := []string{"a", "b"}
	short := len(hosts)
	for i := 0; i < len(hosts); i++ {
		if strings.Count(hosts[i], ".") < 2 {
			hosts = append(hosts, "a."+hosts[i], "b."+hosts[i])
		}
		if strings.Count(hosts[i], ".") < 2 {
			short = i + 1
		}
	}
	for _, scheme := range []string{"http", "https"} {
		for _, host := range hosts {
			for _, port := range []string{"", ":1", ":2"} {
				o, ok := origin.Parse(scheme + "://" + host + port)
				if !ok {
					t.Fatal(host, port)
				}
				all = append(all, o)
			}
		}
		for _, port := range []string{"", ":1", ":*"} {
			texts := []string{"*"}
			for _, host := range hosts[:short] {
				texts = append(texts, host, "*."+host)
			}
			for _, text := range texts {
				p, why := origin.ParsePattern(scheme + "://" + text + port)
				if why != "" {
					t.Fatal(text, why)
				}
				patterns = append(patterns, p)
			}
		}
	}
	return all, append(patterns, origin.Pattern{Kind: origin.PatternAny})
}

// labelUniverse returns origins of all short labels under one domain and a few beside it, and patterns with a star in the label
// and around those.
func labelUniverse(t *testing.T) (all []origin.Origin, patterns []origin.Pattern) {
	t.Helper()
	labels := []string{""}
	for i := 0; i < len(labels); i++ {
		if len(labels[i]) < 6 {
			labels = append(labels, labels[i]+"a", labels[i]+"b", labels[i]+"_")
		}
	}
	for _, label := range labels[1:] {
		for _, rest := range []string{".a.a", ".a.a:1", ".a", ".b.a.a", ".a:1", ".b.a.a:1"}[:2+4/len(label)] {
			o, ok := origin.Parse("https://" + label + rest)
			if !ok {
				t.Fatal(label)
			}
			all = append(all, o)
		}
	}
	for _, text := range []string{"https://a.a", "https://b.a", "https://a.b.a.a", "https://a.a.a:2", "https://a.c", "https://a.c:1", "https://a.c:2"} {
		o, _ := origin.Parse(text)
		all = append(all, o)
	}
	parts := []string{"", "a", "b", "ab", "ba", "a_"}
	texts := []string{"*:*", "*", "*.a", "*.a.a", "*.b.a.a", "a.a.a", "ab.a.a", "a*.a", "a*.b.a.a", "*b.a.a:*", "ab*.a.a:*", "a*b.a.a:1", "a.a.a:*", "*.a.a:1", "a*:1"}
	for _, prefix := range parts {
		for _, suffix := range append(parts[:5:5], "_b") {
			texts = append(texts, prefix+"*"+suffix+".a.a")
		}
	}
	for _, text := range texts {
		if p, why := origin.ParsePattern("https://" + text); why == "" {
			patterns = append(patterns, p)
		}
	}
	return all, patterns
}

// TestCoverage holds what one pattern covers, and what a deny takes from an allow, against trying all origins on both.
func TestCoverage(t *testing.T) {
	checkCoverage(t, universe)
	checkCoverage(t, labelUniverse)
}

func checkCoverage(t *testing.T, universe func(*testing.T) ([]origin.Origin, []origin.Pattern)) {
	t.Helper()
	all, patterns := universe(t)
	matched := make([][]bool, len(patterns))
	for i := range patterns {
		one := new(match.OriginIndex).List()
		one.Add(&patterns[i], 1)
		matched[i] = make([]bool, len(all))
		for j := range all {
			matched[i][j] = one.Match(&all[j]) != 0
		}
	}
	for i := range patterns {
		one := new(match.OriginIndex).List()
		one.Add(&patterns[i], 1)
		allow := &compiled.Policy{Allow: []*match.Origins{&one}, Anybody: compiled.Rule(one.Any)}
		for j := range patterns {
			covers, meets := true, false
			for k := range all {
				covers = covers && (matched[i][k] || !matched[j][k])
				meets = meets || matched[i][k] && matched[j][k]
			}
			if got := one.CoveringPattern(&patterns[j], nil) != 0; got != covers {
				t.Errorf("%s covers %s: %v, want %v", text(&patterns[i]), text(&patterns[j]), got, covers)
			}
			if patterns[j].IsExact() {
				continue // asked of the compiled policy
			}
			d := denies{looks: maxDenyLooks}
			if outside := len(d.outside([]*origin.Pattern{&patterns[j]}, allow)) > 0; outside == meets {
				t.Errorf("deny %s is outside allow %s: %v", text(&patterns[j]), text(&patterns[i]), outside)
			}
		}
	}
}

// TestReach holds what is said of routes behind others against trying paths: no path gets to a route that is said to be
// behind another one.
func TestReach(t *testing.T) {
	var routes []*corsprocv1.Route
	for _, s := range []string{"/", "/a", "/a/", "/a/b", "/ab", "/a/b/"} {
		routes = append(routes, &corsprocv1.Route{Path: s}, &corsprocv1.Route{Prefix: s},
			&corsprocv1.Route{Regex: s}, &corsprocv1.Route{Regex: s + ".*"}, &corsprocv1.Route{Regex: s + ".+"})
		if !strings.HasSuffix(s, "/") {
			routes = append(routes, &corsprocv1.Route{PathSeparatedPrefix: s})
		}
	}
	routes = append(routes, &corsprocv1.Route{Regex: ".*"}, &corsprocv1.Route{Regex: "/(a|b)"}, &corsprocv1.Route{Regex: "(?i)/A"})
	var paths []string
	for _, s := range []string{"", "a", "b", "ab", "A"} {
		for _, rest := range []string{"", "/", "/a", "/b", "/b/", "/b/a", "/ba"} {
			paths = append(paths, "/"+s+rest)
		}
	}
	said := 0
	for _, first := range routes {
		for _, second := range routes {
			set := &corsprocv1.PolicySet{VirtualHosts: []*corsprocv1.VirtualHost{{Name: "h", Routes: []*corsprocv1.Route{first, second}}}}
			compiled, findings := compileLinted(set)
			for _, f := range findings {
				if f.Code != finding.CodeUnreachableRoute || !strings.Contains(string(f.Location.Path), "\x011") {
					continue
				}
				said++
				for _, path := range paths {
					if compiled.Hosts[1].RouteOf("", path) == 1 {
						t.Errorf("%v behind %v: %s gets there", second, first, path)
					}
				}
			}
		}
	}
	if said < 100 {
		t.Errorf("only %d routes were found to be behind others", said)
	}
}

// TestInclusion holds what is said of expressions behind several routes against trying short paths: no path gets to a
// route that is said to be behind others, and hardly any route that none of them gets to is left out.
func TestInclusion(t *testing.T) {
	var paths []string
	for i, next := 0, []string{"/"}; i < 5; i++ {
		paths = append(paths, next...)
		longer := make([]string, 0, 3*len(next))
		for _, p := range next {
			longer = append(longer, p+"a", p+"b", p+"/")
		}
		next = longer
	}
	random := rand.New(rand.NewPCG(4, 2))
	var expression func(depth int) string
	expression = func(depth int) string {
		pick := random.IntN(9)
		if depth == 0 {
			pick %= 5
		}
		switch pick {
		case 0:
			return "a"
		case 1:
			return "b"
		case 2:
			return "/"
		case 3:
			return "[^/]"
		case 4:
			return "."
		case 5:
			return "(" + expression(depth-1) + "|" + expression(depth-1) + ")"
		case 6:
			return "(" + expression(depth-1) + ")" + []string{"*", "+", "?", "{2}"}[random.IntN(4)]
		}
		return expression(depth-1) + expression(depth-1)
	}
	said, missed := 0, 0
	for range 3000 {
		h := &corsprocv1.VirtualHost{Name: "h"}
		for range 4 {
			r := &corsprocv1.Route{Regex: "/" + expression(3)}
			switch text := []string{"/", "/a", "/b/a", "/a/"}[random.IntN(4)]; random.IntN(6) {
			case 0:
				r = &corsprocv1.Route{Prefix: text}
			case 1:
				r = &corsprocv1.Route{Path: text}
			case 2:
				r = &corsprocv1.Route{PathSeparatedPrefix: "/a"}
			}
			h.Routes = append(h.Routes, r)
		}
		compiled, findings := compileLinted(&corsprocv1.PolicySet{VirtualHosts: []*corsprocv1.VirtualHost{h}})
		reached := map[int]string{}
		for _, path := range paths {
			reached[compiled.Hosts[1].RouteOf("", path)] = path
		}
		behind := map[int]bool{}
		for _, f := range findings {
			if f.Code == finding.CodeUnreachableRoute && f.Related != nil {
				var i int
				if _, err := fmt.Sscanf(f.Location.Path.String(), "virtual_hosts[0].routes[%d]", &i); err != nil {
					t.Fatal(err)
				}
				behind[i] = true
			}
		}
		for i, r := range h.Routes {
			path, ok := reached[i]
			switch {
			case behind[i] && ok:
				t.Errorf("%v: %s gets to %v", h.Routes, path, r)
			case behind[i]:
				said++
			case !ok:
				missed++ // longer paths may get there
			}
		}
	}
	t.Logf("%d routes are behind others; of %d more that is not known", said, missed)
	if said < 1000 || missed > said/5 {
		t.Error("too many are left out")
	}
}

// TestLintCost compiles sets that are as hard on a lint as can be: none may take time that grows with the square of the
// set's size.
func TestLintCost(t *testing.T) {
	const n = 20_000
	few, most := costlySets(n/growth.Factor), costlySets(n)
	for name := range most {
		t.Run(name, func(t *testing.T) {
			compile := func(set *corsprocv1.PolicySet) func() {
				return func() { compileLinted(set) }
			}
			growth.AtMost(t, growth.Factor*growth.Factor/4, compile(few[name]), compile(most[name]))
		})
	}
}

// costlySets returns sets whose size goes by n.
func costlySets(n int) map[string]*corsprocv1.PolicySet {
	list := func(format string) (texts []string) {
		for i := range n {
			texts = append(texts, fmt.Sprintf(format, i))
		}
		return texts
	}
	ports := list("https://*.a.example:%d")[1:]
	hosts := func(match func(i int) *corsprocv1.Route) []*corsprocv1.VirtualHost {
		h := &corsprocv1.VirtualHost{Name: "h"}
		for i := range n {
			h.Routes = append(h.Routes, match(i))
		}
		return []*corsprocv1.VirtualHost{h}
	}
	many := map[string]*corsprocv1.Policy{}
	var places []*corsprocv1.VirtualHost
	for i := range n / 10 {
		name := fmt.Sprint("p", i)
		many[name] = &corsprocv1.Policy{AllowOrigins: []string{"@s"}, DenyOrigins: []string{"https://*.never.example"}}
		places = append(places, &corsprocv1.VirtualHost{Name: name, Policies: &corsprocv1.PolicyList{Names: []string{name, "p0"}}})
	}
	return map[string]*corsprocv1.PolicySet{
		"one host on many ports": {Policies: map[string]*corsprocv1.Policy{"p": {AllowOrigins: ports, DenyOrigins: ports}}},
		"many denies": {Policies: map[string]*corsprocv1.Policy{
			"p": {AllowOrigins: list("https://h%d.a.example"), DenyOrigins: list("https://*.h%d.b.example")}}},
		"a large set in many policies": {Policies: many, VirtualHosts: places,
			OriginSets: map[string]*corsprocv1.OriginList{"s": {Origins: list("https://h%d.a.example")}}},
		"prefixes":    {VirtualHosts: hosts(func(i int) *corsprocv1.Route { return &corsprocv1.Route{Prefix: fmt.Sprintf("/r%d/", i)} })},
		"expressions": {VirtualHosts: hosts(func(i int) *corsprocv1.Route { return &corsprocv1.Route{Regex: fmt.Sprintf("/r%d/[0-9]+", i)} })},
		"starry expressions": {VirtualHosts: hosts(func(i int) *corsprocv1.Route {
			return &corsprocv1.Route{Regex: fmt.Sprintf("/(a|b)*%d.*[a-z]{1,20}", i)}
		})},
		"names": {VirtualHosts: hosts(func(i int) *corsprocv1.Route { return &corsprocv1.Route{RouteName: fmt.Sprintf("r%d/*", i)} })},
		"starry names": {VirtualHosts: hosts(func(i int) *corsprocv1.Route {
			return &corsprocv1.Route{RouteName: fmt.Sprintf("*r%d", i%1000)}
		})},
	}
}
