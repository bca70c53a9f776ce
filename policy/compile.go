package policy

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// compiler turns sources into a set. Every step goes on after an error, so that one run reports all of them.
type compiler struct {
	set         *Set
	found       finding.Collector
	suggestions finding.Suggestions

	originSets map[string]*originSet
	setRisks   map[*originSet][]setRisk
	lists      map[string]*list  // of several policies, by their names
	terms      map[string]*terms // by what they were made of
	key        []byte            // of either, used again and again
	grants     []grant           // what Set.policies points to
	routes     []route           // what virtualHost.routes are parts of
	origins    []match.Origins   // what grants point to, at the moment

	automatonSteps int // what is left of regex.MaxAutomataSteps
	regexSteps     int // what is left of maxAllRegexSteps
	regexRisks     map[regexQuestion]regexRisk

	allow, deny patternList // of the policy or origin set at hand
	linter      linter
}

func newCompiler() *compiler {
	c := &compiler{
		set:        &Set{byName: map[string]*grant{}},
		originSets: map[string]*originSet{},
		setRisks:   map[*originSet][]setRisk{},
		lists:      map[string]*list{},
		terms:      map[string]*terms{},

		automatonSteps: regex.MaxAutomataSteps,
		regexSteps:     maxAllRegexSteps,
		regexRisks:     map[regexQuestion]regexRisk{},
	}
	c.linter = linter{compiler: c, denying: map[*grant]*patternList{}, faultless: map[*terms]bool{}, inclusion: regex.Inclusion{Steps: regex.MaxInclusionSteps}}
	return c
}

func (c *compiler) compile(sources []Source) {
	for _, src := range sources {
		c.set.sources = append(c.set.sources, src.Name)
	}
	c.reserve(sources)
	for i, src := range sources {
		c.compileOriginSets(int32(i), src)
	}
	// Every name is known before the first place refers to one.
	for i, src := range sources {
		c.compilePolicies(int32(i), src)
	}
	none := &grant{name: nameNone, builtin: true, terms: &terms{}}
	none.alone = newList([]*grant{none})
	c.set.byName[nameNone] = none

	c.compileDefault(sources)
	for i, src := range sources {
		for j, h := range src.Set.GetVirtualHosts() {
			c.compileVirtualHost(int32(i), j, h)
		}
	}
	c.linter.lintSources(sources)
	for _, set := range c.set.originSets {
		set.texts = nil
	}
}

// reserve makes room for everything in advance: what grows step by step is copied again and again, and in the end half
// of it is empty.
func (c *compiler) reserve(sources []Source) {
	policies, hosts, routes := 0, 1, 0
	var patterns, names, domains struct{ n, text int }
	for _, src := range sources {
		policies += len(src.Set.GetPolicies())
		hosts += len(src.Set.GetVirtualHosts())
		for _, set := range src.Set.GetOriginSets() {
			patterns.n += len(set.GetOrigins())
			patterns.text += textSize(set.GetOrigins())
		}
		for _, p := range src.Set.GetPolicies() {
			patterns.n += len(p.GetAllowOrigins()) + len(p.GetDenyOrigins())
			patterns.text += textSize(p.GetAllowOrigins()) + textSize(p.GetDenyOrigins())
		}
		for _, h := range src.Set.GetVirtualHosts() {
			routes += len(h.GetRoutes())
			if h.GetName() != "" {
				names.n++
				names.text += len(h.GetName())
			}
			domains.n += len(h.GetDomains())
			domains.text += textSize(h.GetDomains())
		}
	}
	c.set.policies = make([]*grant, 0, policies)
	c.grants = make([]grant, 0, policies)
	c.set.hosts = make([]virtualHost, 0, hosts)
	c.routes = make([]route, 0, routes)
	c.set.patterns.Reserve(patterns.n, patterns.text)
	c.set.names.Reserve(names.n, names.text)
	c.set.domains.Reserve(domains.n, domains.text)
}

// textSize returns the length of all texts of a list.
func textSize(list []string) (n int) {
	for _, s := range list {
		n += len(s)
	}
	return n
}

// appendKey appends a text that is equal for equal lists only.
func appendKey(key []byte, list []string) []byte {
	key = binary.AppendUvarint(key, uint64(len(list)))
	for _, s := range list {
		key = binary.AppendUvarint(key, uint64(len(s)))
		key = append(key, s...)
	}
	return key
}

// in returns the place of a path in a source.
func (c *compiler) in(source int32, p finding.Path) finding.Location {
	return finding.Location{Source: c.set.sources[source], Path: p}
}

// maxName is the length of the longest name of a policy or an origin set.
const maxName = 200

func (c *compiler) compileOriginSets(source int32, src Source) {
	sets := src.Set.GetOriginSets()
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		path := finding.Path("").Name("origin_sets").Name(name)
		c.checkName(c.in(source, path), name)
		set := &originSet{name: name, source: source, texts: sets[name].GetOrigins()}
		index := len(c.set.originSets)
		c.set.originSets = append(c.set.originSets, set)
		if first, ok := c.originSets[name]; ok {
			at, other := c.in(source, path), c.in(first.source, path)
			at.Key, other.Key = true, true
			c.found.Add(finding.Finding{Severity: finding.Error, Code: finding.CodeDuplicateName, Location: at, Value: name,
				Message: "an origin set of this name is defined already", Related: &other})
		} else {
			c.originSets[name] = set
		}
		set.Origins = c.set.patterns.List()
		c.allow.begin(c.in(source, path), set.texts)
		c.linter.families.begin(set.texts)
		c.allow.compiled = &set.Origins
		for i, text := range set.texts {
			p, ok := c.parsePattern(c.allow.at, i, text)
			if !ok {
				continue
			}
			if p.Kind == origin.PatternSet {
				c.found.Fail(finding.Finding{Code: finding.CodeNestedOriginSet, Location: c.allow.at.Index(i), Value: text,
					Message: "an origin set cannot refer to another one"})
				continue
			}
			c.allow.add(&p, i, makeRule(ruleSet, index, i))
			c.linter.families.add(&p, i)
		}
		c.linter.lintSet(&c.allow)
	}
}

// newOrigins begins a compiled list of a policy. They stand in blocks, as there may be many and each is small.
func (c *compiler) newOrigins() *match.Origins {
	const block = 64
	if len(c.origins) == cap(c.origins) {
		c.origins = make([]match.Origins, 0, block)
	}
	c.origins = append(c.origins, c.set.patterns.List())
	return &c.origins[len(c.origins)-1]
}

// origin.ParsePattern takes element i of a list apart or reports why that cannot be done.
func (c *compiler) parsePattern(list finding.Location, i int, text string) (origin.Pattern, bool) {
	p, why := origin.ParsePattern(text)
	if why == "" {
		return p, true
	}
	why, fix, spelling := origin.Fault(text, list.Path.LastName(), why)
	code := finding.CodeOriginMalformed
	if spelling {
		code = finding.CodeOriginNotCanonical
	}
	c.found.Fail(finding.Finding{Code: code, Location: list.Index(i), Value: text,
		Message: why, Fix: fix})
	return origin.Pattern{}, false
}

// knownPolicy reports whether a name can stand in a list of policies.
func (c *compiler) knownPolicy(name string) bool {
	_, ok := c.set.byName[name]
	return ok || name == nameNone || name == namePassthrough
}

// compileDefault makes the first virtual host of the set.
func (c *compiler) compileDefault(sources []Source) {
	host := virtualHost{label: defaultLabel, source: -1}
	host.listRule = makeRule(rulePlace, 0, noRoute)
	host.policies = &passthroughList
	for i, src := range sources {
		message := src.Set.GetDefault()
		if message == nil {
			continue
		}
		at := c.in(int32(i), finding.Path("").Name("default"))
		if host.source >= 0 {
			second, first := at, c.in(host.source, finding.Path("").Name("default"))
			second.Key, first.Key = true, true
			c.found.Add(finding.Finding{Severity: finding.Error, Code: finding.CodeDuplicateDefault, Location: second,
				Message: "default stands in another file already", Related: &first})
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
	at := c.in(source, spot{index, -1}.path())
	c.set.hosts = append(c.set.hosts, virtualHost{
		source: source, position: int32(index), label: h.GetName(), place: c.set.hosts[0].place,
	})
	host := &c.set.hosts[id]
	if host.label == "" && len(h.GetDomains()) > 0 {
		host.label = h.GetDomains()[0]
	}
	if h.GetName() == "" && len(h.GetDomains()) == 0 {
		c.found.Fail(finding.Finding{Code: finding.CodeNoNameNoDomain, Location: at,
			Message: "a virtual host needs a name, domains, or both: without them no request belongs to it"})
	}
	if name := h.GetName(); name != "" {
		c.addHostName(at, name, id)
	}
	for i, domain := range h.GetDomains() {
		c.addDomain(at, i, domain, id)
	}
	c.compilePlace(&host.place, h, at, id, noRoute)
	first := len(c.routes)
	for i, r := range h.GetRoutes() {
		at := at.Field("routes").Index(i)
		t := c.compileRoute(at, r)
		t.place = host.place
		c.compilePlace(&t.place, r, at, id, i)
		c.routes = append(c.routes, t)
	}
	host.routes = c.routes[first:len(c.routes):len(c.routes)]
	host.index = indexRoutes(host.routes)
}

// hostAt returns the place of a virtual host other than default.
func (c *compiler) hostAt(id int) finding.Location {
	h := &c.set.hosts[id]
	return c.in(h.source, spot{int(h.position), -1}.path())
}

func (c *compiler) addHostName(host finding.Location, name string, id int) {
	space := uint64(nameExact)
	if match.IsGlob(name) {
		space = nameGlob
	}
	if had := c.set.names.Add(space, name, uint64(id)); had != 0 {
		c.found.Add(finding.Finding{Severity: finding.Error, Code: finding.CodeDuplicateName, Location: host.Field("name"), Value: name,
			Message: "another virtual host has this name already", Related: new(c.hostAt(int(had)).Field("name"))})
		return
	}
	if space == nameGlob {
		c.set.globs.Add(name, id)
	}
}

func (c *compiler) addDomain(host finding.Location, i int, domain string, id int) {
	if why, fix := match.CheckDomain(domain); why != "" {
		c.found.Fail(finding.Finding{Code: finding.CodeDomainMalformed, Location: host.Field("domains").Index(i), Value: domain,
			Message: why, Fix: fix})
		return
	}
	key := domain
	if fetch.HasUpperASCII(key) {
		key = string(fetch.LowerASCII(key, nil))
	}
	if had := c.set.domains.Add(key, match.MakeHostKey(id, i)); had != 0 {
		first := c.hostAt(had.Host()).Field("domains").Index(had.Domain())
		c.found.Add(finding.Finding{Severity: finding.Error, Code: finding.CodeDuplicateDomain, Location: host.Field("domains").Index(i), Value: domain,
			Message: "this domain stands in the set already; Envoy does not allow that either", Related: &first})
	}
}

// enumFault is the message about a number that is no value of an enum.
func enumFault(n int32) string { return fmt.Sprintf("%d is not a value of this field", n) }
