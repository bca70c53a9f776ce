package policy

import (
	"iter"

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
	open  map[*lintedPolicy][]*pattern
	asked map[[2]*lintedPolicy]bool
	looks int // what is left of maxDenyLooks
}

// lintDenies finds entries of deny_origins that take nothing away: neither from what the policy itself allows nor,
// because a deny ends the search, from what a policy allows that is tried after it.
func (l *linter) lintDenies() {
	d := denies{map[*lintedPolicy][]*pattern{}, map[[2]*lintedPolicy]bool{}, maxDenyLooks}
	for _, p := range l.policies {
		for i := range p.deny.own {
			if deny := &p.deny.own[i]; !p.deny.covered[deny.index] { // else that is said already
				d.open[p] = append(d.open[p], deny)
			}
		}
		d.dropUseful(p, p)
	}
	if len(d.open) == 0 {
		return
	}
	for list := range l.lists() {
		for i, name := range list {
			p := l.byGrant[l.set.byName[name]]
			if len(d.open[p]) == 0 {
				continue
			}
			if len(list) > maxListLookedAt {
				delete(d.open, p)
				continue
			}
			for _, later := range list[i+1:] {
				if q := l.byGrant[l.set.byName[later]]; q != nil {
					d.dropUseful(p, q)
				}
			}
		}
	}
	for _, p := range l.policies {
		for _, deny := range d.open[p] {
			l.warn(p.deny.at.element(deny.index), CodeDenyOutsideAllow, text(deny),
				"nothing here allows this origin, neither this policy nor one that is tried after it: there is nothing to deny", "", nil)
		}
	}
}

// lists yields every list of policies of every place.
func (l *linter) lists() iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, src := range l.sources {
			for m := range places(src.Set) {
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
func (d *denies) dropUseful(p, q *lintedPolicy) {
	if len(d.open[p]) == 0 || d.asked[[2]*lintedPolicy{p, q}] {
		return
	}
	d.asked[[2]*lintedPolicy{p, q}] = true
	var rest, wild []*pattern
	for _, deny := range d.open[p] {
		d.looks--
		switch {
		case deny.kind != patternNull && !deny.isExact():
			wild = append(wild, deny)
		case q.allows(&origin{
			text: deny.origin.text, scheme: deny.origin.scheme, host: deny.origin.host, port: deny.origin.port,
			null: deny.kind == patternNull,
		}) == 0:
			rest = append(rest, deny)
		}
	}
	if len(wild) > 0 {
		rest = append(rest, d.outside(wild, q)...)
	}
	if d.looks < 0 || len(rest) == 0 {
		delete(d.open, p)
		return
	}
	d.open[p] = rest
}

// outside returns those wildcards that match nothing that q allows. What an expression may accept is not guessed: beside
// one, nothing is outside.
func (d *denies) outside(wild []*pattern, q *lintedPolicy) (rest []*pattern) {
	if q.anybody != 0 || len(q.regexes) > 0 {
		return nil
	}
	denied := map[coverKey][]*pattern{} // by what they match, whatever the port
	for _, deny := range wild {
		key := keyOf(deny)
		key.port = 0
		denied[key] = append(denied[key], deny)
	}
	useful := map[*pattern]bool{}
	allowed := map[coverKey][]int32{} // the ports of allowed wildcards
	any := false
	for a := range q.allow.all() {
		any = true
		if d.looks--; d.looks < 0 {
			return nil
		}
		if a.kind != patternOrigin {
			continue
		}
		for key := range enclosingHosts(a) { // a deny around what is allowed
			for _, deny := range denied[key] {
				d.looks--
				useful[deny] = useful[deny] || portsMeet(deny.origin.port, a.origin.port)
			}
		}
		if a.host != hostExact {
			key := keyOf(a)
			key.port = 0
			allowed[key] = append(allowed[key], a.origin.port)
		}
	}
	for _, deny := range wild {
		if deny.kind == patternAny {
			useful[deny] = any
			continue
		}
		for key := range enclosingHosts(deny) { // a deny inside what is allowed
			for _, port := range allowed[key] {
				d.looks--
				useful[deny] = useful[deny] || portsMeet(deny.origin.port, port)
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

func portsMeet(a, b int32) bool { return a == b || a == anyPort || b == anyPort }

// all yields every pattern of a list, those of its sets too.
func (list *patternList) all() iter.Seq[*pattern] {
	return func(yield func(*pattern) bool) {
		for i := range list.own {
			if !yield(&list.own[i]) {
				return
			}
		}
		for _, set := range list.sets {
			for i := range set.patterns {
				if !yield(&set.patterns[i]) {
					return
				}
			}
		}
	}
}
