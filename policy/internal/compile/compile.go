package compile

// Tested by policy/findings_test.go and policy/testdata/findings.yaml.

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Compile compiles files into an empty set. It reports everything that it finds in all of them, in no particular order: if
// any of that is an error, the set is not to be used. The files are read only during the call.
func Compile(set *compiled.Set, found *finding.Collector, see Observer, files []File) {
	c := newCompiler(set, found)
	c.see = see
	c.compile(files)
}

// compiler turns files into a set. Every step goes on after an error, so that one run reports all of them.
type compiler struct {
	Written
	found       *finding.Collector
	see         Observer
	suggestions finding.Suggestions

	setRisks map[*OriginSet][]setRisk
	sources  map[string]int32           // the numbers of files of origins
	ofFile   map[int32]*OriginSet       // the first set of each
	lists    map[string]*compiled.List  // of several policies, by their names
	terms    map[string]*compiled.Terms // by what they were made of
	key      []byte                     // of either, used again and again
	policies []compiled.Policy          // what compiled.Set.policies points to
	routes   []compiled.Route           // what virtualHost.routes are parts of
	origins  []match.Origins            // what policies point to, at the moment

	automatonSteps int // what is left of regex.MaxAutomataSteps
	regexSteps     int // what is left of maxAllRegexSteps
	regexRisks     map[regexQuestion]regexRisk

	allow, deny List           // of the policy or origin set at hand
	pattern     origin.Pattern // the element at hand, here so that an observer's look at it costs no allocation
	policy      Policy         // likewise
}

func newCompiler(set *compiled.Set, found *finding.Collector) *compiler {
	set.ByName = map[string]*compiled.Policy{}
	return &compiler{
		Written: Written{
			Set: set, SetsByName: map[string]*OriginSet{}, Proposed: map[*compiled.Policy]bool{}, ProposedSets: map[*OriginSet]bool{},
		},
		found:    found,
		setRisks: map[*OriginSet][]setRisk{},
		sources:  map[string]int32{},
		ofFile:   map[int32]*OriginSet{},
		lists:    map[string]*compiled.List{},
		terms:    map[string]*compiled.Terms{},

		automatonSteps: regex.MaxAutomataSteps,
		regexSteps:     maxAllRegexSteps,
		regexRisks:     map[regexQuestion]regexRisk{},
	}
}

func (c *compiler) compile(files []File) {
	c.Files = files
	for _, f := range files {
		c.Set.Sources = append(c.Set.Sources, f.Name)
	}
	c.see.Begin(&c.Written)
	c.reserve()
	for i, f := range files {
		c.compileOriginSets(int32(i), f)
	}
	// Every name is known before the first place refers to one.
	for i, f := range files {
		c.compilePolicies(int32(i), f)
	}
	none := &compiled.Policy{Name: compiled.NameNone, Builtin: true, Terms: &compiled.Terms{}}
	none.Alone = compiled.NewList([]*compiled.Policy{none})
	c.Set.ByName[compiled.NameNone] = none

	c.compileDefault()
	for i, f := range files {
		for j, h := range f.Set.GetVirtualHosts() {
			c.compileVirtualHost(int32(i), j, h)
		}
	}
	c.see.End()
}

// reserve makes room for everything in advance: what grows step by step is copied again and again, and in the end half
// of it is empty.
func (c *compiler) reserve() {
	policies, hosts, routes := 0, 1, 0
	var patterns, names, domains struct{ n, text int }
	for _, f := range c.Files {
		policies += len(f.Set.GetPolicies())
		hosts += len(f.Set.GetVirtualHosts())
		for _, set := range f.Set.GetOriginSets() {
			patterns.n += len(set.GetOrigins())
			patterns.text += textSize(set.GetOrigins())
		}
		for _, file := range f.Origins {
			patterns.n += len(file.Lines)
			patterns.text += textSize(file.Lines)
		}
		for _, p := range f.Set.GetPolicies() {
			patterns.n += len(p.GetAllowOrigins()) + len(p.GetDenyOrigins())
			patterns.text += textSize(p.GetAllowOrigins()) + textSize(p.GetDenyOrigins())
		}
		for _, h := range f.Set.GetVirtualHosts() {
			routes += len(h.GetRoutes())
			if h.GetName() != "" {
				names.n++
				names.text += len(h.GetName())
			}
			domains.n += len(h.GetDomains())
			domains.text += textSize(h.GetDomains())
		}
	}
	c.Set.Policies = make([]*compiled.Policy, 0, policies)
	c.policies = make([]compiled.Policy, 0, policies)
	c.Set.Hosts = make([]compiled.VirtualHost, 0, hosts)
	c.routes = make([]compiled.Route, 0, routes)
	c.Set.Patterns.Reserve(patterns.n, patterns.text)
	c.Set.Names.Reserve(names.n, names.text)
	c.Set.Domains.Reserve(domains.n, domains.text)
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

// maxName is the length of the longest name of a policy or an origin set.
const maxName = 200

func (c *compiler) compileOriginSets(source int32, f File) {
	sets := f.Set.GetOriginSets()
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		c.compileOriginSet(&compiled.OriginSet{Name: name, Source: source}, sets[name].GetOrigins())
	}
	files := f.Set.GetOriginFiles()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		lines, ok := f.Origins[name]
		set := &compiled.OriginSet{Name: name, Source: source, File: true, Lines: c.sourceOf(cmp.Or(lines.Name, f.Name))}
		if !ok {
			lines.Fault = "this file was not given beside the policy file"
		}
		if lines.Fault != "" {
			_, at := c.SetAt(set)
			c.found.Fail(finding.Finding{Code: finding.CodeOriginFile, Location: at, Value: files[name], Message: lines.Fault})
		}
		c.compileOriginSet(set, lines.Lines)
	}
}

// sourceOf returns the number of a file of origins.
func (c *compiler) sourceOf(name string) int32 {
	if c.sources[name] == 0 {
		c.Set.Sources = append(c.Set.Sources, name)
		c.sources[name] = int32(len(c.Set.Sources) - 1)
	}
	return c.sources[name]
}

func (c *compiler) compileOriginSet(compiledSet *compiled.OriginSet, texts []string) {
	list, at := c.SetAt(compiledSet)
	c.checkName(at, compiledSet.Name)
	index := len(c.Set.OriginSets)
	set := &OriginSet{OriginSet: compiledSet, Index: index, Texts: texts}
	if set.File {
		if first := c.ofFile[set.Lines]; first == nil {
			c.ofFile[set.Lines] = set
		} else if slices.Equal(first.Texts, set.Texts) {
			set.Same = first
		}
	}
	c.Set.OriginSets = append(c.Set.OriginSets, set.OriginSet)
	c.OriginSets = append(c.OriginSets, set)
	if first, ok := c.SetsByName[set.Name]; ok {
		_, other := c.SetAt(first.OriginSet)
		at.Key, other.Key = true, true
		c.found.Add(finding.Finding{Severity: finding.Error, Code: finding.CodeDuplicateName, Location: at, Value: set.Name,
			Message: "an origin set of this name is defined already", Related: &other})
	} else {
		c.SetsByName[set.Name] = set
	}
	set.Origins = c.Set.Patterns.List()
	if set.Same != nil {
		defer func(found *finding.Collector) { c.found = found }(c.found)
		c.found = new(finding.Collector) // of what is said already
	}
	c.allow.begin(list, set.Texts)
	c.allow.Compiled = &set.Origins
	c.see.List(set.Texts)
	for i, text := range set.Texts {
		if text == "" && set.File {
			continue // a line that says nothing
		}
		p, ok := c.parsePattern(c.allow.At, i, text, set.File)
		switch {
		case !ok:
			continue
		case set.File && p.Kind != origin.PatternOrigin:
			c.found.Fail(finding.Finding{Code: finding.CodeOriginFileEntry, Location: c.allow.At.Index(i), Value: text,
				Message: "a file of origins holds origins and patterns of some, but neither \"*\" nor \"null\" nor \"@\": those stand in the policy"})
			continue
		case p.Kind == origin.PatternSet:
			c.found.Fail(finding.Finding{Code: finding.CodeNestedOriginSet, Location: c.allow.At.Index(i), Value: text,
				Message: "an origin set cannot refer to another one"})
			continue
		}
		c.allow.add(p, i, compiled.MakeRule(compiled.RuleSet, index, i))
		c.see.Pattern(p, i)
	}
	set.Origins.Complete()
	c.see.OriginSet(&c.allow)
}

// newOrigins begins a compiled list of a policy. They stand in blocks, as there may be many and each is small.
func (c *compiler) newOrigins() *match.Origins {
	const block = 64
	if len(c.origins) == cap(c.origins) {
		c.origins = make([]match.Origins, 0, block)
	}
	c.origins = append(c.origins, c.Set.Patterns.List())
	return &c.origins[len(c.origins)-1]
}

// parsePattern takes element i of a list apart or reports why that cannot be done. What it returns is
// there until the next.
func (c *compiler) parsePattern(list finding.Location, i int, text string, isLine bool) (*origin.Pattern, bool) {
	var why string
	if c.pattern, why = origin.ParsePattern(text); why == "" {
		return &c.pattern, true
	}
	field := list.Path.LastName()
	if isLine {
		field = origin.Lines
	}
	why, fix, spelling := origin.Fault(text, field, why)
	code := finding.CodeOriginMalformed
	if spelling {
		code = finding.CodeOriginNotCanonical
	}
	c.found.Fail(finding.Finding{Code: code, Location: list.Index(i), Value: text,
		Message: why, Fix: fix})
	return nil, false
}

// compileDefault makes the first virtual host of the set.
func (c *compiler) compileDefault() {
	host := compiled.VirtualHost{Label: compiled.DefaultLabel, Source: -1}
	host.ListRule = compiled.MakeRule(compiled.RulePlace, 0, compiled.NoRoute)
	host.Active = &compiled.PassthroughList
	for i, f := range c.Files {
		message := f.Set.GetDefault()
		if message == nil {
			continue
		}
		at := c.In(int32(i), finding.Path("").Name("default"))
		if host.Source >= 0 {
			second, first := at, c.In(host.Source, finding.Path("").Name("default"))
			second.Key, first.Key = true, true
			c.found.Add(finding.Finding{Severity: finding.Error, Code: finding.CodeDuplicateDefault, Location: second,
				Message: "default stands in another file already", Related: &first})
			var nowhere compiled.Place
			c.compilePlace(&nowhere, message, at, 0, compiled.NoRoute) // for its own faults
			continue
		}
		host.Source = int32(i)
		c.compilePlace(&host.Place, message, at, 0, compiled.NoRoute)
	}
	c.Set.Hosts = append(c.Set.Hosts, host)
}

func (c *compiler) compileVirtualHost(source int32, index int, h *corsprocv1.VirtualHost) {
	id := len(c.Set.Hosts)
	at := c.In(source, Position{index, -1}.Path())
	c.Set.Hosts = append(c.Set.Hosts, compiled.VirtualHost{
		Source: source, Position: int32(index), Label: h.GetName(), Place: c.Set.Hosts[0].Place,
	})
	host := &c.Set.Hosts[id]
	if host.Label == "" && len(h.GetDomains()) > 0 {
		host.Label = h.GetDomains()[0]
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
	c.compilePlace(&host.Place, h, at, id, compiled.NoRoute)
	first := len(c.routes)
	for i, r := range h.GetRoutes() {
		at := at.Field("routes").Index(i)
		t := c.compileRoute(at, r)
		t.Place = host.Place
		c.compilePlace(&t.Place, r, at, id, i)
		c.routes = append(c.routes, t)
	}
	host.Routes = c.routes[first:len(c.routes):len(c.routes)]
	host.Index = compiled.IndexRoutes(host.Routes)
}

func (c *compiler) addHostName(host finding.Location, name string, id int) {
	space := uint64(compiled.NameExact)
	if match.IsGlob(name) {
		space = compiled.NameGlob
	}
	if had := c.Set.Names.Add(space, name, uint64(id)); had != 0 {
		c.found.Add(finding.Finding{Severity: finding.Error, Code: finding.CodeDuplicateName, Location: host.Field("name"), Value: name,
			Message: "another virtual host has this name already", Related: new(c.HostAt(int(had)).Field("name"))})
		return
	}
	if space == compiled.NameGlob {
		c.Set.Globs.Add(name, id)
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
	if had := c.Set.Domains.Add(key, match.MakeHostKey(id, i)); had != 0 {
		first := c.HostAt(had.Host()).Field("domains").Index(had.Domain())
		c.found.Add(finding.Finding{Severity: finding.Error, Code: finding.CodeDuplicateDomain, Location: host.Field("domains").Index(i), Value: domain,
			Message: "this domain stands in the set already; Envoy does not allow that either", Related: &first})
	}
}

// enumFault is the message about a number that is no value of an enum.
func enumFault(n int32) string { return fmt.Sprintf("%d is not a value of this field", n) }
