package convert

// Tested by gateway_test.go, gateway_random_test.go and golden_test.go.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

// A securityPolicy is a SecurityPolicy of Envoy Gateway.
type securityPolicy struct {
	object    *kubernetesObject
	spec      securityPolicySpec
	grants    []*proposal // of its cors; nil: it has none, or was not asked yet
	asked     bool
	mergeable bool
	merged    map[*securityPolicy][]*proposal // with the policy of a parent
}

type securityPolicySpec struct {
	TargetRef       *gatewayRef      `kube:"targetRef"`
	TargetRefs      []gatewayRef     `kube:"targetRefs"`
	TargetSelectors []targetSelector `kube:"targetSelectors"`
	MergeType       field[string]    `kube:"mergeType"`
	CORS            *securityCORS    `kube:"cors"`
	CSRF            *securityCSRF    `kube:"csrf"`
}

type targetSelector struct {
	Place      fieldPlace
	Kind       field[string] `kube:"kind"`
	Namespaces struct {
		From     field[string] `kube:"from"`
		Selector labelSelector `kube:"selector"`
	} `kube:"namespaces"`
	MatchLabels      kubernetesEntries  `kube:"matchLabels"`
	MatchExpressions []labelRequirement `kube:"matchExpressions"`
}

type securityCORS struct {
	Place            fieldPlace
	AllowOrigins     []field[string] `kube:"allowOrigins"`
	AllowCredentials field[bool]     `kube:"allowCredentials"`
	AllowMethods     []field[string] `kube:"allowMethods"`
	AllowHeaders     []field[string] `kube:"allowHeaders"`
	ExposeHeaders    []field[string] `kube:"exposeHeaders"`
	MaxAge           field[string]   `kube:"maxAge"`
}

// A policyScope is what a policy can target: a Gateway, a ListenerSet or a route, or a listener or a rule of one.
type policyScope struct {
	gatewayID
	section string
}

// securityPolicies are those of all FILEs, by what they target. Of several for one target it is the oldest.
type securityPolicies struct {
	all        []*securityPolicy
	by         map[policyScope]*securityPolicy
	objects    map[gatewayID]*kubernetesObject
	order      []gatewayID    // of objects
	gateways   []policyTarget // that are a Gateway, a ListenerSet or a listener
	references []referenceGrant
	namespaces map[string]*kubernetesObject
	work       int // how many objects selectors looked at
}

func readSecurityPolicies(objects []*kubernetesObject, namespaces map[string]*kubernetesObject) (*securityPolicies, error) {
	s := &securityPolicies{by: map[policyScope]*securityPolicy{}, objects: map[gatewayID]*kubernetesObject{}, namespaces: namespaces}
	for _, o := range objects {
		switch o.kubernetesKind {
		case kindSecurityPolicy:
			var object struct {
				Spec securityPolicySpec `kube:"spec"`
			}
			if err := o.decode(&object); err != nil {
				return nil, err
			}
			s.all = append(s.all, &securityPolicy{object: o, spec: object.Spec, merged: map[*securityPolicy][]*proposal{}})
		case kindReferenceGrant:
			var object struct {
				Spec referenceGrantSpec `kube:"spec"`
			}
			if err := o.decode(&object); err != nil {
				return nil, err
			}
			s.references = append(s.references, referenceGrant{o.namespace(), object.Spec})
		case kindGateway, kindListenerSet, kindXListenerSet, kindHTTPRoute, kindGRPCRoute:
			id := gatewayID{strings.TrimPrefix(o.kind, "X"), o.namespace(), o.meta.Name.Value}
			s.objects[id] = o
			s.order = append(s.order, id)
		}
	}
	return s, nil
}

// A policyTarget is what a policy names, and where.
type policyTarget struct {
	policyScope
	at     fieldPlace
	policy *securityPolicy
}

// resolve finds what the policies target.
func (s *securityPolicies) resolve(b *builder, listeners *gatewayListeners, routes []*gatewayRoute) error {
	rules := map[policyScope]bool{}
	for _, r := range routes {
		for _, rule := range r.rules {
			rules[policyScope{gatewayID{r.object.kind, r.object.namespace(), r.object.meta.Name.Value}, rule.name}] = true
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
				b.warn(nil, p.object.position(t.at.Line, t.at.Column), code, "spec.targetRefs", message)
			}
			gateway := t.kind == kindGateway.kind || t.kind == kindListenerSet.kind
			switch {
			case s.objects[t.gatewayID] == nil:
				warn(codeTarget, fmt.Sprintf("no FILE holds %s, which %s targets: give import the file that has it", what, printable.Cut(p.object.name())))
				if !gateway {
					continue
				}
			case t.section == "":
			case gateway && !slices.ContainsFunc(listeners.of[t.gatewayID], func(l *listener) bool { return l.name == t.section }),
				!gateway && !rules[t.policyScope]:
				warn(codeTarget, fmt.Sprintf("%s has nothing that is called %q, which %s targets", what, printable.Cut(t.section), printable.Cut(p.object.name())))
				continue
			}
			if first := s.by[t.policyScope]; gateway && first == nil && s.objects[t.gatewayID] != nil && p.spec.CORS != nil {
				t.policy = p
				s.gateways = append(s.gateways, t)
			}
			if first := s.by[t.policyScope]; first == nil {
				s.by[t.policyScope] = p
			} else if first != p {
				warn(codeConflict, fmt.Sprintf("%s has a SecurityPolicy that is older or first by name, %s, which counts: this one does not", what, printable.Cut(first.object.name())))
			}
		}
	}
	return nil
}

// tellUnused warns of policies of listeners that no route is attached to: Envoy Gateway makes nothing of them without
// routes, which are in other files, most likely.
func (s *securityPolicies) tellUnused(b *builder, listeners *gatewayListeners) {
	used := map[gatewayID]bool{}
	for _, of := range listeners.of {
		for _, l := range of {
			if l.attached {
				used[l.owner], used[l.gateway] = true, true
			}
		}
	}
	for _, t := range s.gateways {
		some := used[t.gatewayID]
		if t.section != "" {
			some = slices.ContainsFunc(listeners.of[t.gatewayID], func(l *listener) bool { return l.name == t.section && l.attached })
		}
		if !some {
			b.warn(nil, t.policy.object.position(t.at.Line, t.at.Column), codeTarget, "spec.targetRefs",
				fmt.Sprintf("no FILE holds a route of %s %s/%s, so nothing is written for it: give import the routes, too", printable.Cut(t.kind), printable.Cut(t.namespace), printable.Cut(t.name)))
		}
	}
}

// targets returns what a policy targets: what its selectors find, then what it names.
func (s *securityPolicies) targets(b *builder, p *securityPolicy) (targets []policyTarget, err error) {
	for _, selector := range p.spec.TargetSelectors {
		found := false
		labels := labelSelector{selector.MatchLabels, selector.MatchExpressions}
		for _, id := range s.order {
			if s.work++; s.work > maxAttachments {
				return nil, p.object.position(selector.Place.Line, selector.Place.Column).fault("the selectors of these files have too many objects to look at: convert them in parts")
			}
			if id.kind != selector.Kind.Value || !labels.matches(s.objects[id].meta.Labels) || !s.reaches(p, selector, id) {
				continue
			}
			found = true
			targets = append(targets, policyTarget{policyScope: policyScope{gatewayID: id}, at: selector.Place})
		}
		if !found {
			b.warn(nil, p.object.position(selector.Place.Line, selector.Place.Column), codeTarget, "spec.targetSelectors",
				fmt.Sprintf("no FILE holds a %s that this selector of %s finds: give import the files that have some", printable.Cut(selector.Kind.Value), printable.Cut(p.object.name())))
		}
	}
	refs := p.spec.TargetRefs
	if p.spec.TargetRef != nil {
		refs = []gatewayRef{*p.spec.TargetRef}
	}
	for _, ref := range refs {
		targets = append(targets, policyTarget{policyScope: policyScope{gatewayID{strings.TrimPrefix(ref.Kind.Value, "X"), p.object.namespace(), ref.Name.Value}, ref.SectionName.Value}, at: ref.Place})
	}
	return targets, nil
}

// reaches reports whether a selector looks into a namespace: its policy's own, or others, where a ReferenceGrant there
// lets it.
func (s *securityPolicies) reaches(p *securityPolicy, selector targetSelector, id gatewayID) bool {
	if id.namespace == p.object.namespace() {
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
	return o != nil && selector.Namespaces.Selector.matches(o.meta.Labels)
}

// A referenceGrant lets objects of other namespaces refer to some of its own.
type referenceGrant struct {
	namespace string
	spec      referenceGrantSpec
}

type referenceGrantSpec struct {
	From []struct {
		Group     field[string] `kube:"group"`
		Kind      field[string] `kube:"kind"`
		Namespace field[string] `kube:"namespace"`
	} `kube:"from"`
	To []struct {
		Kind field[string] `kube:"kind"`
		Name field[string] `kube:"name"`
	} `kube:"to"`
}

func (g referenceGrant) lets(from *kubernetesObject, to gatewayID) bool {
	if g.namespace != to.namespace {
		return false
	}
	some := false
	for _, f := range g.spec.From {
		some = some || f.Group.Value == from.group && f.Kind.Value == from.kind && f.Namespace.Value == from.namespace()
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
func (s *securityPolicies) of(b *builder, r *gatewayRoute, rule *gatewayRule, l *listener) (terms place) {
	id := gatewayID{r.object.kind, r.object.namespace(), r.object.meta.Name.Value}
	var own *securityPolicy
	if rule.name != "" {
		own = s.by[policyScope{id, rule.name}]
	}
	if own == nil {
		own = s.by[policyScope{gatewayID: id}]
	}
	above := s.above(l)
	guard := own // whose csrf it is
	switch {
	case own == nil:
		terms.policies, guard = above.proposals(b), above
	case own.mergeable && above != nil:
		terms.policies = own.mergedWith(b, above)
		if own.spec.CSRF == nil {
			guard = above
		}
	default:
		terms.policies = own.proposals(b)
	}
	if rule.filter != nil {
		terms.policies = []*proposal{rule.filter}
	}
	guard.reject(b, &terms)
	return terms
}

// above returns the policy that holds on a listener: its own, its ListenerSet's, its Gateway's. The policy of a listener of
// the Gateway does not hold for those of ListenerSets.
func (s *securityPolicies) above(l *listener) *securityPolicy {
	for _, scope := range []policyScope{{l.owner, l.name}, {gatewayID: l.owner}, {gatewayID: l.gateway}} {
		if p := s.by[scope]; p != nil {
			return p
		}
	}
	return nil
}

// proposals returns what the policy grants; nothing, if there is no policy or it has no cors.
func (p *securityPolicy) proposals(b *builder) []*proposal {
	if p == nil {
		return nil
	}
	if !p.asked {
		p.asked = true
		if c := p.spec.CORS; c != nil {
			p.grants = []*proposal{p.cors(c).proposal(b)}
		}
	}
	return p.grants
}

func (p *securityPolicy) cors(c *securityCORS) *gatewayCORS {
	g := &gatewayCORS{
		object: p.object, at: c.Place, field: "spec.cors",
		origins: c.AllowOrigins, methods: c.AllowMethods, requestHeaders: c.AllowHeaders, responseHeaders: c.ExposeHeaders,
		credentials: c.AllowCredentials.Value, origin: envoyGatewayOrigin,
	}
	if seconds, ok := gatewayDuration(c.MaxAge.Value); ok {
		g.maxAge = duration(seconds)
	} else if c.MaxAge.Set() {
		g.maxAgeFault = func(warn corsWarn) {
			warn(fieldPlace{c.MaxAge.Line, c.MaxAge.Column}, codeMaxAge, "maxAge", fmt.Sprintf("%q is refused by Envoy Gateway, which takes durations such as 1h30m: none is written, and browsers use 5 seconds", printable.Cut(c.MaxAge.Value)))
		}
	}
	return g
}

// mergedWith returns what the policy grants with what it does not say taken from another: both ways of merging replace
// lists as a whole, and an empty list counts as not said.
func (p *securityPolicy) mergedWith(b *builder, above *securityPolicy) []*proposal {
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
	list := func(own *[]field[string], above []field[string]) {
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
	q.notes.add("merged with " + above.object.name() + " from " + above.object.position(from.Place.Line, from.Place.Column).String())
	p.merged[above] = []*proposal{q}
	return p.merged[above]
}
