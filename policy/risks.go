package policy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// credentialRisks finds the origins of a policy that must not get credentials unless its author says so on purpose.
type credentialRisks struct {
	*compiler
	lifted map[corsprocv1.DangerousCombination]bool
	on     bool // the policy allows credentials, and its allow patterns are looked at
}

const (
	liftAny      = corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_ANY_ORIGIN_WITH_CREDENTIALS
	liftInsecure = corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_INSECURE_ORIGINS_WITH_CREDENTIALS
	liftSuffix   = corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_PUBLIC_SUFFIX_WILDCARDS
)

// riskCodes are the codes of what each danger lifts.
var riskCodes = map[corsprocv1.DangerousCombination]finding.Code{
	liftAny:      finding.CodeAnyOriginCreds,
	liftInsecure: finding.CodeInsecureCreds,
	liftSuffix:   finding.CodePublicSuffix,
}

// pattern looks at element i of a list.
func (k *credentialRisks) pattern(list finding.Location, i int, text string, p *pattern) {
	if !k.on {
		return
	}
	for _, danger := range patternDangers(p) {
		k.danger(list.Index(i), text, danger, p, nil)
	}
}

// set looks at an origin set to which element i of a list refers, and reports each kind of danger once, with the first
// pattern that has it as the second place.
func (k *credentialRisks) set(list finding.Location, i int, set *originSet) {
	if !k.on {
		return
	}
	risks, ok := k.setRisks[set]
	if !ok {
		risks = risksOf(set)
		k.setRisks[set] = risks
	}
	for _, r := range risks {
		entry := k.in(set.source, finding.Path("").Name("origin_sets").Name(set.name).Index(r.pattern.index))
		k.danger(list.Index(i), "@"+set.name, r.danger, &r.pattern, &entry)
	}
}

// setRisk is a kind of danger in an origin set, and the first pattern that has it.
type setRisk struct {
	danger  corsprocv1.DangerousCombination
	pattern pattern
}

// risksOf returns the kinds of danger in an origin set.
func risksOf(set *originSet) (risks []setRisk) {
	for p := range set.written() {
		for _, danger := range patternDangers(p) {
			if !slices.ContainsFunc(risks, func(r setRisk) bool { return r.danger == danger }) {
				risks = append(risks, setRisk{danger, *p})
			}
		}
	}
	return risks
}

func (k *credentialRisks) danger(at finding.Location, text string, danger corsprocv1.DangerousCombination, p *pattern, related *finding.Location) {
	if k.lifted[danger] {
		return
	}
	k.found.Add(finding.Finding{
		Severity: finding.Error, Code: riskCodes[danger], Location: at, Value: text, Related: related,
		Message: dangerMessage(danger, p),
		Fix:     dangerFix(danger, p, related),
	})
}

func dangerMessage(danger corsprocv1.DangerousCombination, p *pattern) string {
	switch danger {
	case liftInsecure:
		return insecureMessage
	case liftSuffix:
		return suffixMessage(p.origin.host)
	}
	if p != nil && p.kind == patternNull {
		return "any page can have the origin null, in a sandboxed frame, and would read answers made for the user's credentials"
	}
	return "every site on the web would read answers made for the user's credentials: list the origins"
}

const insecureMessage = "over http anybody on the way can be this origin, and would read answers made for the user's credentials"

func suffixMessage(suffix string) string {
	return "everybody can get a name under " + suffix + ", and would read answers made for the user's credentials"
}

// dangerFix returns the https spelling of an http origin; the other dangers have no one right spelling.
func dangerFix(danger corsprocv1.DangerousCombination, p *pattern, related *finding.Location) string {
	if danger != liftInsecure || related != nil || p.host == hostAny {
		return ""
	}
	fix := "https" + strings.TrimPrefix(p.origin.text, "http")
	if _, why := parsePattern(fix); why != "" {
		return ""
	}
	return fix
}

// patternDangers returns what is dangerous about a pattern where credentials are allowed.
func patternDangers(p *pattern) (dangers []corsprocv1.DangerousCombination) {
	if p.isExact() && p.origin.scheme == "https" {
		return nil // as nearly all are
	}
	web := p.origin.scheme == "http" || p.origin.scheme == "https"
	if p.kind == patternAny || p.kind == patternNull || (web && p.host == hostAny) {
		dangers = append(dangers, liftAny)
	}
	if p.origin.scheme == "http" && (p.host == hostAny || !isLoopback(p.origin.host)) {
		dangers = append(dangers, liftInsecure)
	}
	if web && p.host == hostSub && isPublicSuffix(p.origin.host) {
		dangers = append(dangers, liftSuffix)
	}
	return dangers
}

// probeOrigins are origins of many owners. An expression that accepts every one of them accepts everybody, whatever its
// author had in mind.
func probeOrigins(scheme string) []string {
	hosts := []string{"example.com", "attacker.net", "evil.org", "phishing.io", "mallory.dev"}
	for i, host := range hosts {
		hosts[i] = scheme + "://" + host
	}
	return hosts
}

func acceptsAll(re *regexp.Regexp, origins []string) bool {
	for _, o := range origins {
		if !re.MatchString(o) {
			return false
		}
	}
	return true
}
