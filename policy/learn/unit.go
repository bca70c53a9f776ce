package learn

// Tested by scan_test.go and limits_test.go.

import (
	"cmp"
	"maps"
	"slices"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A unit is a list of policies to be: what is known of a route, or of a whole place.
type unit struct {
	place *place
	routeSeen

	origins  []string            // that are taken, sorted
	withheld map[string][]string // origins by the code that withholds them, sorted
	policies []*grantPolicy

	message *corsprocv1.Route // nil: the place itself
}

// unitsOf returns the lists of a place, that of the place itself first where there is one. Without evidence there is none.
func (l *Learner) unitsOf(p *place) []*unit {
	routes := slices.Sorted(maps.Keys(p.routes))
	var units []*unit
	if l.options.Routes == RoutesNone || l.options.Routes == RoutesAuto && !isSplit(p) {
		whole := &unit{place: p, routeSeen: newRouteSeen("", false)}
		for _, route := range routes {
			whole.merge(p.routes[route])
		}
		units = append(units, whole)
	} else {
		for _, route := range routes {
			seen := p.routes[route]
			u := &unit{place: p, routeSeen: newRouteSeen(route, seen.exact)}
			u.merge(seen)
			units = append(units, u)
		}
	}
	units = slices.DeleteFunc(units, func(u *unit) bool {
		return len(u.answers) == 0 && u.malformedGranted+u.malformedRefused == 0
	})
	for _, u := range units {
		l.judge(u)
	}
	return units
}

// isSplit reports whether an origin was granted something under one route, and refused under another.
func isSplit(p *place) bool {
	taken := map[string]bool{}
	for _, seen := range p.routes {
		for origin, a := range seen.answers {
			if a.isTaken() {
				taken[origin] = true
			}
		}
	}
	for _, seen := range p.routes {
		for origin, a := range seen.answers {
			if a.isRefused() && taken[origin] {
				return true
			}
		}
	}
	return false
}

// leastSites is from how many sites on grants to all look like grants to anybody.
const leastSites = 5

// judge decides which origins are taken, and which are withheld because the upstream cannot have meant to grant them what
// it does.
func (l *Learner) judge(u *unit) {
	trusted := l.options.Trust.All || slices.Contains(l.options.Trust.Places, u.place.label)
	var taken, byName []string
	refused, credentials := u.malformedRefused > 0, false
	sites := map[string]string{} // with the first origin of each
	for origin, a := range u.answers {
		switch {
		case a.isTaken():
			taken = append(taken, origin)
			if a.echoes == 0 {
				continue
			}
			byName = append(byName, origin)
			credentials = credentials || a.credentials > 0
			if site := siteOfOrigin(origin); site != "" && (sites[site] == "" || a.at.before(u.answers[sites[site]].at)) {
				sites[site] = origin
			}
		case a.isRefused():
			refused = true
		}
	}
	slices.Sort(taken)
	slices.Sort(byName)
	withhold := map[string]string{} // by origin
	if at, ok := u.reflects(refused, sites); ok {
		l.judged(u, &found{code: CodeReflectsAnyOrigin, at: at, message: u.reflection(len(byName), len(sites), credentials || u.malformedCredentials)})
		for _, origin := range byName {
			withhold[origin] = CodeReflectsAnyOrigin
		}
	}
	for origin, holds := range lookAlikes(byName) {
		if withhold[origin] == "" {
			withhold[origin] = CodeGrantsLookAlike
		}
		l.judged(u, &found{code: CodeGrantsLookAlike, at: u.answers[origin].at, subject: origin, message: origin + " is granted, which holds the granted host " + holds + " and belongs to another site: a rule that compares part of the host lets everybody in who registers such a name"})
	}
	for _, origin := range byName {
		a := u.answers[origin]
		switch {
		case origin == "null":
			withhold[origin] = CodeGrantsNull
			l.judged(u, &found{code: CodeGrantsNull, at: a.at, message: "null is granted: any page can have that origin, in a sandboxed frame for instance"})
		case a.credentials > 0 && isInsecure(origin):
			if withhold[origin] == "" {
				withhold[origin] = CodeGrantsInsecure
			}
			l.judged(u, &found{code: CodeGrantsInsecure, at: a.at, subject: origin, message: origin + " is granted with credentials: whoever is on the way to an http page can be it"})
		}
	}
	u.withheld = map[string][]string{}
	for _, origin := range taken {
		if code := withhold[origin]; code != "" && !trusted {
			u.withheld[code] = append(u.withheld[code], origin)
		} else {
			u.origins = append(u.origins, origin)
		}
	}
}

// reflects reports whether whatever origin is sent looks granted, and the first line that shows it.
func (u *unit) reflects(refused bool, sites map[string]string) (spot, bool) {
	if u.malformedGranted > 0 {
		return u.malformedAt, true
	}
	if refused || len(sites) < leastSites {
		return spot{}, false
	}
	// The line with the first origin of the fifth site shows it.
	var spots []spot
	for _, origin := range sites {
		spots = append(spots, u.answers[origin].at)
	}
	slices.SortFunc(spots, func(a, b spot) int { return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.line, b.line)) })
	return spots[leastSites-1], true
}

func (u *unit) reflection(origins, sites int, credentials bool) string {
	what := "whatever Origin is sent looks granted"
	if u.route != "" {
		what += " under " + u.route
	}
	if u.malformedGranted > 0 {
		what += ", malformed ones too"
	}
	what += sentenceOf(origins, sites)
	if credentials {
		return what + ", with credentials: every page on the web can act as its visitor here"
	}
	return what + ", without credentials: if that is meant, the policy to write is \"*\""
}

func sentenceOf(origins, sites int) string {
	if sites < leastSites {
		return ""
	}
	return " (" + plural(origins, "origin") + " of " + plural(sites, "site") + ", and none refused)"
}

// judged notes a finding about a unit. Of a place and a code the first line counts.
func (l *Learner) judged(u *unit, f *found) {
	f.place = u.place.label
	key := foundKey{f.code, f.place}
	have := l.judgements[key]
	if have == nil {
		l.judgements[key] = f
	} else if f.at.before(have.at) || f.at == have.at && f.message < have.message {
		f.count = have.count
		l.judgements[key] = f
	}
	l.judgements[key].count++
}
