package compile

// Tested by policy/findings_test.go and policy/testdata/findings.yaml.

import (
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// credentialRisks finds the origins of a policy that must not get credentials unless its author says so on purpose.
type credentialRisks struct {
	*compiler
	lifted map[origin.Danger]bool
	on     bool // the policy allows credentials, and its allow patterns are looked at
}

// dangers says what each entry of dangerously_allow lifts.
var dangers = map[corsprocv1.DangerousCombination]origin.Danger{
	corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_ANY_ORIGIN_WITH_CREDENTIALS:       origin.AnyOrigin,
	corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_INSECURE_ORIGINS_WITH_CREDENTIALS: origin.Insecure,
	corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_PUBLIC_SUFFIX_WILDCARDS:           origin.PublicSuffix,
}

// dangerCodes are the codes of the errors about what is not lifted.
var dangerCodes = map[origin.Danger]finding.Code{
	origin.AnyOrigin:    finding.CodeAnyOriginCreds,
	origin.Insecure:     finding.CodeInsecureCreds,
	origin.PublicSuffix: finding.CodePublicSuffix,
}

// pattern looks at element i of a list.
func (k *credentialRisks) pattern(list finding.Location, i int, text string, p *origin.Pattern) {
	if !k.on {
		return
	}
	for _, danger := range p.Dangers() {
		k.danger(list.Index(i), text, danger, p, nil)
	}
}

// set looks at an origin set to which element i of a list refers, and reports each kind of danger once, with the first
// pattern that has it as the second place.
func (k *credentialRisks) set(list finding.Location, i int, set *OriginSet) {
	if !k.on {
		return
	}
	risks, ok := k.setRisks[set]
	if !ok {
		risks = risksOf(set)
		k.setRisks[set] = risks
	}
	for _, r := range risks {
		patterns, _ := k.SetAt(set.OriginSet)
		entry := patterns.Index(r.pattern.Index)
		k.danger(list.Index(i), "@"+set.Name, r.danger, &r.pattern, &entry)
	}
}

// setRisk is a kind of danger in an origin set, and the first pattern that has it.
type setRisk struct {
	danger  origin.Danger
	pattern origin.Pattern
}

// risksOf returns the kinds of danger in an origin set.
func risksOf(set *OriginSet) (risks []setRisk) {
	for p := range set.Patterns() {
		for _, danger := range p.Dangers() {
			if !slices.ContainsFunc(risks, func(r setRisk) bool { return r.danger == danger }) {
				risks = append(risks, setRisk{danger, *p})
			}
		}
	}
	return risks
}

func (k *credentialRisks) danger(at finding.Location, text string, danger origin.Danger, p *origin.Pattern, related *finding.Location) {
	if k.lifted[danger] {
		return
	}
	fix := "" // the other dangers have no one right spelling
	if danger == origin.Insecure && related == nil && p.Hosts != origin.HostAny {
		fix = p.OverHTTPS()
	}
	k.found.Add(finding.Finding{
		Severity: finding.Error, Code: dangerCodes[danger], Location: at, Value: text, Related: related,
		Message: danger.Message(p), Fix: fix,
	})
}
