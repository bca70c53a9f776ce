package lint

// Tested by lint_test.go and policy/testdata/lints.yaml.

import (
	"iter"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compile"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Limits of the question what a deny takes away: how many patterns are looked at for all denies together, and how long a
// list of policies is looked through. Beyond them nothing is said.
const (
	maxDenyLooks    = 5_000_000
	maxListLookedAt = 64
)

// denies are the entries of deny_origins of which it is not known yet that they take something away.
type denies struct {
	open  map[*compiled.Policy][]*origin.Pattern
	sets  map[*compiled.Policy][]setReference // the same of references
	asked map[[2]*compiled.Policy]bool
	looks int // what is left of maxDenyLooks
}

// lintDenies finds entries of deny_origins that take nothing away: neither from what the policy itself allows nor,
// because a deny ends the search, from what a policy allows that is tried after it.
func (l *Linter) lintDenies() {
	d := denies{map[*compiled.Policy][]*origin.Pattern{}, map[*compiled.Policy][]setReference{}, map[[2]*compiled.Policy]bool{}, maxDenyLooks}
	for _, p := range l.Set.Policies {
		list := l.denying[p]
		if list == nil {
			continue
		}
		for i := range list.entries {
			if deny := &list.entries[i]; !deny.covered { // else that is said already
				d.open[p] = append(d.open[p], &deny.Pattern)
			}
		}
		for _, set := range list.sets {
			if !set.covered && !set.Empty() {
				d.sets[p] = append(d.sets[p], set)
			}
		}
		d.dropUseful(p, p)
	}
	if len(d.open) == 0 && len(d.sets) == 0 {
		return
	}
	for list := range l.lists() {
		for i, name := range list {
			p := l.Set.ByName[name]
			if len(d.open[p]) == 0 && len(d.sets[p]) == 0 {
				continue
			}
			if len(list) > maxListLookedAt {
				d.drop(p)
				continue
			}
			for _, later := range list[i+1:] {
				if q := l.Set.ByName[later]; q != nil && !q.Builtin {
					d.dropUseful(p, q)
				}
			}
		}
	}
	for _, p := range l.Set.Policies {
		for _, deny := range d.open[p] {
			l.found.Warn(finding.Finding{Code: finding.CodeDenyOutsideAllow, Location: l.denying[p].At.Index(deny.Index), Value: text(deny),
				Message: "nothing here allows this origin, neither this policy nor one that is tried after it: there is nothing to deny"})
		}
		for _, set := range d.sets[p] {
			l.found.Warn(finding.Finding{Code: finding.CodeDenyOutsideAllow, Location: l.denying[p].At.Index(set.Element), Value: "@" + set.Name,
				Message: "nothing here allows an origin of this set, neither this policy nor one that is tried after it: there is nothing to deny"})
		}
	}
}

// drop says that nothing is known of the denies of a policy.
func (d *denies) drop(p *compiled.Policy) {
	delete(d.open, p)
	delete(d.sets, p)
}

// lists yields every list of policies of every place.
func (l *Linter) lists() iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, f := range l.Files {
			for _, m := range compile.Places(f.Set) {
				for _, list := range [...]*corsprocv1.PolicyList{m.GetPolicies(), m.GetCandidates()} {
					if len(list.GetNames()) > 0 && !yield(list.GetNames()) {
						return
					}
				}
			}
		}
	}
}

// dropUseful drops those open denies of p that take something from what q allows.
func (d *denies) dropUseful(p, q *compiled.Policy) {
	if len(d.open[p]) == 0 && len(d.sets[p]) == 0 || d.asked[[2]*compiled.Policy{p, q}] {
		return
	}
	d.asked[[2]*compiled.Policy{p, q}] = true
	rest := d.useless(slices.Values(d.open[p]), q, false)
	var sets []setReference
	for _, set := range d.sets[p] {
		if d.useless(set.Patterns(), q, true) != nil {
			sets = append(sets, set)
		}
	}
	if d.looks < 0 {
		rest, sets = nil, nil
	}
	d.open[p], d.sets[p] = rest, sets
	if len(rest) == 0 && len(sets) == 0 {
		d.drop(p)
	}
}

// useless returns those of some denies that take nothing from what q allows; none if all of them are asked for and one
// does.
func (d *denies) useless(list iter.Seq[*origin.Pattern], q *compiled.Policy, all bool) (rest []*origin.Pattern) {
	var wild []*origin.Pattern
	for deny := range list {
		if d.looks--; d.looks < 0 {
			return nil
		}
		switch {
		case deny.Kind != origin.PatternNull && !deny.IsExact():
			wild = append(wild, deny)
		case q.Allows(&origin.Origin{
			Text: deny.Origin.Text, Scheme: deny.Origin.Scheme, Host: deny.Origin.Host, Port: deny.Origin.Port,
			Null: deny.Kind == origin.PatternNull,
		}) == 0:
			rest = append(rest, deny)
		case all:
			return nil
		}
	}
	if len(wild) > 0 {
		outside := d.outside(wild, q)
		if all && len(outside) < len(wild) {
			return nil
		}
		rest = append(rest, outside...)
	}
	return rest
}

// outside returns those wildcards that match nothing that q allows. What an expression may accept is not guessed: beside
// one, nothing is outside.
func (d *denies) outside(wild []*origin.Pattern, q *compiled.Policy) (rest []*origin.Pattern) {
	if q.Anybody != 0 || len(q.Regexes) > 0 {
		return nil
	}
	denied := map[origin.Scope][]*origin.Pattern{} // by what they match, whatever the port
	labels := map[origin.Scope][]*origin.Pattern{} // with a star in a label, by all labels of the domain
	for _, deny := range wild {
		key := origin.ScopeOf(deny)
		denied[key] = append(denied[key], deny)
		if deny.Hosts == origin.HostLabel {
			key.Label = origin.Label{}
			labels[key] = append(labels[key], deny)
		}
	}
	useful := map[*origin.Pattern]bool{}
	allowed := map[origin.Scope][]int32{} // the ports of allowed wildcards
	any := false
	for _, set := range q.Allow {
		any = any || set.Null != 0 // "*" does not get here
		for a := range set.All() {
			any = true
			if d.looks--; d.looks < 0 {
				return nil
			}
			for key := range origin.Around(&a) { // a deny around what is allowed
				for _, deny := range denied[key] {
					d.looks--
					useful[deny] = useful[deny] || portsMeet(deny.Origin.Port, a.Origin.Port)
				}
			}
			label, key := labelOf(&a)
			for _, deny := range labels[key] {
				if d.looks--; d.looks < 0 {
					return nil
				}
				useful[deny] = useful[deny] || portsMeet(deny.Origin.Port, a.Origin.Port) && meets(deny.Label, label, a.Hosts)
			}
			if a.Hosts != origin.HostExact {
				key := origin.ScopeOf(&a)
				allowed[key] = append(allowed[key], a.Origin.Port)
			}
		}
	}
	for _, deny := range wild {
		if deny.Kind == origin.PatternAny {
			useful[deny] = any
			continue
		}
		for key := range origin.Around(deny) { // a deny inside what is allowed
			for _, port := range allowed[key] {
				d.looks--
				useful[deny] = useful[deny] || portsMeet(deny.Origin.Port, port)
			}
		}
	}
	for _, deny := range wild {
		if !useful[deny] {
			rest = append(rest, deny)
		}
	}
	return rest
}

func portsMeet(a, b int32) bool { return a == b || a == origin.AnyPort || b == origin.AnyPort }

// labelOf returns the leftmost label of what a pattern matches, and all labels under the domain above it.
func labelOf(p *origin.Pattern) (origin.Label, origin.Scope) {
	under := origin.Scope{Hosts: origin.HostLabel, Scheme: p.Origin.Scheme, Host: p.Origin.Host}
	switch p.Hosts {
	case origin.HostLabel:
		return p.Label, under
	case origin.HostExact:
		var label string
		if label, under.Host, _ = strings.Cut(p.Origin.Host, "."); under.Host != "" {
			return origin.Label{Prefix: label}, under
		}
	}
	return origin.Label{}, origin.Scope{}
}

// meets reports whether a label with a star and another one, which may be a label as it is, have something in common.
func meets(deny, label origin.Label, hosts origin.HostKind) bool {
	if hosts == origin.HostExact {
		return deny.Covers(label.Prefix)
	}
	_, wide, single := deny.Common(label, "0")
	return wide || len(single) > 0
}
