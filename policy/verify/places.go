package verify

// Tested by questions_test.go and growth_test.go.

import (
	"fmt"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
)

// A Site is a URL that is asked about.
type Site struct {
	Target      browser.Target
	VirtualHost string // Envoy's name of its virtual host; empty: it is found by the authority
}

// everyPlace reports whether the URL stands for every place of its host.
func (s *Site) everyPlace() bool {
	path, _, _ := strings.Cut(s.Target.Path, "?")
	return path == "/"
}

// A NamedRoute says which path Envoy's name of a route belongs to.
type NamedRoute struct{ Name, Path string }

// A Place is a place of the policies that a request can be sent to.
type Place struct {
	Site *Site
	Path string // as it is sent, with its query
	Text string // the place in words

	route    string // Envoy's name of the route; empty: it is not known
	policies []string
	reject   string

	// What of the answers to preflights shows that they are ours: the lists of methods and headers of those that are
	// granted, and their statuses.
	lists    map[string]bool
	statuses map[int]bool
}

// URL returns where the place is asked about.
func (p *Place) URL() string {
	return p.Site.Target.Scheme + "://" + p.Site.Target.Authority() + p.Path
}

// maxPolicies is how many policies of a place's list are asked about.
const maxPolicies = 1000

// maxPlaces is how many places are looked for, where not more may be asked about: what is left out is counted.
const maxPlaces = 10_000

// reach returns where a path of the site leads.
func (s *Site) reach(set *policy.Set, path, route string) (policy.HostSurvey, int) {
	return set.Reach(&policy.Request{
		VirtualHost: s.VirtualHost, Route: route, Authority: s.Target.Authority(), Path: path,
	}, maxPolicies)
}

// placesOf finds the places of a site.
func (b *planner) placesOf(s *Site) {
	asked := len(b.Places)
	if s.everyPlace() {
		b.everyPlaceOf(s)
	} else {
		b.onePlaceOf(s)
	}
	if host, _ := s.reach(b.set, "/", ""); len(b.Places) > asked && host.IsDefault() && s.VirtualHost == "" && b.names() != "" {
		b.notAsked("virtual hosts "+b.names(), "nothing but Envoy's name leads from "+s.Target.Authority()+" there; if it has one of these, say which: --virtual-host NAME="+s.Target.Authority())
	}
	if len(b.Places) == asked {
		b.Unasked = append(b.Unasked, fmt.Sprintf("%s: there is nothing to ask: %s", siteText(s), b.help(s)))
	}
}

func siteText(s *Site) string { return s.Target.Scheme + "://" + s.Target.Authority() + s.Target.Path }

// help says why there is nothing to ask of a site, and what would help.
func (b *planner) help(s *Site) string {
	host, _ := s.reach(b.set, "/", "")
	names := b.names()
	switch {
	case host.IsDefault() && s.VirtualHost == "" && names != "":
		return "no virtual host of the policies has this domain, and what default says is passthrough. Where Envoy finds the virtual host by a name, " +
			"tell it: --virtual-host NAME=" + s.Target.Authority() + "; the policies have " + names
	case host.IsDefault():
		return "no virtual host of the policies has this domain, and what default says is passthrough: the upstream answers"
	}
	return "every place there is passthrough, where the upstream answers, or has no path that could be asked; --route NAME=PATH gives a route's name a path"
}

// names lists some of Envoy's names of virtual hosts in the policies.
func (b *planner) names() string {
	const most = 5
	var list []string
	n := 0
	for name := range b.set.EnvoyNames() {
		if name == "" {
			continue
		}
		if n++; len(list) < most {
			list = append(list, name)
		}
	}
	if n > len(list) {
		return fmt.Sprintf("%s and %d more", strings.Join(list, ", "), n-len(list))
	}
	return strings.Join(list, ", ")
}

// onePlaceOf finds the place that a URL's own path leads to.
func (b *planner) onePlaceOf(s *Site) {
	path, ok := browser.EnvoyPath(s.Target.Path)
	bare, _, _ := strings.Cut(s.Target.Path, "?")
	name := ""
	for _, r := range b.options.Routes {
		if r.Path == bare {
			name = r.Name
		}
	}
	host, route := s.reach(b.set, path, name)
	p := newPlace(s, &host, route, s.Target.Path)
	p.route = name
	if !ok {
		b.notAsked(p.Text, "Envoy answers the path "+bare+" itself")
		return
	}
	b.add(p)
}

// everyPlaceOf finds a path for every place of a site's virtual host.
func (b *planner) everyPlaceOf(s *Site) {
	host, _ := s.reach(b.set, "/", "")
	own := newPlace(s, &host, -1, "")
	if path, ok := b.pathOf(s, -1, "", "/", "/corsproc-verify", "/corsproc-verify/x", "/corsproc-verify.txt"); ok {
		own.Path = path
		b.add(own)
	} else if !b.covered(s) {
		b.notAsked(own.Text, "no path was found that no route covers")
	}
	for i := range host.Len() {
		r := host.Route(i)
		if len(b.Places) >= max(b.options.Most, maxPlaces) {
			b.left += host.Len() - i // more than may be asked about anyway, of each one question at least
			return
		}
		p := newPlace(s, &host, i, "")
		if r.Kind == "route_name" {
			b.addNamed(p, r.Match, i)
			continue
		}
		if isPassthrough(p.policies) {
			b.add(p)
			continue
		}
		path, ok := b.pathOf(s, i, "", samplePaths(r.Kind, r.Match)...)
		if !ok {
			b.notAsked(p.Text, "no path was found that leads there: another route covers it, or Envoy takes it for another path; a URL with the path asks about it")
			continue
		}
		p.Path = path
		b.add(p)
	}
}

// addNamed adds a place that is found by Envoy's name of the route, at the paths that --route gives it.
func (b *planner) addNamed(p *Place, pattern string, index int) {
	found := false
	for _, r := range b.options.Routes {
		if path, ok := b.pathOf(p.Site, index, r.Name, r.Path); ok {
			named := *p
			named.Path, named.route, found = path, r.Name, true
			b.add(&named)
		}
	}
	switch {
	case found:
	case isPassthrough(p.policies):
		b.add(p)
	default:
		b.notAsked(p.Text, "only Envoy knows which paths it has: give it one with --route "+pattern+"=PATH")
	}
}

// covered reports whether a route covers every path of a site, so that nothing is left for the virtual host itself.
func (b *planner) covered(s *Site) bool {
	host, route := s.reach(b.set, "/corsproc-verify", "")
	if route < 0 {
		return false
	}
	r := host.Route(route)
	return r.Kind == "prefix" && r.Match == "/"
}

// pathOf returns the first of some paths that leads to a route and to no other one, however it is read, and that Envoy
// takes as it is.
func (b *planner) pathOf(s *Site, route int, name string, candidates ...string) (string, bool) {
	for _, path := range candidates {
		if kept, ok := browser.EnvoyPath(path); !ok || kept != path || !isSendable(path) {
			continue
		}
		_, at := s.reach(b.set, path, name)
		if at != route {
			continue
		}
		d := b.set.Decide(&policy.Request{
			VirtualHost: s.VirtualHost, Route: name, Method: "GET", Authority: s.Target.Authority(), Path: path, Origin: policy.Line(stranger),
		})
		if d.Reason != policy.ReasonPathAmbiguous {
			return path, true
		}
	}
	return "", false
}

// isSendable reports whether a path can stand in a request as it is, without a query.
func isSendable(path string) bool {
	for i := 0; i < len(path); i++ {
		if c := path[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("?#\"<>\\^`{|}", c) >= 0 {
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}

// samplePaths returns paths that a route may cover, the most likely first.
func samplePaths(kind, match string) []string {
	switch kind {
	case "path":
		return []string{match}
	case "regex":
		return samples(match)
	case "prefix":
		return []string{match, match + "corsproc-verify", match + "/corsproc-verify", match + "/corsproc-verify/x"}
	}
	return []string{match, match + "/corsproc-verify", match + "/corsproc-verify/x"}
}

// newPlace returns a place of a virtual host; route is -1 for the virtual host itself.
func newPlace(s *Site, host *policy.HostSurvey, route int, path string) *Place {
	p := &Place{Site: s, Path: path, lists: map[string]bool{}, statuses: map[int]bool{204: true}}
	survey := host.Survey
	if p.Text = "virtual host " + host.Label; host.IsDefault() {
		p.Text = "default"
	}
	if route >= 0 {
		r := host.Route(route)
		p.Text += ", " + r.Kind + " " + r.Match
		survey = r.Survey
	}
	p.policies, p.reject = survey.Policies.First, survey.Reject
	return p
}

// isPassthrough reports whether the upstream answers for itself.
func isPassthrough(policies []string) bool { return len(policies) == 1 && policies[0] == "passthrough" }
