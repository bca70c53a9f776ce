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
		for _, policy := range list {
			for _, sets := range [...][]*match.Origins{policy.Allow, policy.Deny} {
				for _, set := range sets {
					if !seen[set] {
						seen[set] = true
						written = append(written, set)
					}
				}
			}
			for _, re := range policy.Regexes {
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
	ports, stars := portsOf(written), labelsOf(written)
	for _, set := range written {
		all.addPatterns(set, ports, stars)
	}
	stars.addCommon(&all, ports)
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
	label map[origin.Scope][]int32  // of patterns with a star in a label, by the domain above
	left  int                       // of maxPortSubjects
}

// portsOf collects the ports of patterns with a wildcard for the host.
func portsOf(sets []*match.Origins) *ports {
	all := &ports{named: map[origin.Scope][]int32{}, any: map[origin.Scope]bool{}, used: map[string]map[int32]bool{}, label: map[origin.Scope][]int32{}, left: maxPortSubjects}
	for _, set := range sets {
		for p := range set.All() {
			key := origin.ScopeOf(&p)
			switch port := p.Origin.Port; {
			case port == origin.AnyPort:
				all.any[key] = true
			case p.Hosts != origin.HostExact && port > 0:
				all.named[key] = append(all.named[key], port)
				if key.Hosts == origin.HostLabel {
					key.Label = origin.Label{}
					all.label[key] = append(all.label[key], port)
				}
				if all.used[key.Scheme] == nil {
					all.used[key.Scheme] = map[int32]bool{}
				}
				all.used[key.Scheme][port] = true
			}
		}
	}
	for _, lists := range [...]map[origin.Scope][]int32{all.named, all.label} {
		for key, list := range lists {
			slices.Sort(list)
			lists[key] = slices.Compact(list)
		}
	}
	return all
}

// of returns the ports on which a pattern differs from those around it: its own, and if it is there with any port those
// that wider patterns name, with which it meets there. On every other port it does not matter.
func (p *ports) of(w *origin.Pattern) (list []int32) {
	key := origin.ScopeOf(w)
	list = p.named[key]
	if len(p.label) > 0 { // what else has a star in the label may be wider, or meet it
		if under, ok := labelScope(w); ok {
			list = append(list[:len(list):len(list)], p.label[under]...)
		}
	}
	if p.any[key] || w.Origin.Port == origin.AnyPort {
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
func (all *subjects) addPatterns(set *match.Origins, ports *ports, labels *labels) {
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
		case origin.HostLabel:
			host = labels.fresh(&p)
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
	scope := origin.ScopeOf(p)
	scheme, text := scope.Scheme, scope.Text()
	if all.seen[text+":*"] {
		return // a pattern that differs by its port was here
	}
	add := func(suffix string, port, sent int32) {
		o := origin.Origin{Scheme: scheme, Host: host, Port: sent, Text: scheme + "://" + host}
		if sent > 0 {
			o.Text += ":" + strconv.Itoa(int(sent))
		}
		all.add(text+suffix, origin.Pattern{Kind: origin.PatternOrigin, Hosts: scope.Hosts, Label: scope.Label, Origin: origin.Origin{Scheme: scheme, Host: scope.Host, Port: port}}, o)
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
		return 7
	case p.Kind == origin.PatternAny:
		return 0
	case p.Kind == origin.PatternNull:
		return 6
	case p.Hosts == origin.HostAny:
		return 1
	case p.Hosts == origin.HostSub:
		return 2
	case p.Hosts == origin.HostLabel:
		return widthLabel
	case !p.IsExact():
		return 4
	}
	return 5
}

// widthLabel is the width of patterns with a star in a label.
const widthLabel = 3

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

// told is a list of patterns that is told, in the order of their width.
type told struct {
	list  match.Origins
	texts []string
}

// tell tells the widest of those subjects that are meant, and reports whether there are any.
func tell(all []subject, meant func(*subject) bool) told {
	t := told{list: new(match.OriginIndex).List()}
	for i := 0; i < len(all); i++ {
		if all[i].width() == widthLabel {
			n := i
			for n < len(all) && all[n].width() == widthLabel {
				n++
			}
			t.tellLabels(all[i:n], meant)
			i = n - 1
			continue
		}
		s := &all[i]
		if !meant(s) || coversSubject(&t.list, s) {
			continue
		}
		t.texts = append(t.texts, s.text)
		if s.regex == "" {
			t.list.Add(&s.pattern, covered)
		}
	}
	return t
}

// covered is the number of every pattern that is told: which one does not matter.
const covered = 1

// tellLabels tells the widest of patterns with a star in a label. None is known to be wider than another before all are there.
func (t *told) tellLabels(some []subject, meant func(*subject) bool) {
	var left []*subject
	for i := range some {
		if s := &some[i]; meant(s) && !coversSubject(&t.list, s) {
			left = append(left, s)
		}
	}
	all := new(match.OriginIndex).List()
	for i, s := range left {
		all.Add(&s.pattern, uint64(i+1))
	}
	for _, s := range left {
		if all.CoveringWider(&s.pattern, nil) == 0 {
			t.texts = append(t.texts, s.text)
			t.list.Add(&s.pattern, covered)
		}
	}
}

// summarise writes down for whom something changes: the widest patterns, and what they cover and is not meant.
func summarise(all []subject, members []int) (texts, except []string) {
	inside := make(map[string]bool, len(members))
	index := make(map[*subject]bool, len(members))
	for _, i := range members {
		s := &all[i]
		index[s] = !inside[s.text] // else it is another sample of an expression
		inside[s.text] = true
	}
	widest := tell(all, func(s *subject) bool { return index[s] })
	texts = widest.texts
	if widest.list.Any != 0 || widest.list.HasWildcards() {
		except = tell(all, func(s *subject) bool { return !inside[s.text] && coversSubject(&widest.list, s) }).texts
	}
	slices.Sort(texts)
	slices.Sort(except)
	return texts, except
}
