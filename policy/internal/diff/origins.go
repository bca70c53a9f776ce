package diff

// Tested by policy/diff_test.go, policy/testdata/diff.yaml and policy/diff_random_test.go.

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
)

// subject is an origin that stands for all that a pattern matches and no narrower pattern does: for https://*.a.com
// a subdomain that nobody wrote down.
type subject struct {
	text    string // the pattern
	pattern origin.Pattern
	origin  origin.Origin
	// An expression is compared as text: it stands for itself, and for a sample of what it matches where it is compared
	// with patterns.
	regex string
}

// subjects are the origins that two lists of policies can tell apart, each once.
type subjects struct {
	list []subject
	seen map[string]bool // by text, and for expressions by sample
}

// originChange is a change with those for whom it is the same.
type originChange struct {
	change  *Change
	members []int
}

// compareOrigins returns what changes for whom between two lists of policies.
func (d *differ) compareOrigins(before, after []*compiled.Policy) []*Change {
	all := subjectsOf(before, after)
	found := map[string]*originChange{}
	asked, askedAfter := d.newAsked(before), d.newAsked(after)
	for i := range all {
		b, a := asked.ask(&all[i]), askedAfter.ask(&all[i])
		if b == a {
			continue
		}
		for _, c := range compareGrants(b, a) {
			key := changeKey(c)
			if found[key] == nil {
				found[key] = &originChange{change: c}
			}
			found[key].members = append(found[key].members, i)
		}
	}
	changes := make([]*Change, 0, len(found))
	for _, f := range found {
		f.change.Origins, f.change.Except = summarise(all, f.members)
		changes = append(changes, f.change)
	}
	slices.SortFunc(changes, func(a, b *Change) int {
		return cmp.Or(
			cmp.Compare(a.What, b.What),
			cmp.Compare(a.Effect, b.Effect),
			slices.Compare(a.Origins, b.Origins),
			strings.Compare(changeKey(a), changeKey(b)),
		)
	})
	return changes
}

// changeKey is equal for changes that are the same, whomever they are about.
func changeKey(c *Change) string {
	var g Grant
	if c.Grant != nil {
		g = *c.Grant
	}
	return fmt.Sprintf("%d %d %q %q %q %q %q %q %t %t %d", c.What, c.Effect, c.Values, c.Old, c.New,
		g.Methods, g.Headers, g.Exposed, g.Credentials, g.ExposeUpstream, g.MaxAge)
}

// subjectsOf returns the origins that two lists of policies can tell apart.
func subjectsOf(lists ...[]*compiled.Policy) []subject {
	all := subjects{seen: map[string]bool{}}
	var written []*match.Origins
	seen := map[*match.Origins]bool{}
	regexes := map[string]*regexp.Regexp{}
	for _, list := range lists {
		for _, g := range list {
			for _, sets := range [...][]*match.Origins{g.Allow, g.Deny} {
				for _, set := range sets {
					if !seen[set] {
						seen[set] = true
						written = append(written, set)
					}
				}
			}
			for _, re := range g.Regexes {
				regexes[re.String()] = re
			}
		}
	}
	for _, set := range written {
		for p := range set.All() {
			if p.IsExact() {
				o := p.Origin // whose text is the pattern
				all.add(o.Text, p, o)
			}
		}
	}
	ports := portsOf(written)
	for _, set := range written {
		all.addPatterns(set, ports)
	}
	for text, re := range regexes {
		all.addRegex(text, re)
	}
	slices.SortFunc(all.list, func(a, b subject) int {
		return cmp.Or(cmp.Compare(a.width(), b.width()), cmp.Compare(len(a.pattern.Origin.Host), len(b.pattern.Origin.Host)),
			cmp.Compare(min(a.pattern.Origin.Port, 0), min(b.pattern.Origin.Port, 0)), strings.Compare(a.text, b.text))
	})
	return all.list
}

// maxPortSubjects bounds how many pairs of a wildcard and a port are looked at. Nobody lists wildcards with many ports.
const maxPortSubjects = 100_000

// ports are what patterns with a wildcard for the host, or for the port, say of ports.
type ports struct {
	named map[origin.Scope][]int32  // by the pattern but for its port
	any   map[origin.Scope]bool     // those that are there with any port
	used  map[string]map[int32]bool // by scheme
	left  int                       // of maxPortSubjects
}

// portsOf collects the ports of patterns with a wildcard for the host.
func portsOf(sets []*match.Origins) *ports {
	all := &ports{named: map[origin.Scope][]int32{}, any: map[origin.Scope]bool{}, used: map[string]map[int32]bool{}, left: maxPortSubjects}
	for _, set := range sets {
		for p := range set.All() {
			key := origin.ScopeOf(&p)
			switch port := p.Origin.Port; {
			case port == origin.AnyPort:
				all.any[key] = true
			case p.Hosts != origin.HostExact && port > 0:
				all.named[key] = append(all.named[key], port)
				if all.used[key.Scheme] == nil {
					all.used[key.Scheme] = map[int32]bool{}
				}
				all.used[key.Scheme][port] = true
			}
		}
	}
	for key, list := range all.named {
		slices.Sort(list)
		all.named[key] = slices.Compact(list)
	}
	return all
}

// of returns the ports on which a pattern differs from those around it: its own, and if it is there with any port those
// that wider patterns name, with which it meets there. On every other port it does not matter.
func (p *ports) of(w *origin.Pattern) (list []int32) {
	key := origin.ScopeOf(w)
	list = p.named[key]
	if p.any[key] {
		for around := range origin.Around(w) {
			if around != key {
				list = append(list[:len(list):len(list)], p.named[around]...)
			}
		}
	}
	list = list[:min(len(list), p.left)]
	p.left -= len(list)
	return list
}

// free returns a port that no pattern names: neither one with a wildcard for the host nor an exact origin of the host.
func (p *ports) free(scheme, host string, all *subjects) int32 {
	for port := int32(47831); ; port++ {
		if !p.used[scheme][port] && !all.seen[scheme+"://"+host+":"+strconv.Itoa(int(port))] {
			return port
		}
	}
}

// addPatterns adds what stands for the patterns of a list that are no exact origins.
func (all *subjects) addPatterns(set *match.Origins, ports *ports) {
	if set.Any != 0 {
		all.add("*", origin.Pattern{Kind: origin.PatternAny}, freshOrigin)
	}
	if set.Any != 0 || set.Null != 0 {
		all.add("null", origin.Pattern{Kind: origin.PatternNull}, origin.Origin{Text: "null", Null: true})
	}
	for p := range set.All() {
		if p.IsExact() {
			continue
		}
		host := p.Origin.Host
		switch p.Hosts {
		case origin.HostSub:
			host = freshHost + "." + host
		case origin.HostAny:
			host = freshHost
		}
		all.addWildcard(&p, host, ports)
	}
}

// freshOrigin is one that only "*" covers.
var freshOrigin = origin.Origin{Text: fresh + "://" + fresh, Scheme: fresh, Host: fresh}

// freshHost stands for any host: it has several labels, and what few expressions allow.
const freshHost = "0-corsproc_diff-0.x"

// addWildcard adds what stands for a pattern with a wildcard: an origin of a host on each port that makes a difference.
func (all *subjects) addWildcard(p *origin.Pattern, host string, ports *ports) {
	kind, scheme, base := p.Hosts, p.Origin.Scheme, p.Origin.Host
	text := scheme + "://" + [...]string{origin.HostExact: base, origin.HostSub: "*." + base, origin.HostAny: "*"}[kind]
	if all.seen[text+":*"] {
		return // a pattern that differs by its port was here
	}
	add := func(suffix string, port, sent int32) {
		o := origin.Origin{Scheme: scheme, Host: host, Port: sent, Text: scheme + "://" + host}
		if sent > 0 {
			o.Text += ":" + strconv.Itoa(int(sent))
		}
		all.add(text+suffix, origin.Pattern{Kind: origin.PatternOrigin, Hosts: kind, Origin: origin.Origin{Scheme: scheme, Host: base, Port: port}}, o)
	}
	add("", 0, 0)
	for _, port := range ports.of(p) {
		add(":"+strconv.Itoa(int(port)), port, port)
	}
	add(":*", origin.AnyPort, ports.free(scheme, host, all))
}

// addRegex adds an expression, once for each sample of what it matches. Samples that somebody wrote down as origins say
// nothing of the others.
func (all *subjects) addRegex(compiled string, re *regexp.Regexp) {
	text := "regex " + strings.TrimSuffix(strings.TrimPrefix(compiled, `\A(?:`), `)\z`)
	found := false
	if tree, err := syntax.Parse(compiled, syntax.Perl); err == nil {
		for _, s := range regex.Samples(tree) {
			o, ok := origin.Parse(s)
			if ok && !o.Null && !all.seen[s] && re.MatchString(s) {
				all.list = append(all.list, subject{text: text, origin: o, regex: compiled})
				found = true
			}
		}
	}
	if !found {
		all.list = append(all.list, subject{text: text, origin: freshOrigin, regex: compiled})
	}
}

func (all *subjects) add(text string, p origin.Pattern, o origin.Origin) {
	if all.seen[text] {
		return
	}
	all.seen[text] = true
	p.Origin.Text = text
	all.list = append(all.list, subject{text: text, pattern: p, origin: o})
}

// width sorts subjects so that a pattern comes before all that it covers; among those of one width shorter hosts and any
// port come first.
func (s *subject) width() int {
	switch p := &s.pattern; {
	case s.regex != "":
		return 6
	case p.Kind == origin.PatternAny:
		return 0
	case p.Kind == origin.PatternNull:
		return 5
	case p.Hosts == origin.HostAny:
		return 1
	case p.Hosts == origin.HostSub:
		return 2
	case !p.IsExact():
		return 3
	}
	return 4
}

// coversSubject reports whether a list of patterns, in the order of their width, covers a subject.
func coversSubject(s *match.Origins, other *subject) bool {
	switch {
	case other.regex != "":
		return false
	case other.origin.Null:
		return s.Any != 0 || s.Null != 0
	}
	return s.Match(&other.origin) != 0
}

// summarise writes down for whom something changes: the widest patterns, and what they cover and is not meant.
func summarise(all []subject, members []int) (texts, except []string) {
	const covered = 1 // which one does not matter
	told := new(match.OriginIndex).List()
	inside := make(map[string]bool, len(members))
	for _, i := range members {
		s := &all[i]
		repeated := inside[s.text] // another sample of an expression
		inside[s.text] = true
		if repeated || coversSubject(&told, s) {
			continue
		}
		texts = append(texts, s.text)
		if s.regex == "" {
			told.Add(&s.pattern, covered)
		}
	}
	if told.Any != 0 || told.HasWildcards() {
		others := new(match.OriginIndex).List()
		for i := range all {
			if s := &all[i]; !inside[s.text] && coversSubject(&told, s) && !coversSubject(&others, s) {
				except = append(except, s.text)
				others.Add(&s.pattern, covered)
			}
		}
	}
	slices.Sort(texts)
	slices.Sort(except)
	return texts, except
}
