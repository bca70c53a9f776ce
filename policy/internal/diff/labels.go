package diff

// Tested by policy/diff_test.go, policy/testdata/diff.yaml and policy/diff_random_test.go.

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// maxLabelPairs bounds how many pairs of patterns with a star in a label are looked at for what is common to them, for two lists
// of policies. Beyond it patterns that cross are told apart by what is theirs alone.
const maxLabelPairs = 100_000

// labels are all patterns of two lists of policies that have a star in a label, whatever their ports.
type labels struct {
	list  match.Origins
	all   []origin.Label // by the number in the list, from 1 on
	seen  map[origin.Scope]bool
	under map[origin.Scope][]origin.Label // by the domain
	order []origin.Scope                  // of the domains
}

func labelsOf(sets []*match.Origins) *labels {
	l := &labels{list: new(match.OriginIndex).List(), seen: map[origin.Scope]bool{}, under: map[origin.Scope][]origin.Label{}}
	for _, set := range sets {
		if !set.HasLabels() {
			continue
		}
		for p := range set.All() {
			scope := origin.ScopeOf(&p)
			if p.Hosts != origin.HostLabel || l.seen[scope] {
				continue
			}
			p.Origin.Text, p.Origin.Port = scope.Text()+":*", origin.AnyPort
			l.seen[scope] = true
			l.all = append(l.all, p.Label)
			l.list.Add(&p, uint64(len(l.all)))
			under, _ := labelScope(&p)
			if l.under[under] == nil {
				l.order = append(l.order, under)
			}
			l.under[under] = append(l.under[under], p.Label)
		}
	}
	l.list.Complete()
	return l
}

// labelScope returns what stands for all labels under the domain above a pattern's leftmost label, if it is about a single one.
func labelScope(p *origin.Pattern) (under origin.Scope, ok bool) {
	under = origin.Scope{Hosts: origin.HostLabel, Scheme: p.Origin.Scheme, Host: p.Origin.Host}
	switch p.Hosts {
	case origin.HostLabel:
		return under, true
	case origin.HostExact:
		_, under.Host, ok = strings.Cut(p.Origin.Host, ".")
		return under, ok
	}
	return under, false
}

// freshLabels stand for any text of a label: that of a pattern is the first that no narrower pattern means.
var freshLabels = []string{"0-corsproc-diff-0", "z9-corsproc-diff-9z", "q4x-corsproc-diff-x4q", "7", "-", "m--m"}

// fresh returns a host that a pattern covers and, if there is one, no narrower pattern does.
func (l *labels) fresh(p *origin.Pattern) (host string) {
	for _, text := range freshLabels {
		host = p.Prefix + text + p.Suffix + "." + p.Origin.Host
		o := origin.Origin{Scheme: p.Origin.Scheme, Host: host, Text: p.Origin.Scheme + "://" + host}
		if !slices.ContainsFunc(l.list.Covering(&o), func(number uint64) bool { return l.all[number-1] != p.Label && p.Label.CoversAll(l.all[number-1]) }) {
			return host
		}
	}
	return p.Prefix + freshLabels[0] + p.Suffix + "." + p.Origin.Host
}

// addCommon adds what stands for the labels that two patterns cover of which neither covers the other.
func (l *labels) addCommon(all *subjects, ports *ports) {
	left := maxLabelPairs
	for _, under := range l.order {
		list := l.under[under]
		for i, a := range list {
			for _, b := range list[:i] {
				if left--; left < 0 {
					return
				}
				if a.Prefix == b.Prefix || a.Suffix == b.Suffix {
					continue // one covers the other, or nothing is common to them
				}
				both, wide, single := a.Common(b, freshLabels[0])
				if wide && (both == a || both == b) {
					continue
				}
				p := origin.Pattern{Kind: origin.PatternOrigin, Hosts: origin.HostLabel, Label: both, Origin: origin.Origin{Scheme: under.Scheme, Host: under.Host, Port: origin.AnyPort}}
				if wide {
					all.addWildcard(&p, l.fresh(&p), ports)
				}
				p.Hosts, p.Label = origin.HostExact, origin.Label{}
				for _, label := range single {
					p.Origin.Host = label + "." + under.Host
					all.addWildcard(&p, p.Origin.Host, ports)
				}
			}
		}
	}
}
