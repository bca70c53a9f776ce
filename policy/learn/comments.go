package learn

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/draft"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// comment says in the file where it comes from, what was found, and who used what.
func (l *Learner) comment(out *Learned, list []*found, interrupted bool) {
	f := out.File
	f.Head = l.head(interrupted)
	byPlace := map[string]*corsprocv1.VirtualHost{}
	for _, w := range out.places {
		if slices.Contains(f.Set.VirtualHosts, w.host) {
			byPlace[w.label] = w.host
		}
	}
	for _, found := range list {
		host := byPlace[found.place]
		switch {
		case found.place == "":
			f.Head = append(f.Head, found.comment())
		case host == nil:
			f.Head = append(f.Head, found.place+": "+found.comment())
		default:
			f.Before(draft.At(host), found.comment())
		}
	}
	for _, w := range out.places {
		if byPlace[w.label] == nil {
			f.Head = append(f.Head, w.label+": nothing is written of this place, since neither a name nor a domain can stand for it")
			continue
		}
		for _, u := range w.units {
			l.commentUnit(f, w, u)
		}
	}
	if out.set == nil && l.hasHeaders() {
		f.Head = append(f.Head, "what was learned does not load: corsproc check tells why")
	}
}

func (l *Learner) head(interrupted bool) []string {
	var names []string
	for i, name := range l.sources {
		if i == maxKeys {
			names = append(names, fmt.Sprintf("%d more", len(l.sources)-i))
			break
		}
		names = append(names, name)
	}
	head := []string{"Learned by corsproc learn from " + strings.Join(names, ", ") + ": what the upstreams were seen to grant, and nothing else."}
	if interrupted {
		head = append(head, "INCOMPLETE: interrupted, so that only what was read until then is here.")
	}
	told := fmt.Sprintf("%d lines, %d of pages of other origins, %d not JSON", l.Lines(), l.crossOrigin, l.notJSON)
	if l.first != 0 {
		told += "; " + span(l.first, l.last)
	}
	return append(head, told+".")
}

func span(first, last int64) string {
	switch {
	case first == 0:
		return ""
	case first == last:
		return told(first)
	}
	return told(first) + " to " + told(last)
}

// commentUnit says who used a list of policies.
func (l *Learner) commentUnit(f *draft.File, w *writtenPlace, u *unit) {
	at := draft.At(w.host)
	if u.message != nil {
		if at = draft.At(u.message); !slices.Contains(w.host.Routes, u.message) {
			return
		}
	}
	for _, code := range slices.Sorted(maps.Keys(u.withheld)) {
		f.Before(at, withheldText(code, u.withheld[code]))
	}
	if n := u.malformedGranted; n > 0 {
		f.Before(at, fmt.Sprintf("withheld: malformed origins, which no browser sends, were granted %d times", n))
	}
	for _, g := range u.policies {
		if g.message != nil {
			u.commentPolicy(f, g)
		}
	}
}

func withheldText(code string, origins []string) string {
	text := fmt.Sprintf("withheld [%s]: %s: ", code, plural(len(origins), "origin"))
	if len(origins) > maxWithheld {
		return text + strings.Join(origins[:maxWithheld], " ") + fmt.Sprintf(" and %d more", len(origins)-maxWithheld)
	}
	return text + strings.Join(origins, " ")
}

// commentPolicy says who used a policy, and for what.
func (u *unit) commentPolicy(f *draft.File, g *grantPolicy) {
	at := draft.At(g.message)
	sum := &answers{}
	for _, origin := range g.origins {
		a := u.answers[origin]
		more(&sum.requests, a.requests)
		more(&sum.preflights, a.preflights)
		sum.seenAt(a.first)
		sum.seenAt(a.last)
	}
	where := u.place.label
	if u.route != "" {
		where += ", " + u.route
	}
	f.Before(at, where+": "+plural(len(g.origins), "origin")+", "+sum.used())
	if g.star {
		f.Before(at, "answered with *: "+list(g.origins))
	} else {
		for i, origin := range g.message.AllowOrigins {
			if a := u.answers[origin]; a != nil {
				f.Beside(at.Field("allow_origins").Entry(i), a.used())
			}
		}
		for _, site := range manyOf(g.message.AllowOrigins) {
			f.Before(at.Field("allow_origins"), site)
		}
	}
	counts, unasked := u.counts(g)
	if len(g.message.AllowMethods) > 0 {
		f.Beside(at.Field("allow_methods"), counted(g.message.AllowMethods, methodName, counts))
	}
	if len(g.message.AllowHeaders) > 0 {
		f.Beside(at.Field("allow_headers"), counted(g.message.AllowHeaders, headerName, counts))
	}
	if len(unasked) > 0 {
		f.Before(at, "granted too, and never asked for: "+list(unasked))
	}
}

// used says how often and when.
func (a *answers) used() string {
	s := fmt.Sprintf("requests %d, preflights %d", a.requests, a.preflights)
	if a.first != 0 {
		s += ", " + span(a.first, a.last)
	}
	return s
}

// counts returns how often the names of a policy were asked for, and what was granted beside them and never asked for.
func (u *unit) counts(g *grantPolicy) (counts map[string]int64, unasked []string) {
	counts = map[string]int64{}
	granted := map[string]bool{}
	for _, origin := range g.origins {
		a := u.answers[origin]
		for _, n := range a.names {
			text := u.place.names.list[n.id]
			if n.what&asked != 0 {
				counts[text] += int64(n.count)
			} else if n.what&listed != 0 && text[0] != byte(exposedName) {
				granted[text] = true
			}
		}
		for kind, star := range map[nameKind]bool{methodName: a.starMethods, headerName: a.starHeaders, exposedName: a.starExposed} {
			if star && a.credentials > 0 {
				granted[string(byte(kind))+"*"] = true
			}
		}
	}
	for _, text := range slices.Sorted(maps.Keys(granted)) {
		if _, wasAsked := counts[text]; !wasAsked && !slices.Contains(safelisted, text[1:]) {
			unasked = append(unasked, text[1:])
		}
	}
	return counts, unasked
}

func counted(names []string, kind nameKind, counts map[string]int64) string {
	var parts []string
	for i, name := range names {
		if i == maxWithheld {
			parts = append(parts, fmt.Sprintf("%d more", len(names)-i))
			break
		}
		if n := counts[string(byte(kind))+name]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, n))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "asked for: " + strings.Join(parts, ", ")
}

// list is the first of some names.
func list(names []string) string {
	if len(names) > maxWithheld {
		return strings.Join(names[:maxWithheld], " ") + fmt.Sprintf(" and %d more", len(names)-maxWithheld)
	}
	return strings.Join(names, " ")
}

// leastFamily is from how many origins of a site on a wildcard is suggested.
const leastFamily = 10

// manyOf suggests wildcards for origins of one site.
func manyOf(origins []string) (texts []string) {
	of := map[string]int{}
	for _, origin := range origins {
		scheme, host := hostPart(origin)
		site := siteOf(host)
		if scheme != "https" || site == "" || host == site || origin != "https://"+host {
			continue
		}
		of[site]++
	}
	for _, site := range slices.Sorted(maps.Keys(of)) {
		if of[site] >= leastFamily {
			texts = append(texts, fmt.Sprintf("%d origins of %s: if all of its hosts are trusted, https://*.%s covers them", of[site], site, site))
		}
	}
	return texts
}
