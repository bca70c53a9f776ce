package build

// Tested by builder_test.go and policy/convert/golden_test.go.

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
	proposals []*Proposal
	name      string
}

// Finish makes the policy file.
func (b *Builder) Finish() (*Result, error) {
	policies, of := b.merge(b.proposals())
	if b.makeLoadable(policies) { // what was dropped may have been what made them differ
		policies, of = b.merge(b.proposals())
		b.makeLoadable(policies)
	}
	b.settle(of)
	b.joinHosts(of)

	f := &draft.File{Set: &corsprocv1.PolicySet{Policies: map[string]*corsprocv1.Policy{}}}
	f.Head = append(f.Head, fmt.Sprintf("Written by corsproc import %s. Read it with corsproc check, and try it as candidates first.", b.kind))
	f.Head = append(f.Head, b.head.Texts...)
	b.write(f, of)
	result := &Result{File: f.Bytes(), Warnings: b.sortedWarnings()}
	if err := b.loads(result.File, f.Set); err != nil {
		return nil, fmt.Errorf("the policy file that was made of these files does not load, which is a fault of corsproc: %w", err)
	}
	return result, nil
}

// proposals returns all proposals in the order of the file.
func (b *Builder) proposals() (all []*Proposal) {
	for _, h := range b.Hosts {
		all = append(append(all, h.Policies...), h.Candidates...)
		for _, r := range h.Routes {
			all = append(append(all, r.Policies...), r.Candidates...)
		}
	}
	return all
}

// merge makes one policy of all proposals that say the same.
func (b *Builder) merge(proposals []*Proposal) (all []*merged, of map[*Proposal]*merged) {
	byText := map[string]*merged{}
	of = map[*Proposal]*merged{}
	for _, p := range proposals {
		if of[p] != nil {
			continue
		}
		dedupe(p.Policy)
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(p.Policy)
		if err != nil {
			text = []byte(p.Policy.String()) // a text that is no UTF-8, which makeLoadable drops
		}
		m := byText[string(text)]
		if m == nil {
			m = &merged{policy: p.Policy}
			byText[string(text)] = m
			all = append(all, m)
		}
		of[p] = m
		m.proposals = append(m.proposals, p)
	}
	return all, of
}

// settle takes out of places the policies that let nobody in, and the routes that change nothing.
func (b *Builder) settle(of map[*Proposal]*merged) {
	for _, h := range b.Hosts {
		h.Place.settle(of)
		seen := map[Match]bool{}
		kept := h.Routes[:0:0]
		for _, r := range h.Routes {
			if seen[r.Match] { // the first one takes all that this could
				continue
			}
			seen[r.Match] = true
			r.Place.settle(of)
			kept = append(kept, r)
		}
		h.Routes = kept
		h.trim(of)
	}
}

func (p *Place) settle(of map[*Proposal]*merged) {
	some := len(p.Policies) > 0
	p.Policies = p.letIn(p.Policies, of)
	p.Candidates = p.letIn(p.Candidates, of)
	p.Nobody = len(p.Policies) == 0 && (p.Nobody || some)
}

// letIn returns the policies of a list that let anybody in, each once.
func (p *Place) letIn(list []*Proposal, of map[*Proposal]*merged) (kept []*Proposal) {
	for _, q := range list {
		m := of[q].policy
		switch {
		case len(m.AllowOrigins)+len(m.AllowOriginRegexes) == 0:
			p.Notes.Add(q.Notes.Texts...)
		case !slices.ContainsFunc(kept, func(k *Proposal) bool { return of[k] == of[q] }):
			kept = append(kept, q)
		}
	}
	return kept
}

// maxTrimmed is among how many routes those are looked for that change nothing: each is held against all behind it.
const maxTrimmed = 1000

// trim leaves out routes that grant what the virtual host does anyway, unless they stand in front of others that would get
// their requests. A last route that covers every path is the virtual host's own place.
func (h *Host) trim(of map[*Proposal]*merged) {
	equal := func(p, q *Proposal) bool { return of[p] == of[q] }
	same := func(a, b *Place) bool {
		return a.Reject == b.Reject && a.Nobody == b.Nobody && slices.EqualFunc(a.Policies, b.Policies, equal) && slices.EqualFunc(a.Candidates, b.Candidates, equal)
	}
	if i := slices.IndexFunc(h.Routes, func(r *Route) bool { return r.Match == EveryPath }); i >= 0 { // nothing behind it is reached
		r := h.Routes[i]
		texts := append(slices.Clone(h.Notes.Texts), r.Notes.Texts...)
		at := h.At
		h.Place, h.Routes = r.Place, h.Routes[:i]
		h.At, h.Notes.Texts = at, texts
	}
	var kept []*Route // from the last to the first
	for _, r := range slices.Backward(h.Routes) {
		inFront := func(behind *Route) bool { return behind.Match.Meets(r.Match) }
		if !same(&r.Place, &h.Place) || len(kept) > maxTrimmed || slices.ContainsFunc(kept, inFront) {
			kept = append(kept, r)
			continue
		}
		h.Notes.Add(r.Notes.Texts...)
	}
	slices.Reverse(kept)
	h.Routes = kept
}

// joinHosts makes one virtual host of those that differ in their domains only, and sees to it that no name or domain stands
// twice.
func (b *Builder) joinHosts(of map[*Proposal]*merged) {
	faults := domainFaults(b.Hosts)
	names, domains := map[string]*Host{}, map[string]bool{}
	kept := b.Hosts[:0:0]
	alikes := map[string]*Host{}
	for _, h := range b.Hosts {
		if h.Name != "" && names[h.Name] == nil {
			names[h.Name] = h
		} else {
			h.Name = ""
		}
		h.Domains = slices.DeleteFunc(h.Domains, func(d string) bool {
			lower := strings.ToLower(d)
			if domains[lower] {
				b.Warn(&h.Notes, h.At, CodeTwice, "", fmt.Sprintf("%s stands in another virtual host before, which has it here: look at which of the two is meant", printable.Cut(d)))
				return true
			}
			if why := faults[lower]; why != "" {
				b.Warn(&h.Notes, h.At, CodeDomain, "", fmt.Sprintf("%s is left out: %s", printable.Cut(d), why))
				return true
			}
			domains[lower] = true
			return false
		})
		if h.Name == "" && len(h.Domains) == 0 {
			b.head.Texts = append(b.head.Texts, h.Notes.Texts...)
			continue
		}
		if h.Name == "" {
			key := h.key(of)
			if other := alikes[key]; other != nil {
				other.Domains = append(other.Domains, h.Domains...)
				if from := h.At.String(); from != "" {
					other.Notes.Add("and from " + from)
				}
				continue
			}
			alikes[key] = h
		}
		kept = append(kept, h)
	}
	b.Hosts = kept
}
