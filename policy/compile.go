package policy

import (
	"fmt"
	"maps"
	"slices"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// compiler turns sources into a set. Every step goes on after an error, so that one run reports all of them.
type compiler struct {
	set      *Set
	findings []Finding
	reported map[reportedBy]int // how many

	suggested map[string]string // the nearest known names of unknown ones, by how they are referred to

	policies    map[string]Place // where each name stands first
	originSets  map[string]*originSet
	hostNames   map[string]Place
	domainPlace map[string]Place
}

func (c *compiler) compile(sources []Source) {
	c.reported = map[reportedBy]int{}
	c.suggested = map[string]string{}
	c.policies = map[string]Place{}
	c.originSets = map[string]*originSet{}
	c.hostNames = map[string]Place{}
	c.domainPlace = map[string]Place{}
	for _, src := range sources {
		c.set.sources = append(c.set.sources, src.Name)
	}

	for i, src := range sources {
		c.compileOriginSets(int32(i), src)
	}
	// Every name is known before the first place refers to one.
	for i, src := range sources {
		c.compilePolicies(int32(i), src)
	}
	none := &grant{name: nameNone, builtin: true}
	none.alone = []*grant{none}
	c.set.byName[nameNone] = none

	c.compileDefault(sources)
	for i, src := range sources {
		for j, h := range src.Set.GetVirtualHosts() {
			c.compileVirtualHost(int32(i), j, h)
		}
	}
	c.lint(sources)
	for _, set := range c.set.originSets {
		set.patterns = nil
	}
}

// maxFindings bounds how often the same is said of one source: a hostile file of a few megabytes can hold millions of
// faults, and nobody reads them.
const maxFindings = 1000

type reportedBy struct {
	source string
	code   Code
}

// report notes a finding, if there are not too many of its kind already. That they were too many is the last of them.
func (c *compiler) report(f Finding) {
	by := reportedBy{f.Place.Source, f.Code}
	switch n := c.reported[by]; {
	case n > maxFindings:
		return
	case n == maxFindings:
		f = Finding{Severity: f.Severity, Code: CodeTooManyFindings, Place: f.Place,
			Message: fmt.Sprintf("there are more than %d findings of the kind %s; what follows is not shown", maxFindings, f.Code)}
	}
	c.reported[by]++
	c.findings = append(c.findings, f)
}

// fail reports an error about the value at a place.
func (c *compiler) fail(at Place, code Code, value, message, fix string) {
	c.report(Finding{Severity: Error, Code: code, Place: at, Value: value, Message: message, Fix: fix})
}

// in returns the place of a path in a source.
func (c *compiler) in(source int32, p Path) Place {
	return Place{Source: c.set.sources[source], Path: p}
}

// maxName is the length of the longest name of a policy or an origin set.
const maxName = 200

// isName reports whether s can name a policy or an origin set.
func isName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// checkName checks the name of a policy or an origin set.
func (c *compiler) checkName(at Place, name string) {
	if !isName(name) {
		at.Key = true
		c.fail(at, CodeInvalidName, name, "a name is 1 to 200 of A-Z a-z 0-9 . _ -", "")
	}
}

// duplicate reports a name that stands twice in the set.
func (c *compiler) duplicate(at Place, code Code, value, message string, first Place) {
	c.report(Finding{Severity: Error, Code: code, Place: at, Value: value, Message: message, Related: &first})
}

func (c *compiler) compileOriginSets(source int32, src Source) {
	sets := src.Set.GetOriginSets()
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		path := Path("").Name("origin_sets").Name(name)
		c.checkName(c.in(source, path), name)
		set := &originSet{name: name, source: source}
		index := len(c.set.originSets)
		c.set.originSets = append(c.set.originSets, set)
		if first, ok := c.originSets[name]; ok {
			at, other := c.in(source, path), c.in(first.source, path)
			at.Key, other.Key = true, true
			c.duplicate(at, CodeDuplicateName, name, "an origin set of this name is defined already", other)
		} else {
			c.originSets[name] = set
		}
		for i, text := range sets[name].GetOrigins() {
			p, ok := c.parsePattern(c.in(source, path.Index(i)), text)
			if !ok {
				continue
			}
			if p.kind == patternSet {
				c.fail(c.in(source, path.Index(i)), CodeNestedOriginSet, text, "an origin set cannot refer to another one", "")
				continue
			}
			p.index = i
			set.patterns = append(set.patterns, p)
			set.add(&p, makeRule(ruleSet, index, i))
		}
	}
}

// parsePattern takes a pattern apart or reports why that cannot be done.
func (c *compiler) parsePattern(at Place, text string) (pattern, bool) {
	p, why := parsePattern(text)
	if why == "" {
		return p, true
	}
	if fix, better, ok := canonicalPattern(text); ok {
		c.fail(at, CodeOriginNotCanonical, text, better, fix)
	} else {
		c.fail(at, CodeOriginMalformed, text, why, "")
	}
	return pattern{}, false
}

// knownPolicy reports whether a name can stand in a list of policies.
func (c *compiler) knownPolicy(name string) bool {
	_, ok := c.policies[name]
	return ok || name == nameNone || name == namePassthrough
}

// compileDefault makes the first virtual host of the set.
func (c *compiler) compileDefault(sources []Source) {
	host := virtualHost{label: defaultLabel, source: -1}
	host.listRule = makeRule(rulePlace, 0, noRoute)
	host.policies = list{passthrough: true}
	for i, src := range sources {
		message := src.Set.GetDefault()
		if message == nil {
			continue
		}
		at := c.in(int32(i), Path("").Name("default"))
		if host.source >= 0 {
			second, first := at, c.in(host.source, Path("").Name("default"))
			second.Key, first.Key = true, true
			c.duplicate(second, CodeDuplicateDefault, "", "default stands in another file already", first)
			var nowhere place
			c.compilePlace(&nowhere, message, at, 0, noRoute) // for its own faults
			continue
		}
		host.source = int32(i)
		c.compilePlace(&host.place, message, at, 0, noRoute)
	}
	c.set.hosts = append(c.set.hosts, host)
}

func (c *compiler) compileVirtualHost(source int32, index int, h *corsprocv1.VirtualHost) {
	id := len(c.set.hosts)
	at := c.in(source, Path("").Name("virtual_hosts").Index(index))
	host := virtualHost{source: source, index: index, label: h.GetName(), place: c.set.hosts[0].place}
	if host.label == "" && len(h.GetDomains()) > 0 {
		host.label = h.GetDomains()[0]
	}
	if h.GetName() == "" && len(h.GetDomains()) == 0 {
		c.fail(at, CodeNoNameNoDomain, "", "a virtual host needs a name, domains, or both: without them no request belongs to it", "")
	}
	if name := h.GetName(); name != "" {
		c.addHostName(at.child("name"), name, id)
	}
	for i, domain := range h.GetDomains() {
		c.addDomain(at.child("domains").element(i), domain, id)
	}
	c.compilePlace(&host.place, h, at, id, noRoute)
	for i, r := range h.GetRoutes() {
		t := c.compileRoute(at.child("routes").element(i), r)
		t.place = host.place
		c.compilePlace(&t.place, r, at.child("routes").element(i), id, i)
		host.routes = append(host.routes, t)
	}
	c.set.hosts = append(c.set.hosts, host)
}

func (c *compiler) addHostName(at Place, name string, id int) {
	if first, ok := c.hostNames[name]; ok {
		c.duplicate(at, CodeDuplicateName, name, "another virtual host has this name already", first)
		return
	}
	c.hostNames[name] = at
	if isGlob(name) {
		c.set.globs.add(name, id)
	} else {
		c.set.names[name] = id
	}
}

func (c *compiler) addDomain(at Place, domain string, id int) {
	if why, fix := checkDomain(domain); why != "" {
		c.fail(at, CodeDomainMalformed, domain, why, fix)
		return
	}
	key := string(lowerASCII(domain, nil))
	if first, ok := c.domainPlace[key]; ok {
		c.duplicate(at, CodeDuplicateDomain, domain, "this domain stands in the set already; Envoy does not allow that either", first)
		return
	}
	c.domainPlace[key] = at
	c.set.domains.add(key, id)
}

// child and element return the place of a field and of a list's element.
func (p Place) child(name string) Place { p.Path = p.Path.Name(name); return p }
func (p Place) element(i int) Place     { p.Path = p.Path.Index(i); return p }

// enumFault is the message about a number that is no value of an enum.
func enumFault(n int32) string { return fmt.Sprintf("%d is not a value of this field", n) }
