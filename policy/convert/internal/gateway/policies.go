package gateway

// Tested by policy/convert/gateway_test.go and policy/convert/gateway_random_test.go.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/printable"
)

// A securityPolicy is a SecurityPolicy of Envoy Gateway.
type securityPolicy struct {
	object    *kube.Object
	spec      securityPolicySpec
	grants    []*build.Proposal // of its cors; nil: it has none, or was not asked yet
	asked     bool
	mergeable bool
	merged    map[*securityPolicy][]*build.Proposal // with the policy of a parent
}

type securityPolicySpec struct {
	TargetRef       *gatewayRef        `kube:"targetRef"`
	TargetRefs      []gatewayRef       `kube:"targetRefs"`
	TargetSelectors []targetSelector   `kube:"targetSelectors"`
	MergeType       kube.Field[string] `kube:"mergeType"`
	CORS            *securityCORS      `kube:"cors"`
	CSRF            *securityCSRF      `kube:"csrf"`
}

type targetSelector struct {
	Place      kube.Place
	Kind       kube.Field[string] `kube:"kind"`
	Namespaces struct {
		From     kube.Field[string] `kube:"from"`
		Selector labelSelector      `kube:"selector"`
	} `kube:"namespaces"`
	MatchLabels      kube.Entries       `kube:"matchLabels"`
	MatchExpressions []labelRequirement `kube:"matchExpressions"`
}

// A policyScope is what a policy can target: a Gateway, a ListenerSet or a route, or a listener or a rule of one.
type policyScope struct {
	objectID
	section string
}

// securityPolicies are those of all FILEs, by what they target. Of several for one target it is the oldest.
type securityPolicies struct {
	all        []*securityPolicy
	by         map[policyScope]*securityPolicy
	objects    map[objectID]*kube.Object
	order      []objectID     // of objects
	gateways   []policyTarget // that are a Gateway, a ListenerSet or a listener
	references []referenceGrant
	namespaces map[string]*kube.Object
	work       int // how many objects selectors looked at
}

func readSecurityPolicies(objects []*kube.Object, namespaces map[string]*kube.Object) (*securityPolicies, error) {
	s := &securityPolicies{by: map[policyScope]*securityPolicy{}, objects: map[objectID]*kube.Object{}, namespaces: namespaces}
	for _, o := range objects {
		switch o.GroupKind {
		case kindSecurityPolicy:
			spec, err := kube.SpecOf[securityPolicySpec](o)
			if err != nil {
				return nil, err
			}
			s.all = append(s.all, &securityPolicy{object: o, spec: spec, merged: map[*securityPolicy][]*build.Proposal{}})
		case kindReferenceGrant:
			spec, err := kube.SpecOf[referenceGrantSpec](o)
			if err != nil {
				return nil, err
			}
			s.references = append(s.references, referenceGrant{o.Namespace(), spec})
		case kindGateway, kindListenerSet, kindXListenerSet, kindHTTPRoute, kindGRPCRoute:
			id := objectID{strings.TrimPrefix(o.Kind, "X"), o.Namespace(), o.Meta.Name.Value}
			s.objects[id] = o
			s.order = append(s.order, id)
		}
	}
	return s, nil
}

// A policyTarget is what a policy names, and where.
type policyTarget struct {
	policyScope
	at     kube.Place
	policy *securityPolicy
}

// resolve finds what the policies target.
func (s *securityPolicies) resolve(b *build.Builder, listeners *gatewayListeners, routes []*gatewayRoute) error {
	rules := map[policyScope]bool{}
	for _, r := range routes {
		for _, rule := range r.rules {
			rules[policyScope{objectID{r.object.Kind, r.object.Namespace(), r.object.Meta.Name.Value}, rule.name}] = true
		}
	}
	for _, p := range s.all {
		p.mergeable = p.spec.MergeType.Value != ""
		targets, err := s.targets(b, p)
		if err != nil {
			return err
		}
		for _, t := range targets {
			what := fmt.Sprintf("%s %s/%s", printable.Cut(t.kind), printable.Cut(t.namespace), printable.Cut(t.name))
			warn := func(code, message string) {
				b.Warn(nil, p.object.Position(t.at), code, "spec.targetRefs", message)
			}
			gateway := t.kind == kindGateway.Kind || t.kind == kindListenerSet.Kind
			switch {
			case s.objects[t.objectID] == nil:
				warn(codeTarget, fmt.Sprintf("no FILE holds %s, which %s targets: give import the file that has it", what, printable.Cut(p.object.Name())))
				if !gateway {
					continue
				}
			case t.section == "":
			case gateway && !slices.ContainsFunc(listeners.of[t.objectID], func(l *listener) bool { return l.name == t.section }),
				!gateway && !rules[t.policyScope]:
				warn(codeTarget, fmt.Sprintf("%s has nothing that is called %q, which %s targets", what, printable.Cut(t.section), printable.Cut(p.object.Name())))
				continue
			}
			if first := s.by[t.policyScope]; gateway && first == nil && s.objects[t.objectID] != nil && p.spec.CORS != nil {
				t.policy = p
				s.gateways = append(s.gateways, t)
			}
			if first := s.by[t.policyScope]; first == nil {
				s.by[t.policyScope] = p
			} else if first != p {
				warn(codeConflict, fmt.Sprintf("%s has a SecurityPolicy that is older or first by name, %s, which counts: this one does not", what, printable.Cut(first.object.Name())))
			}
		}
	}
	return nil
}

// tellUnused warns of policies of listeners that no route is attached to: Envoy Gateway makes nothing of them without
// routes, which are in other files, most likely.
func (s *securityPolicies) tellUnused(b *build.Builder, listeners *gatewayListeners) {
	used := map[objectID]bool{}
	for _, of := range listeners.of {
		for _, l := range of {
			if l.attached {
				used[l.owner], used[l.gateway] = true, true
			}
		}
	}
	for _, t := range s.gateways {
		some := used[t.objectID]
		if t.section != "" {
			some = slices.ContainsFunc(listeners.of[t.objectID], func(l *listener) bool { return l.name == t.section && l.attached })
		}
		if !some {
			b.Warn(nil, t.policy.object.Position(t.at), codeTarget, "spec.targetRefs",
				fmt.Sprintf("no FILE holds a route of %s %s/%s, so nothing is written for it: give import the routes, too", printable.Cut(t.kind), printable.Cut(t.namespace), printable.Cut(t.name)))
		}
	}
}

// targets returns what a policy targets: what its selectors find, then what it names.
func (s *securityPolicies) targets(b *build.Builder, p *securityPolicy) (targets []policyTarget, err error) {
	for _, selector := range p.spec.TargetSelectors {
		found := false
		labels := labelSelector{selector.MatchLabels, selector.MatchExpressions}
		for _, id := range s.order {
			if s.work++; s.work > maxAttachments {
				return nil, p.object.Position(selector.Place).Fault("the selectors of these files have too many objects to look at: convert them in parts")
			}
			if id.kind != selector.Kind.Value || !labels.matches(s.objects[id].Meta.Labels) || !s.reaches(p, selector, id) {
				continue
			}
			found = true
			targets = append(targets, policyTarget{policyScope: policyScope{objectID: id}, at: selector.Place})
		}
		if !found {
			b.Warn(nil, p.object.Position(selector.Place), codeTarget, "spec.targetSelectors",
				fmt.Sprintf("no FILE holds a %s that this selector of %s finds: give import the files that have some", printable.Cut(selector.Kind.Value), printable.Cut(p.object.Name())))
		}
	}
	refs := p.spec.TargetRefs
	if p.spec.TargetRef != nil {
		refs = []gatewayRef{*p.spec.TargetRef}
	}
	for _, ref := range refs {
		targets = append(targets, policyTarget{policyScope: policyScope{objectID{strings.TrimPrefix(ref.Kind.Value, "X"), p.object.Namespace(), ref.Name.Value}, ref.SectionName.Value}, at: ref.Place})
	}
	return targets, nil
}

// reaches reports whether a selector looks into a namespace: its policy's own, or others, where a ReferenceGrant there
// lets it.
func (s *securityPolicies) reaches(p *securityPolicy, selector targetSelector, id objectID) bool {
	if id.namespace == p.object.Namespace() {
		from := selector.Namespaces.From.Value
		return from != "Selector" || s.selects(selector, id.namespace)
	}
	switch selector.Namespaces.From.Value {
	case "All":
	case "Selector":
		if !s.selects(selector, id.namespace) {
			return false
		}
	default:
		return false
	}
	return slices.ContainsFunc(s.references, func(g referenceGrant) bool { return g.lets(p.object, id) })
}

func (s *securityPolicies) selects(selector targetSelector, namespace string) bool {
	o := s.namespaces[namespace]
	return o != nil && selector.Namespaces.Selector.matches(o.Meta.Labels)
}

// A referenceGrant lets objects of other namespaces refer to some of its own.
type referenceGrant struct {
	namespace string
	spec      referenceGrantSpec
}

type referenceGrantSpec struct {
	From []struct {
		Group     kube.Field[string] `kube:"group"`
		Kind      kube.Field[string] `kube:"kind"`
		Namespace kube.Field[string] `kube:"namespace"`
	} `kube:"from"`
	To []struct {
		Kind kube.Field[string] `kube:"kind"`
		Name kube.Field[string] `kube:"name"`
	} `kube:"to"`
}

func (g referenceGrant) lets(from *kube.Object, to objectID) bool {
	if g.namespace != to.namespace {
		return false
	}
	some := false
	for _, f := range g.spec.From {
		some = some || f.Group.Value == from.Group && f.Kind.Value == from.Kind && f.Namespace.Value == from.Namespace()
	}
	for _, t := range g.spec.To {
		if some && t.Kind.Value == to.kind && (t.Name.Value == "" || t.Name.Value == to.name) {
			return true
		}
	}
	return false
}

// of returns what the policies grant for a rule of a route on a listener: that of the rule, else of the route, of the
// listener, of the Gateway. The first one counts, whole, also if it says nothing of CORS; one that merges takes what it
// does not say from the nearest one above the route. A CORS filter of the rule beats them, but not what they say of csrf.
func (s *securityPolicies) of(b *build.Builder, r *gatewayRoute, rule *gatewayRule, l *listener) (terms build.Place) {
	id := objectID{r.object.Kind, r.object.Namespace(), r.object.Meta.Name.Value}
	var own *securityPolicy
	if rule.name != "" {
		own = s.by[policyScope{id, rule.name}]
	}
	if own == nil {
		own = s.by[policyScope{objectID: id}]
	}
	above := s.above(l)
	guard := own // whose csrf it is
	switch {
	case own == nil:
		terms.Policies, guard = above.proposals(b), above
	case own.mergeable && above != nil:
		terms.Policies = own.mergedWith(b, above)
		if own.spec.CSRF == nil {
			guard = above
		}
	default:
		terms.Policies = own.proposals(b)
	}
	if rule.filter != nil {
		terms.Policies = []*build.Proposal{rule.filter}
	}
	guard.reject(b, &terms)
	return terms
}

// above returns the policy that holds on a listener: its own, its ListenerSet's, its Gateway's. The policy of a listener of
// the Gateway does not hold for those of ListenerSets.
func (s *securityPolicies) above(l *listener) *securityPolicy {
	for _, scope := range []policyScope{{l.owner, l.name}, {objectID: l.owner}, {objectID: l.gateway}} {
		if p := s.by[scope]; p != nil {
			return p
		}
	}
	return nil
}

// proposals returns what the policy grants; nothing, if there is no policy or it has no cors.
func (p *securityPolicy) proposals(b *build.Builder) []*build.Proposal {
	if p == nil {
		return nil
	}
	if !p.asked {
		p.asked = true
		if c := p.spec.CORS; c != nil {
			p.grants = []*build.Proposal{p.cors(c).proposal(b)}
		}
	}
	return p.grants
}

func (p *securityPolicy) cors(c *securityCORS) *corsSettings {
	g := c.settings(p.object, "spec.cors", envoyGatewayOrigin)
	if seconds, ok := gatewayDuration(c.MaxAge.Value); ok {
		g.maxAge = build.Duration(seconds)
	} else if c.MaxAge.Set() {
		g.maxAgeFault = func(warn corsWarn) {
			warn(c.MaxAge.Place, codeMaxAge, "maxAge", fmt.Sprintf("%q is refused by Envoy Gateway, which takes durations such as 1h30m: none is written, and browsers use 5 seconds", printable.Cut(c.MaxAge.Value)))
		}
	}
	return g
}

// mergedWith returns what the policy grants with what it does not say taken from another: both ways of merging replace
// lists as a whole, and an empty list counts as not said.
func (p *securityPolicy) mergedWith(b *build.Builder, above *securityPolicy) []*build.Proposal {
	switch {
	case p.spec.CORS == nil:
		return above.proposals(b)
	case above.spec.CORS == nil:
		return p.proposals(b)
	}
	if grants, ok := p.merged[above]; ok {
		return grants
	}
	c, from := *p.spec.CORS, above.spec.CORS
	list := func(own *[]kube.Field[string], above []kube.Field[string]) {
		if len(*own) == 0 {
			*own = above
		}
	}
	list(&c.AllowOrigins, from.AllowOrigins)
	list(&c.AllowMethods, from.AllowMethods)
	list(&c.AllowHeaders, from.AllowHeaders)
	list(&c.ExposeHeaders, from.ExposeHeaders)
	if !c.AllowCredentials.Set() {
		c.AllowCredentials = from.AllowCredentials
	}
	if !c.MaxAge.Set() {
		c.MaxAge = from.MaxAge
	}
	q := p.cors(&c).proposal(b)
	q.Notes.Add("merged with " + above.object.Name() + " from " + above.object.Position(from.Place).String())
	p.merged[above] = []*build.Proposal{q}
	return p.merged[above]
}
