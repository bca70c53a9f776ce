package diff

// Tested by policy/diff_test.go, policy/testdata/diff.yaml and policy/diff_random_test.go.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
)

// Sets says who gains and who loses what, and where, when the set after takes the place of before; policy.Diff tells what is
// compared. It returns nothing where browsers would notice nothing.
//
// It asks both sets about requests and origins that stand for all that the sets can tell apart (hosts.go, routes.go,
// origins.go), by the functions that decide.
func Sets(before, after *compiled.Set) []*Difference {
	d := differ{
		before: before, after: after,
		granted: map[*compiled.Policy]*granted{},
		changes: map[placesKey]*placesChange{},
		groups:  map[string]*Difference{},

		expressions: map[*compiled.Policy]map[string]int{},
	}
	for _, h := range d.hostPairs() {
		for _, r := range routePairs(&before.Hosts[h.before], &after.Hosts[h.after]) {
			c := d.compare(before.Hosts[h.before].PlaceOf(r.before), after.Hosts[h.after].PlaceOf(r.after))
			if len(c.changes) > 0 {
				d.add(h, r.label, c)
			}
		}
	}
	for _, group := range d.differences {
		slices.SortStableFunc(group.Places, func(a, b Place) int { return strings.Compare(a.Text, b.Text) })
		group.Places = slices.CompactFunc(group.Places, func(a, b Place) bool { return a.Text == b.Text })
	}
	slices.SortStableFunc(d.differences, func(a, b *Difference) int {
		return strings.Compare(a.Places[0].Text, b.Places[0].Text)
	})
	return d.differences
}

// differ compares two sets.
type differ struct {
	before, after *compiled.Set
	granted       map[*compiled.Policy]*granted // what policies grant, made when it is asked for
	changes       map[placesKey]*placesChange   // places that say the same are compared once
	groups        map[string]*Difference
	differences   []*Difference

	expressions map[*compiled.Policy]map[string]int // of policies, by their text
	tries       int                                 // towards maxExpressionTries
}

// placesKey is what of two places decides about the difference between them.
type placesKey struct{ before, after placeEffect }

// placeEffect is what a place does, as far as anybody can notice.
type placeEffect struct {
	list        string // which policies, in their order
	passthrough bool
	refuse      bool
	reject      compiled.Reject
	timing      string
	fixed       string // the origin that every answer names; empty: none is
}

// placesChange is the difference between two places.
type placesChange struct {
	changes []*Change
	key     string // equal for equal changes
}

// effectOf returns what a place does. What has no effect there counts as not set.
func effectOf(p *compiled.Place) placeEffect {
	if p.Active.Passthrough {
		return placeEffect{passthrough: true}
	}
	var b strings.Builder
	allows := false
	for _, policy := range p.Active.Policies {
		fmt.Fprintf(&b, "%p ", policy)
		allows = allows || len(policy.Allow) > 0 || len(policy.Regexes) > 0
	}
	effect := placeEffect{list: b.String(), refuse: p.Refuse && allows, reject: p.Reject, timing: p.Timing}
	if p.Active.ButPreflights && p.Reject == compiled.RejectNever {
		effect.fixed = p.Active.Policies[0].FixedOrigin
	}
	return effect
}

// compare returns the difference between a place of the old set and one of the new.
func (d *differ) compare(before, after *compiled.Place) *placesChange {
	b, a := effectOf(before), effectOf(after)
	key := placesKey{b, a}
	if c, ok := d.changes[key]; ok {
		return c
	}
	c := &placesChange{}
	if b.passthrough != a.passthrough {
		c.changes = append(c.changes, &Change{Effect: Neither, What: whatPassthrough,
			Old: fmt.Sprint(b.passthrough), New: fmt.Sprint(a.passthrough)})
	}
	c.changes = append(c.changes, d.compareOrigins(before.Active.Policies, after.Active.Policies)...)
	c.changes = append(c.changes, comparePlaceFields(b, a)...)
	for _, change := range c.changes {
		change.Text = changeText(change)
		c.key += change.Text + "\x00" + strings.Join(change.Origins, " ") + "\x00" + strings.Join(change.Except, " ") + "\x00"
	}
	d.changes[key] = c
	return c
}

// add puts a place to the others where the same changes.
func (d *differ) add(h hostPair, route string, c *placesChange) {
	group := d.groups[c.key]
	if group == nil {
		group = &Difference{Changes: c.changes}
		d.groups[c.key] = group
		d.differences = append(d.differences, group)
	}
	place := Place{VirtualHost: h.label, Only: h.only, Route: route}
	place.Text = placeText(&place)
	group.Places = append(group.Places, place)
}

// comparePlaceFields compares what a place says beside its policies.
func comparePlaceFields(before, after placeEffect) (changes []*Change) {
	add := func(effect Effect, what What, old, new string) {
		changes = append(changes, &Change{Effect: effect, What: what, Old: old, New: new})
	}
	if b, a := before.reject, after.reject; b != a {
		effect := Gain
		if a > b {
			effect = Loss
		}
		add(effect, whatReject, b.String(), a.String())
	}
	if before.refuse != after.refuse {
		name := map[bool]string{false: "ANSWER", true: "REFUSE"}
		add(Neither, whatUnmatched, name[before.refuse], name[after.refuse])
	}
	changes = append(changes, compareNames(whatTiming, timingNames(before.timing), timingNames(after.timing))...)
	if before.fixed != after.fixed {
		add(Neither, whatFixedOrigin, before.fixed, after.fixed)
	}
	return changes
}

func timingNames(value string) names {
	if value == "" {
		return names{}
	}
	return newNames(strings.Split(value, ", "), value == "*")
}

// labelRank says how well a label fits what it is about: the smaller, the better.
type labelRank int

// ranked keeps the best of several labels.
type ranked struct {
	rank  labelRank
	label string
}

func (r *ranked) offer(rank labelRank, label string) {
	if c := cmp.Compare(rank, r.rank); c < 0 || c == 0 && label < r.label {
		r.rank, r.label = rank, label
	}
}
