package convert

// Tested by builder_test.go and golden_test.go.

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/draft"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// merged is a policy of the file: one for all proposals that say the same.
type merged struct {
	policy    *corsprocv1.Policy
	proposals []*proposal
	name      string
}

// finish makes the policy file.
func (b *builder) finish() (*Result, error) {
	policies, of := b.merge(b.proposals())
	if b.makeLoadable(policies) { // what was dropped may have been what made them differ
		policies, of = b.merge(b.proposals())
		b.makeLoadable(policies)
	}
	b.settle(of)
	b.joinHosts(of)

	f := &draft.File{Set: &corsprocv1.PolicySet{Policies: map[string]*corsprocv1.Policy{}}}
	f.Head = append(f.Head, fmt.Sprintf("Written by corsproc import %s. Read it with corsproc check, and try it as candidates first.", b.kind))
	f.Head = append(f.Head, b.head.texts...)
	b.write(f, of)
	result := &Result{File: f.Bytes(), Warnings: b.sortedWarnings()}
	if err := b.loads(result.File, f.Set); err != nil {
		return nil, fmt.Errorf("the policy file that was made of these files does not load, which is a fault of corsproc: %w", err)
	}
	return result, nil
}

// proposals returns all proposals in the order of the file.
func (b *builder) proposals() (all []*proposal) {
	for _, h := range b.hosts {
		all = append(append(all, h.policies...), h.candidates...)
		for _, r := range h.routes {
			all = append(append(all, r.policies...), r.candidates...)
		}
	}
	return all
}

// merge makes one policy of all proposals that say the same.
func (b *builder) merge(proposals []*proposal) (all []*merged, of map[*proposal]*merged) {
	byText := map[string]*merged{}
	of = map[*proposal]*merged{}
	for _, p := range proposals {
		if of[p] != nil {
			continue
		}
		dedupe(p.policy)
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(p.policy)
		if err != nil {
			text = []byte(p.policy.String()) // a text that is no UTF-8, which makeLoadable drops
		}
		m := byText[string(text)]
		if m == nil {
			m = &merged{policy: p.policy}
			byText[string(text)] = m
			all = append(all, m)
		}
		of[p] = m
		m.proposals = append(m.proposals, p)
	}
	return all, of
}

// dedupe takes out of lists what stands there twice.
func dedupe(p *corsprocv1.Policy) {
	p.AllowOrigins = once(p.AllowOrigins, false)
	p.AllowOriginRegexes = once(p.AllowOriginRegexes, false)
	p.AllowMethods = once(p.AllowMethods, false)
	p.AllowHeaders = once(p.AllowHeaders, true)
	p.ExposeHeaders = once(p.ExposeHeaders, true)
}

// once returns the first of each of a list. fold: names, whose case is ignored.
func once(list []string, fold bool) []string {
	seen := make(map[string]bool, len(list))
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool {
		if fold {
			s = strings.ToLower(s)
		}
		had := seen[s]
		seen[s] = true
		return had
	})
}

// settle takes out of places the policies that let nobody in, and the routes that change nothing.
func (b *builder) settle(of map[*proposal]*merged) {
	for _, h := range b.hosts {
		h.place.settle(of)
		seen := map[match]bool{}
		kept := h.routes[:0:0]
		for _, r := range h.routes {
			if seen[r.match] { // the first one takes all that this could
				continue
			}
			seen[r.match] = true
			r.place.settle(of)
			kept = append(kept, r)
		}
		h.routes = kept
		h.trim(of)
	}
}

func (p *place) settle(of map[*proposal]*merged) {
	some := len(p.policies) > 0
	p.policies = p.letIn(p.policies, of)
	p.candidates = p.letIn(p.candidates, of)
	p.nobody = len(p.policies) == 0 && (p.nobody || some)
}

// letIn returns the policies of a list that let anybody in, each once.
func (p *place) letIn(list []*proposal, of map[*proposal]*merged) (kept []*proposal) {
	for _, q := range list {
		m := of[q].policy
		switch {
		case len(m.AllowOrigins)+len(m.AllowOriginRegexes) == 0:
			p.notes.add(q.notes.texts...)
		case !slices.ContainsFunc(kept, func(k *proposal) bool { return of[k] == of[q] }):
			kept = append(kept, q)
		}
	}
	return kept
}

// maxTrimmed is among how many routes those are looked for that change nothing: each is held against all behind it.
const maxTrimmed = 1000

// trim leaves out routes that grant what the virtual host does anyway, unless they stand in front of others that would get
// their requests. A last route that covers every path is the virtual host's own place.
func (h *host) trim(of map[*proposal]*merged) {
	equal := func(p, q *proposal) bool { return of[p] == of[q] }
	same := func(a, b *place) bool {
		return a.reject == b.reject && a.nobody == b.nobody && slices.EqualFunc(a.policies, b.policies, equal) && slices.EqualFunc(a.candidates, b.candidates, equal)
	}
	if i := slices.IndexFunc(h.routes, func(r *route) bool { return r.match == everyPath }); i >= 0 { // nothing behind it is reached
		r := h.routes[i]
		texts := append(slices.Clone(h.notes.texts), r.notes.texts...)
		at := h.at
		h.place, h.routes = r.place, h.routes[:i]
		h.at, h.notes.texts = at, texts
	}
	var kept []*route // from the last to the first
	for _, r := range slices.Backward(h.routes) {
		inFront := func(behind *route) bool { return behind.match.meets(r.match) }
		if !same(&r.place, &h.place) || len(kept) > maxTrimmed || slices.ContainsFunc(kept, inFront) {
			kept = append(kept, r)
			continue
		}
		h.notes.add(r.notes.texts...)
	}
	slices.Reverse(kept)
	h.routes = kept
}

// joinHosts makes one virtual host of those that differ in their domains only, and sees to it that no name or domain stands
// twice.
func (b *builder) joinHosts(of map[*proposal]*merged) {
	faults := domainFaults(b.hosts)
	names, domains := map[string]*host{}, map[string]bool{}
	kept := b.hosts[:0:0]
	alikes := map[string]*host{}
	for _, h := range b.hosts {
		if h.name != "" && names[h.name] == nil {
			names[h.name] = h
		} else {
			h.name = ""
		}
		h.domains = slices.DeleteFunc(h.domains, func(d string) bool {
			lower := strings.ToLower(d)
			if domains[lower] {
				b.warn(&h.notes, h.at, codeTwice, "", fmt.Sprintf("%s stands in another virtual host before, which has it here: look at which of the two is meant", printable.Cut(d)))
				return true
			}
			if why := faults[lower]; why != "" {
				b.warn(&h.notes, h.at, codeDomain, "", fmt.Sprintf("%s is left out: %s", printable.Cut(d), why))
				return true
			}
			domains[lower] = true
			return false
		})
		if h.name == "" && len(h.domains) == 0 {
			b.head.texts = append(b.head.texts, h.notes.texts...)
			continue
		}
		if h.name == "" {
			key := h.key(of)
			if other := alikes[key]; other != nil {
				other.domains = append(other.domains, h.domains...)
				if from := h.at.String(); from != "" {
					other.notes.add("and from " + from)
				}
				continue
			}
			alikes[key] = h
		}
		kept = append(kept, h)
	}
	b.hosts = kept
}

// String returns a position as comments show it.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}
