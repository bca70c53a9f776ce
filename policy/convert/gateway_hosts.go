package convert

// Tested by gateway_test.go, gateway_random_test.go and golden_test.go.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// gatewayHosts collects what the routes of all listeners say, by host, and makes virtual hosts of it.
type gatewayHosts struct {
	b       *builder
	ports   []listenerPort // in the order in which they came
	on      map[listenerPort]map[string]*portHost
	hosts   []string
	at      map[string]Position // of a host: its first route
	names   map[string]string   // of Envoy's virtual hosts; empty: several
	matches int
	work    int
	regexes map[gatewayPath]gatewayRegex
}

func newGatewayHosts(b *builder) *gatewayHosts {
	return &gatewayHosts{b: b, on: map[listenerPort]map[string]*portHost{}, at: map[string]Position{}, names: map[string]string{}, regexes: map[gatewayPath]gatewayRegex{}}
}

// A portHost is a host on one port: what a request finds there is what it is matched with. A request of another host than
// the ones that are there, or of a path that is not, is answered by the gateway itself.
type portHost struct {
	matches []*gatewayMatch
	by      map[gatewayPath][]*gatewayMatch
	regexes []gatewayRegex
	rest    []*gatewayMatch // all of expressions and prefixes, as matches that take some paths
}

type gatewayRegex struct {
	path  gatewayPath
	re    *regexp.Regexp // nil: it does not compile
	start string         // with which all of its paths begin
}

// expression returns an expression for paths, which is compiled once however many hosts and ports have it.
func (g *gatewayHosts) expression(path gatewayPath) gatewayRegex {
	r, known := g.regexes[path]
	if !known {
		r = gatewayRegex{path: path, start: startOf(path.text)}
		r.re, _ = regexp.Compile("^(?:" + path.text + ")$")
		g.regexes[path] = r
	}
	return r
}

const (
	// maxGatewayMatches bounds what routes, their hosts and listeners multiply to.
	maxGatewayMatches = 1_000_000
	// maxGatewayWork bounds the steps of looking for what takes a path where the first match does not take every request.
	maxGatewayWork = 20_000_000
)

// add adds a match to a host on a listener.
func (g *gatewayHosts) add(l *listener, host string, m *gatewayMatch, at Position) error {
	if g.matches++; g.matches > maxGatewayMatches {
		return m.at.fault(fmt.Sprintf("there are more than %d matches in these files, counted for each host and listener: convert them in parts", maxGatewayMatches))
	}
	port := l.shares()
	if g.on[port] == nil {
		g.on[port] = map[string]*portHost{}
		g.ports = append(g.ports, port)
	}
	if g.on[port][host] == nil {
		g.on[port][host] = &portHost{}
	}
	if _, there := g.at[host]; !there {
		g.at[host] = at
		g.hosts = append(g.hosts, host)
	}
	name := "" // of what Envoy Gateway makes of a listener of a Gateway
	if l.known && l.owner == l.gateway && host != "*" && host[0] != '*' {
		name = fmt.Sprintf("%s/%s/%s/%s", l.gateway.namespace, l.gateway.name, l.name, strings.ReplaceAll(host, ".", "_"))
	}
	if had, there := g.names[host]; there && had != name {
		name = ""
	}
	g.names[host] = name
	g.on[port][host].matches = append(g.on[port][host].matches, m)
	return nil
}

func (h *portHost) prepare(g *gatewayHosts) {
	slices.SortStableFunc(h.matches, byPrecedence)
	h.by = map[gatewayPath][]*gatewayMatch{}
	for _, m := range h.matches {
		if m.path.kind == matchRegex && h.by[m.path] == nil {
			r := g.expression(m.path)
			if r.re == nil {
				continue // it was said where the match was read
			}
			h.regexes = append(h.regexes, r)
		}
		h.by[m.path] = append(h.by[m.path], m)
		if m.path.kind != matchPath {
			some := *m
			some.partly = m.path.text != ""
			h.rest = append(h.rest, &some)
		}
	}
	for path, list := range h.by { // what is behind a match without conditions takes nothing
		if i := slices.IndexFunc(list, func(m *gatewayMatch) bool { return !m.conditional() }); i >= 0 {
			h.by[path] = list[:i+1]
		}
	}
}

// startOf returns what all texts that an expression matches begin with.
func startOf(expression string) string {
	re, err := regexp.Compile(expression)
	if err != nil {
		return ""
	}
	start, _ := re.LiteralPrefix()
	return start
}

// taking returns the matches that requests of a path can take, in order, up to the first that takes all of them.
func (h *portHost) taking(path gatewayPath, g *gatewayHosts) (list []*gatewayMatch) {
	more := func(path gatewayPath) bool { // whether others are reached
		here := h.by[path]
		g.work += 1 + len(here)
		list = append(list, here...)
		return len(here) == 0 || here[len(here)-1].conditional()
	}
	if !more(path) {
		return list
	}
	text := path.text
	switch path.kind {
	case matchRegex:
		g.work += 4 * len(h.rest)
		start := g.expression(path).start
		for _, m := range h.rest {
			if m.path == path {
				continue
			}
			if m.path.kind == matchSegments && strings.HasPrefix(start, m.path.text+"/") { // it takes all of them
				whole := *m
				whole.partly = false
				m = &whole
			}
			list = append(list, m)
			if !m.partly && !m.conditional() {
				break
			}
		}
		return list
	case matchPath:
		for _, r := range h.regexes {
			g.work += 10
			if r.re.MatchString(text) && !more(r.path) {
				return list
			}
		}
		if !more(gatewayPath{matchSegments, strings.TrimSuffix(text, "/")}) {
			return list
		}
	}
	for text != "" {
		i := strings.LastIndexByte(text, '/')
		if i < 0 {
			break
		}
		text = text[:i]
		if text == path.text {
			continue
		}
		if !more(gatewayPath{matchSegments, text}) {
			return list
		}
	}
	return list
}

// onPort returns what a port has for a host: its own, else that of the longest wildcard that covers it.
func (g *gatewayHosts) onPort(port listenerPort, host string) *portHost {
	hosts := g.on[port]
	if h := hosts[host]; h != nil {
		return h
	}
	for rest := strings.TrimPrefix(host, "*."); ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return hosts["*"]
		}
		if h := hosts["*."+after]; h != nil {
			return h
		}
		rest = after
	}
}

// build adds the virtual hosts to the builder.
func (g *gatewayHosts) build(named bool) error {
	for _, port := range g.ports {
		for _, h := range g.on[port] {
			h.prepare(g)
		}
	}
	for _, name := range g.hosts {
		var there []*portHost
		paths := map[gatewayPath]*gatewayMatch{}
		for _, port := range g.ports {
			h := g.onPort(port, name)
			g.work++
			if h == nil {
				continue
			}
			there = append(there, h)
			for path, list := range h.by {
				if paths[path] == nil {
					paths[path] = list[0]
				}
			}
		}
		if err := g.host(name, there, paths, named); err != nil {
			return err
		}
	}
	return nil
}

func (g *gatewayHosts) host(name string, there []*portHost, paths map[gatewayPath]*gatewayMatch, named bool) error {
	h := g.b.domain(name, g.at[name])
	if named {
		h.name = g.names[name]
	}
	firsts := make([]*gatewayMatch, 0, len(paths))
	for _, m := range paths {
		firsts = append(firsts, m)
	}
	slices.SortFunc(firsts, byPath)
	for _, first := range firsts {
		granted := place{}
		some, narrowed := false, false
		for _, p := range there {
			one := grantFor(p.taking(first.path, g))
			narrowed = narrowed || one.narrowed
			if !one.content {
				continue
			}
			if !some {
				granted, some = one.terms, true
			} else if m, same := meet(granted, one.terms); !same {
				granted = m
			}
		}
		if g.work > maxGatewayWork {
			return first.at.fault("the matches of these files by method, header and query are too many to be told apart: convert them in parts")
		}
		granted.at = first.at
		granted.notes.texts = slices.Clone(granted.notes.texts)
		told := len(granted.notes.texts)
		for _, p := range there {
			g.explain(&granted, p.by[first.path])
		}
		if narrowed && len(granted.notes.texts) == told {
			g.b.warn(&granted.notes, first.at, codeTightest, first.field, tightestMessage)
		}
		if first.path.text == "" && first.path.kind == matchSegments {
			granted.at = h.place.at
			h.place = granted
			continue
		}
		h.routes = append(h.routes, &route{match{first.path.kind, first.path.text}, granted})
	}
	return nil
}

// explain warns of what is granted otherwise than matches of a path have it.
func (g *gatewayHosts) explain(granted *place, matches []*gatewayMatch) {
	for i, m := range matches {
		if m.answers {
			continue
		}
		has := len(m.terms.policies) > 0
		same := alike(m.terms, *granted)
		switch {
		case same && has && m.conditional() && !(i+1 < len(matches) && alikeFrom(matches[i+1:], *granted)):
			g.b.warn(&granted.notes, m.at, codeMatchLost, m.field, fmt.Sprintf("a policy file does not look at %s: what is granted here holds for all requests of this path", m.condition()))
		case same, !has && m.conditional() && !granted.nobody:
		case m.conditional():
			g.b.warn(&granted.notes, m.at, codeMatchLost, m.field, fmt.Sprintf("a policy file does not look at %s: requests of this path get what all of its matches grant, which is less than this one does; give what it takes a path or a host of its own", m.condition()))
		default:
			g.b.warn(&granted.notes, m.at, codeTightest, m.field, tightestMessage)
		}
	}
}

const tightestMessage = "other matches, of the same requests but for method, headers or query, or of another listener, grant otherwise, and a policy file cannot tell them apart: granted is what all of them grant; give them paths or hosts of their own"

func alikeFrom(matches []*gatewayMatch, granted place) bool {
	return !slices.ContainsFunc(matches, func(m *gatewayMatch) bool { return !m.answers && !alike(m.terms, granted) }) && !matches[len(matches)-1].conditional()
}

// condition names what a match looks at.
func (m *gatewayMatch) condition() string {
	var words []string
	if m.method != "" {
		words = append(words, "the method")
	}
	if len(m.headers) > 0 {
		words = append(words, "headers")
	}
	if m.cookie {
		words = append(words, "cookies")
	}
	if m.query {
		words = append(words, "the query")
	}
	return strings.Join(words, " or ")
}
