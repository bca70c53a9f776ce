package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/draft"
	"github.com/corsproc/corsproc/policy/finding"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Learned is the answer to the first question: what the upstreams grant, to whom, and who uses it.
type Learned struct {
	File     *draft.File
	Tests    *corsprocv1.PolicyTests // of what was seen; they pass with the file
	Findings []finding.Diagnostic

	set    *policy.Set
	places []*writtenPlace
}

// A writtenPlace is a place with its virtual host of the file.
type writtenPlace struct {
	*place
	host  *corsprocv1.VirtualHost
	units []*unit
}

// Learn returns what is known. interrupted says that there was more to read.
func (l *Learner) Learn(interrupted bool) *Learned {
	out := &Learned{File: &draft.File{Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{},
		Default:  &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"passthrough"}}},
	}}}
	l.rest()
	if l.hasHeaders() { // else nobody knows what was answered
		l.write(out)
	}
	list := l.all(slices.Collect(maps.Values(l.judgements)))
	out.Findings = l.messages(list)
	l.comment(out, list, interrupted)
	out.Tests = l.tests(out)
	return out
}

// write makes the policies and places of the file.
func (l *Learner) write(out *Learned) {
	b := &builder{out: out, owner: l.owners()}
	places := slices.Clone(l.order)
	slices.SortStableFunc(places, func(a, b *place) int { return cmp.Or(cmp.Compare(a.label, b.label), cmp.Compare(a.name, b.name)) })
	for _, p := range places {
		if units := l.unitsOf(p); len(units) > 0 {
			b.place(l, p, units)
		}
	}
	b.repair()
}

// owners returns which place each authority belongs to: to one without a name, which has nothing else, before others, then
// to that which came first. Others are found by their names.
func (l *Learner) owners() map[string]*place {
	owner, shared := map[string]*place{}, map[string]bool{}
	for _, named := range []bool{false, true} {
		for _, p := range l.order {
			if (p.name != "") != named {
				continue
			}
			for _, d := range p.domains() {
				if owner[d] == nil {
					owner[d] = p
				} else {
					shared[d] = true
				}
			}
		}
	}
	for d := range shared {
		if p := owner[d]; p.name != "" && !strings.Contains(p.name, "*") {
			owner[d] = nil
		}
	}
	return owner
}

// domains returns the authorities under which a place was granted something, or where that is none, the authority by which
// alone it can be found.
func (p *place) domains() []string {
	switch {
	case p.name == "":
		return []string{p.label}
	case len(p.granted) > 0:
		return p.granted
	case strings.Contains(p.name, "*"):
		return p.seen
	}
	return nil
}

// isDomain reports whether an authority can stand in a policy file as itself: a star there would stand for others.
func isDomain(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") == ""
}

// A builder makes a policy file of places.
type builder struct {
	out   *Learned
	names draft.Names
	owner map[string]*place
}

func (b *builder) place(l *Learner, p *place, units []*unit) {
	host := &corsprocv1.VirtualHost{}
	if !strings.Contains(p.name, "*") { // a star in a name stands for other names too
		host.Name = valid(p.name)
	}
	for _, d := range p.domains() {
		if b.owner[d] == p && isDomain(d) {
			host.Domains = append(host.Domains, d)
		}
	}
	slices.Sort(host.Domains)
	w := &writtenPlace{place: p, units: units}
	b.out.places = append(b.out.places, w)
	if host.Name == "" && len(host.Domains) == 0 {
		return // it has nothing by which it could be found
	}
	w.host = host
	b.out.File.Set.VirtualHosts = append(b.out.File.Set.VirtualHosts, host)
	made := map[string]string{} // policies of the place by what they say
	host.Policies = &corsprocv1.PolicyList{Names: []string{"passthrough"}}
	for _, u := range units {
		u.group()
		names := b.list(u, made)
		if u.route == "" {
			host.Policies = &corsprocv1.PolicyList{Names: names}
			continue
		}
		route := &corsprocv1.Route{Policies: &corsprocv1.PolicyList{Names: names}}
		switch {
		case l.options.Routes == RoutesByName:
			route.RouteName = valid(u.route)
		case u.exact:
			route.Path = valid(u.route)
		default:
			route.PathSeparatedPrefix = valid(u.route)
		}
		u.message = route
		host.Routes = append(host.Routes, route)
	}
	// Whole paths stand before the prefixes that cover them.
	slices.SortStableFunc(host.Routes, func(a, b *corsprocv1.Route) int {
		if (a.Path == "") != (b.Path == "") {
			return cmp.Compare(b.Path, a.Path)
		}
		return 0
	})
}

// list makes the policies of a unit and returns their names.
func (b *builder) list(u *unit, made map[string]string) (names []string) {
	for _, g := range u.policies {
		m := g.policy()
		key := proto.MarshalOptions{Deterministic: true}
		data, _ := key.Marshal(m)
		name := made[string(data)]
		if name == "" {
			name = b.names.Take(u.place.label + "-" + u.route)
			made[string(data)] = name
			b.out.File.Set.Policies[name] = m
			b.out.File.Order = append(b.out.File.Order, name)
		}
		g.message = b.out.File.Set.Policies[name]
		names = append(names, name)
	}
	if len(names) == 0 {
		return []string{"none"}
	}
	return names
}

func (g *grantPolicy) policy() *corsprocv1.Policy {
	m := &corsprocv1.Policy{
		AllowOrigins: slices.Clone(g.origins), DenyOrigins: slices.Clone(g.denied), AllowMethods: slices.Clone(g.methods),
		AllowHeaders: slices.Clone(g.headers), ExposeHeaders: slices.Clone(g.exposed), AllowCredentials: g.credentials,
	}
	if g.credentials {
		dangers(m)
	}
	if g.star {
		m.AllowOrigins = []string{"*"}
	}
	if g.maxAge >= 0 {
		m.MaxAge = proto.String(strconv.FormatInt(g.maxAge, 10) + "s")
	}
	return m
}
