package compile

// Tested by policy/findings_test.go and policy/testdata/findings.yaml.

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

func (c *compiler) compilePolicies(source int32, f File) {
	policies := f.Set.GetPolicies()
	all := finding.Path("").Name("policies")
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		at := c.In(source, all.Name(name))
		key := at
		key.Key = true
		// A policy that cannot be under its name is compiled all the same, for its own faults.
		policy := c.compilePolicy(at, source, name, policies[name])
		if name == compiled.NameNone || name == compiled.NamePassthrough {
			c.found.Fail(finding.Finding{Code: finding.CodeReservedName, Location: key, Value: name,
				Message: name + " is built in and cannot be defined"})
			continue
		}
		c.checkName(at, name)
		if first := c.Set.ByName[name]; first != nil {
			other := c.In(first.Source, finding.Path("").Name("policies").Name(name))
			other.Key = true
			c.found.Add(finding.Finding{Severity: finding.Error, Code: finding.CodeDuplicateName, Location: key, Value: name,
				Message: "a policy of this name is defined already", Related: &other})
			continue
		}
		c.Set.ByName[name] = policy
		c.policy = Policy{Compiled: policy, At: at, Message: policies[name], Allow: &c.allow, Deny: &c.deny}
		c.see.Policy(&c.policy)
	}
}

func (c *compiler) compilePolicy(at finding.Location, source int32, name string, p *corsprocv1.Policy) *compiled.Policy {
	c.policies = append(c.policies, compiled.Policy{
		Name:            name,
		Source:          source,
		Index:           int32(len(c.Set.Policies)),
		Credentials:     p.GetAllowCredentials(),
		PrivateNetwork:  p.GetAllowPrivateNetwork(),
		PreflightStatus: compiled.StatusNoContent,
	})
	policy := &c.policies[len(c.policies)-1]
	c.Set.Policies = append(c.Set.Policies, policy)

	lifted := c.dangers(at, p.GetDangerouslyAllow())
	risks := credentialRisks{compiler: c, lifted: lifted, on: policy.Credentials}
	c.see.List(p.GetAllowOrigins())
	c.allow.begin(at.Field("allow_origins"), p.GetAllowOrigins())
	policy.Allow = c.compilePatterns(&c.allow, compiled.RuleAllow, policy, &risks)
	risks.on = false
	if len(p.GetDenyOrigins()) > 0 {
		c.deny.begin(at.Field("deny_origins"), p.GetDenyOrigins())
		policy.Deny = c.compilePatterns(&c.deny, compiled.RuleDeny, policy, &risks)
	} else {
		c.deny.begin(finding.Location{}, nil)
	}
	risks.on = policy.Credentials
	for i, text := range p.GetAllowOriginRegexes() {
		entry := at.Field("allow_origin_regexes").Index(i)
		if re := c.compileRegex(entry, text); re != nil {
			risks.regex(entry, text, re)
			policy.Regexes = append(policy.Regexes, re)
			policy.RegexTexts = append(policy.RegexTexts, strings.Clone(text))
		}
	}
	policy.Many = c.compileExpressions(p.GetAllowOriginRegexes(), policy.Regexes)
	for _, set := range policy.Allow {
		if set.Any != 0 {
			policy.Anybody = compiled.Rule(set.Any)
			break
		}
	}
	policy.Star = policy.Anybody != 0 && !policy.Credentials

	if p.GetFixedOrigin() {
		policy.FixedOrigin = c.compileFixedOrigin(at, p)
	}
	policy.Terms = c.compileTerms(at, p)
	if p.PreflightStatus != nil {
		policy.PreflightStatus = int(p.GetPreflightStatus())
		if policy.PreflightStatus != 200 && policy.PreflightStatus != compiled.StatusNoContent {
			c.found.Fail(finding.Finding{Code: finding.CodePreflightStatus, Location: at.Field("preflight_status"), Value: strconv.Itoa(policy.PreflightStatus),
				Message: "a preflight is answered with 204 or with 200"})
		}
	}
	policy.Alone = compiled.NewList([]*compiled.Policy{policy})
	return policy
}

// compilePatterns compiles allow_origins or deny_origins: the policy's own patterns, then the sets it refers to.
func (c *compiler) compilePatterns(list *List, kind compiled.RuleKind, policy *compiled.Policy, risks *credentialRisks) []*match.Origins {
	var all []*match.Origins
	for i, text := range list.Texts {
		p, ok := c.parsePattern(list.At, i, text, false)
		if !ok {
			continue
		}
		if p.Kind == origin.PatternSet {
			set, ok := c.SetsByName[p.Origin.Host]
			if !ok {
				fix := ""
				if near := c.nearestOriginSet(p.Origin.Host); near != "" {
					fix = "@" + near
					c.ProposedSets[c.SetsByName[near]] = true
				}
				c.found.Fail(finding.Finding{Code: finding.CodeUnknownOriginSet, Location: list.At.Index(i), Value: text,
					Message: "there is no origin set of this name", Fix: fix})
				continue
			}
			risks.set(list.At, i, set)
			list.Sets = append(list.Sets, SetReference{set, i})
			continue
		}
		risks.pattern(list.At, i, text, p)
		if list.Compiled == nil {
			list.Compiled = c.newOrigins()
			all = append(all, list.Compiled)
		}
		list.add(p, i, compiled.MakeRule(kind, int(policy.Index), i))
		if kind == compiled.RuleAllow {
			c.see.Pattern(p, i)
		}
	}
	if list.Compiled != nil {
		list.Compiled.Complete()
	}
	for _, set := range list.Sets {
		all = append(all, &set.Origins)
	}
	return all
}

// compileExpressions returns what finds an expression among many; nil: they are few, or there is an error about one.
func (c *compiler) compileExpressions(texts []string, list []*regexp.Regexp) (all regex.Many) {
	if len(list) < regex.ManyFrom || len(list) < len(texts) {
		return nil
	}
	trees := make([]*syntax.Regexp, len(texts))
	for i, text := range texts {
		trees[i], _ = syntax.Parse(text, syntax.Perl)
	}
	all.Add(0, trees, list, &c.automatonSteps)
	return all
}

func (c *compiler) dangers(at finding.Location, list []corsprocv1.DangerousCombination) map[origin.Danger]bool {
	if len(list) == 0 {
		return nil
	}
	lifted := map[origin.Danger]bool{}
	for i, d := range list {
		at := at.Field("dangerously_allow")
		if _, ok := corsprocv1.DangerousCombination_name[int32(d)]; !ok || d == 0 {
			c.found.Fail(finding.Finding{Code: finding.CodeEnumUnspecified, Location: at.Index(i),
				Message: enumFault(int32(d))})
		}
		lifted[dangers[d]] = true
	}
	return lifted
}

// tokens checks a list of tokens and returns what is beside "*" in it, and whether "*" is.
func (c *compiler) tokens(at finding.Location, list []string, code finding.Code, what string) (names []string, star bool) {
	for i, s := range list {
		switch {
		case s == "*":
			star = true
		case c.isToken(at.Index(i), s, code, what):
			names = append(names, s)
		}
	}
	return names, star
}

// isToken reports whether an element is a token. There is an error if not.
func (c *compiler) isToken(at finding.Location, s string, code finding.Code, what string) bool {
	if fetch.IsToken(s) {
		return true
	}
	fix := strings.Trim(s, " \t\r\n,;:")
	if !fetch.IsToken(fix) || fix == s {
		fix = ""
	}
	if names := severalTokens(s); names != nil {
		what = "these are several names, and each is an entry of its own: write " + strings.Join(names, ", ")
	}
	c.found.Fail(finding.Finding{Code: code, Location: at, Value: s, Message: what, Fix: fix})
	return false
}

// severalTokens returns the tokens of a text that lists them as headers do, if they are more than one.
func severalTokens(s string) (names []string) {
	const most = 20 // that are told
	for name := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ';' }) {
		if name = strings.Trim(name, " \t\r\n"); name == "" {
			continue
		}
		if !fetch.IsToken(name) || len(names) == most {
			return nil
		}
		names = append(names, name)
	}
	if len(names) < 2 {
		return nil
	}
	return names
}

const (
	methodFault = "a method is a token: letters, digits and !#$%&'*+-.^_`|~, without blanks"
	headerFault = "a field name is a token: letters, digits and !#$%&'*+-.^_`|~, without blanks and without a colon"
)

// compileTerms compiles what a policy says of methods and headers. Policies that say the same get the same.
func (c *compiler) compileTerms(at finding.Location, p *corsprocv1.Policy) *compiled.Terms {
	c.key = appendKey(c.key[:0], p.GetAllowMethods())
	c.key = appendKey(c.key, p.GetAllowHeaders())
	c.key = appendKey(c.key, p.GetExposeHeaders())
	if p.GetAllowCredentials() {
		c.key = append(c.key, '1')
	}
	if p.GetExposeUpstream() {
		c.key = append(c.key, 'u')
	}
	if p.MaxAge != nil {
		c.key = append(append(c.key, ' '), p.GetMaxAge()...)
	}
	if t := c.terms[string(c.key)]; t != nil {
		return t
	}
	t, faults := &compiled.Terms{}, c.found.Errors()
	c.compileMethods(t, at.Field("allow_methods"), p.GetAllowMethods())
	c.compileHeaders(t, at.Field("allow_headers"), p.GetAllowHeaders())
	c.compileExposed(t, at.Field("expose_headers"), p.GetExposeHeaders(), p.GetAllowCredentials())
	t.ExposeUpstream = p.GetExposeUpstream() && !strings.HasPrefix(t.ExposeHeaders, "*")
	if p.MaxAge != nil {
		t.MaxAge = c.compileMaxAge(at.Field("max_age"), p.GetMaxAge())
	}
	if c.found.Errors() == faults { // else the next one that says the same is to hear of it too
		c.terms[string(c.key)] = t
	}
	return t
}

func (c *compiler) compileMethods(t *compiled.Terms, at finding.Location, list []string) {
	t.Methods, t.AnyMethod = c.tokens(at, list, finding.CodeMethodMalformed, methodFault)
	t.AllowMethods = strings.Join(t.Methods, ", ")
	if t.AnyMethod {
		t.AllowMethods = "*"
	}
}

func (c *compiler) compileHeaders(t *compiled.Terms, at finding.Location, list []string) {
	names, star := c.fieldNames(at, list, func(client Client) []string { return client.Sends })
	t.AnyHeader = star
	for _, name := range names {
		lower := string(fetch.LowerASCII(name, nil))
		if t.Headers == nil {
			t.Headers = make(map[string]struct{}, len(names))
		}
		t.Headers[lower] = struct{}{}
		t.MaxHeader = max(t.MaxHeader, len(lower))
	}
	t.AllowHeaders = headerList(names, star)
}

func (c *compiler) compileExposed(t *compiled.Terms, at finding.Location, list []string, credentials bool) {
	names, star := c.fieldNames(at, list, func(client Client) []string { return client.Reads })
	t.ExposeHeaders = headerList(names, star)
	if star && credentials {
		i := slices.Index(list, "*")
		c.found.Fail(finding.Finding{Code: finding.CodeExposeAnyCreds, Location: at.Index(i), Value: "*",
			Message: "with credentials browsers take \"*\" for the name of a header, so nothing would be exposed: list the names"})
	}
}

// headerList returns the value of a list of field names. A "*" covers every name beside it but Authorization, which
// needs a mention of its own (Fetch, section 3.3.3).
func headerList(names []string, star bool) string {
	if !star {
		return strings.Join(names, ", ")
	}
	if slices.ContainsFunc(names, fetch.IsNonWildcardRequestHeader) {
		return "*, authorization"
	}
	return "*"
}

// maxMaxAge is the greatest delta-seconds that every recipient can represent (RFC 9111, section 1.2.2).
const maxMaxAge = 1<<31 - 1

// compileMaxAge returns the value of Access-Control-Max-Age.
func (c *compiler) compileMaxAge(at finding.Location, text string) string {
	if seconds, ok := parseWholeSeconds(text); ok {
		return strconv.Itoa(seconds)
	}
	fix := ""
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 && n <= maxMaxAge {
		fix = fmt.Sprintf("%.0fs", math.Ceil(n))
	} else if d, err := time.ParseDuration(strings.ToLower(strings.Join(strings.Fields(text), ""))); err == nil && d >= 0 && d <= maxMaxAge*time.Second {
		fix = fmt.Sprintf("%ds", (d+time.Second-1)/time.Second)
	} else {
		fix = inOurUnits(text)
	}
	c.found.Fail(finding.Finding{Code: finding.CodeDurationMalformed, Location: at, Value: text,
		Message: "max_age is a duration of whole seconds, from 0s to 2147483647s: 90s, 10m, 2h, 1h30m", Fix: fix})
	return ""
}

// unitSeconds are the units of durations that people bring along, days and weeks too.
var unitSeconds = map[string]int{
	"s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
	"m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
	"h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600,
	"d": 86400, "day": 86400, "days": 86400,
	"w": 604800, "week": 604800, "weeks": 604800,
}

var numberAndUnit = regexp.MustCompile(`^\s*([0-9]{1,10})\s*([a-z]+)`)

// inOurUnits returns a duration of whole numbers and such units in the largest of ours that says it; empty: it is none.
func inOurUnits(text string) string {
	total, rest := 0, strings.ToLower(text)
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		m := numberAndUnit.FindStringSubmatch(rest)
		if m == nil || unitSeconds[m[2]] == 0 {
			return ""
		}
		n, _ := strconv.Atoi(m[1])
		if total += n * unitSeconds[m[2]]; total > maxMaxAge {
			return ""
		}
		rest = rest[len(m[0]):]
	}
	switch {
	case text == "":
		return ""
	case total%3600 == 0:
		return strconv.Itoa(total/3600) + "h"
	case total%60 == 0:
		return strconv.Itoa(total/60) + "m"
	}
	return strconv.Itoa(total) + "s"
}

// parseWholeSeconds reads hours, minutes and seconds, in this order, each at most once and at least one of them.
func parseWholeSeconds(s string) (seconds int, ok bool) {
	if s == "" {
		return 0, false
	}
	for _, unit := range [...]struct {
		letter  byte
		seconds int
	}{{'h', 3600}, {'m', 60}, {'s', 1}} {
		i := strings.IndexByte(s, unit.letter)
		if i < 0 {
			continue
		}
		n, err := strconv.ParseUint(s[:i], 10, 31)
		if err != nil {
			return 0, false
		}
		if seconds += int(n) * unit.seconds; seconds > maxMaxAge {
			return 0, false
		}
		s = s[i+1:]
	}
	return seconds, s == ""
}
