package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/draft"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// comment says in the file where it comes from, what was found, and who used what.
func (l *Learner) comment(out *Learned, list []*found, interrupted bool) {
	f := out.File
	f.Head = l.head(interrupted)
	written := map[proto.Message]bool{} // virtual hosts and routes; what does not load was taken out
	for _, h := range f.Set.VirtualHosts {
		written[h] = true
		for _, r := range h.Routes {
			written[r] = true
		}
	}
	byPlace := map[string]*corsprocv1.VirtualHost{}
	for _, w := range out.places {
		if w.host != nil && written[w.host] {
			byPlace[w.label] = w.host
		}
	}
	for _, found := range list {
		host := byPlace[found.place]
		switch {
		case found.code == CodeNotJSON:
			f.Head = append(f.Head, fmt.Sprintf("%s:%d: %s", l.sources[found.at.source], found.at.line, found.comment()))
		case found.place == "":
			f.Head = append(f.Head, found.comment())
		case host == nil:
			f.Head = append(f.Head, found.place+": "+found.comment())
		default:
			f.Before(draft.At(host), found.comment())
		}
	}
	for _, w := range out.places {
		if w.host == nil || !written[w.host] {
			f.Head = append(f.Head, w.label+": nothing is written of this place, since neither a name nor a domain can stand for it")
			continue
		}
		if names := w.host.GetPolicies().GetNames(); len(w.host.Routes) > 0 && names[0] == "passthrough" {
			f.Beside(draft.At(w.host).Field("policies"), "nothing was seen of other paths")
		}
		for _, u := range w.units {
			at := draft.At(w.host)
			if u.message != nil {
				if at = draft.At(u.message); !written[u.message] {
					continue
				}
			}
			l.commentUnit(f, at, u)
		}
		w.commentPolicies(f)
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
	if l.times.first != 0 {
		told += "; " + l.times.String()
	}
	return append(head, told+".")
}

// commentUnit says who used a list of policies.
func (l *Learner) commentUnit(f *draft.File, at draft.Place, u *unit) {
	for _, code := range slices.Sorted(maps.Keys(u.withheld)) {
		f.Before(at, withheldText(code, u.withheld[code]))
	}
	if n := u.malformedGranted; n > 0 {
		f.Before(at, "withheld: malformed origins, which no browser sends, were granted something ("+plural(int(n), "line")+")")
	}
}

func withheldText(code string, origins []string) string {
	text := fmt.Sprintf("withheld [%s]: %s: ", code, plural(len(origins), "origin"))
	if len(origins) > maxWithheld {
		return text + strings.Join(origins[:maxWithheld], " ") + fmt.Sprintf(" and %d more", len(origins)-maxWithheld)
	}
	return text + strings.Join(origins, " ")
}

// commentPolicies says who used the policies of a place, and for what. Several routes may share one.
func (w *writtenPlace) commentPolicies(f *draft.File) {
	users := map[*corsprocv1.Policy]map[string]*answers{}
	for _, u := range w.units {
		for _, g := range u.policies {
			sum := users[g.message]
			if sum == nil {
				sum = map[string]*answers{}
				users[g.message] = sum
			}
			for _, origin := range g.origins {
				if a := sum[origin]; a != nil {
					both := *a
					both.merge(u.answers[origin])
					sum[origin] = &both
				} else {
					sum[origin] = u.answers[origin]
				}
			}
			where := w.label
			if u.route != "" {
				where += ", " + u.route
			}
			all := &answers{}
			for _, origin := range g.origins {
				all.use(u.answers[origin])
			}
			f.Before(draft.At(g.message), where+": "+plural(len(g.origins), "origin")+", "+all.used())
		}
	}
	for m, sum := range users {
		w.commentPolicy(f, m, sum)
	}
}

// use adds how often and when an origin was granted something.
func (a *answers) use(b *answers) {
	more(&a.requests, b.requests)
	more(&a.preflights, b.preflights)
	a.times.merge(b.times)
}

// commentPolicy says who used a policy, and for what.
func (w *writtenPlace) commentPolicy(f *draft.File, m *corsprocv1.Policy, users map[string]*answers) {
	at := draft.At(m)
	origins := slices.Sorted(maps.Keys(users))
	if isAll(m.AllowOrigins) {
		f.Before(at, "answered with *: "+list(origins))
	}
	for i, origin := range m.AllowOrigins {
		if a := users[origin]; a != nil {
			f.Beside(at.Field("allow_origins").Entry(i), a.used())
		}
	}
	for _, site := range manyOf(m.AllowOrigins) {
		f.Before(at.Field("allow_origins"), site)
	}
	counts, unasked := w.counts(users)
	if len(m.AllowMethods) > 0 {
		f.Beside(at.Field("allow_methods"), counted(m.AllowMethods, methodName, counts))
	}
	if len(m.AllowHeaders) > 0 {
		f.Beside(at.Field("allow_headers"), counted(m.AllowHeaders, headerName, counts))
	}
	if len(unasked) > 0 {
		f.Before(at, "granted too, and never asked for: "+list(unasked))
	}
}

// used says how often and when.
func (a *answers) used() string {
	s := fmt.Sprintf("requests %d, preflights %d", a.requests, a.preflights)
	if a.times.first != 0 {
		s += ", " + a.times.String()
	}
	return s
}

// counts returns how often the names of a policy were asked for, and what was granted beside them and never asked for.
func (w *writtenPlace) counts(users map[string]*answers) (counts map[string]int64, unasked []string) {
	counts = map[string]int64{}
	granted := map[string]bool{}
	for _, a := range users {
		for _, n := range a.names {
			text := w.names.list[n.id]
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
		if _, wasAsked := counts[text]; !wasAsked && !fetch.IsSafelistedMethod(text[1:]) {
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
	for _, text := range origins {
		p, _ := origin.Cut(text)
		site := siteOf(p.Host)
		if p.Scheme != "https" || site == "" || p.Host == site || p.Port != "" {
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
