package convert

// Tested by builder_test.go and golden_test.go.

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// What loads is asked of the compiler and not worked out here: it is the same that reads the file afterwards.

// dangers are the errors that dangerously_allow lifts.
var dangers = map[finding.Code][]corsprocv1.DangerousCombination{
	finding.CodeAnyOriginCreds: {corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_ANY_ORIGIN_WITH_CREDENTIALS},
	finding.CodeInsecureCreds:  {corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_INSECURE_ORIGINS_WITH_CREDENTIALS},
	finding.CodePublicSuffix:   {corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_PUBLIC_SUFFIX_WILDCARDS},
}

// unjudged are the dangers of an expression that is too large to be judged, by the words that the finding has for them.
var unjudged = map[string]corsprocv1.DangerousCombination{
	"http origin":   corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_INSECURE_ORIGINS_WITH_CREDENTIALS,
	"public suffix": corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_PUBLIC_SUFFIX_WILDCARDS,
}

// maxRounds is how often policies are compiled: one fault of an entry can hide another one.
const maxRounds = 8

// makeLoadable gives policies what they need to load: dangerously_allow where, and only where, it is an error otherwise.
// An entry that no policy file can hold is taken out with a warning, which grants less. It reports whether there was one.
// No policy depends on another, so that only those are compiled again that were changed.
func (b *builder) makeLoadable(policies []*merged) (dropped bool) {
	b.compiled = true
	for range maxRounds {
		set := &corsprocv1.PolicySet{Policies: make(map[string]*corsprocv1.Policy, len(policies))}
		for i, m := range policies {
			set.Policies["p"+strconv.Itoa(i)] = m.policy
		}
		drops := map[*merged]map[entry]string{}
		changed := map[*merged]bool{}
		policy.CompileErrors(func(f finding.Finding) {
			m, at := policyAt(f.Location.Path.String(), policies)
			if m == nil {
				b.compiled = false
				return
			}
			if lifts := liftsOf(f); len(lifts) > 0 {
				for _, d := range lifts {
					if !slices.Contains(m.policy.DangerouslyAllow, d) {
						m.policy.DangerouslyAllow = append(m.policy.DangerouslyAllow, d)
						changed[m] = true
					}
				}
				return
			}
			if drops[m] == nil {
				drops[m] = map[entry]string{}
			}
			drops[m][at] = f.Message
		}, policy.Source{Name: "import", Set: set})
		var again []*merged
		for _, m := range policies {
			slices.Sort(m.policy.DangerouslyAllow)
			if drops[m] != nil {
				b.drop(m, drops[m])
				changed[m], dropped = true, true
			}
			if changed[m] {
				again = append(again, m)
			}
		}
		if policies = again; len(policies) == 0 {
			return dropped
		}
	}
	b.compiled = false
	return dropped
}

// liftsOf returns what has to be allowed on purpose for a finding to go away.
func liftsOf(f finding.Finding) (lifts []corsprocv1.DangerousCombination) {
	if f.Code != finding.CodeRegexUnjudged {
		return dangers[f.Code]
	}
	for words, d := range unjudged {
		if strings.Contains(f.Message, words) {
			lifts = append(lifts, d)
		}
	}
	slices.Sort(lifts)
	return lifts
}

// entry is an entry of a list of a policy, or a field of it (index -1).
type entry struct {
	field string
	index int
}

// policyAt returns which policy a path is about, and which entry of it: policies.p12.allow_origins[3].
func policyAt(path string, policies []*merged) (*merged, entry) {
	rest, ok := strings.CutPrefix(path, "policies.p")
	number, field, _ := strings.Cut(rest, ".")
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 || i >= len(policies) {
		return nil, entry{}
	}
	name, index, isList := strings.Cut(strings.TrimSuffix(field, "]"), "[")
	at := entry{name, -1}
	if isList {
		at.index, _ = strconv.Atoi(index)
	}
	return policies[i], at
}

// drop takes entries out of a policy.
func (b *builder) drop(m *merged, entries map[entry]string) {
	at := m.proposals[0].at
	less := func(field string, list *[]string) {
		kept := (*list)[:0:0]
		for i, s := range *list {
			why, gone := entries[entry{field, i}]
			if !gone {
				kept = append(kept, s)
				continue
			}
			b.warn(&m.proposals[0].notes, at, codeUnsaid, field, fmt.Sprintf("%s is left out: %s", printable.Cut(strconv.Quote(s)), why))
		}
		*list = kept
	}
	p := m.policy
	less("allow_origins", &p.AllowOrigins)
	less("allow_origin_regexes", &p.AllowOriginRegexes)
	less("allow_methods", &p.AllowMethods)
	less("allow_headers", &p.AllowHeaders)
	less("expose_headers", &p.ExposeHeaders)
	if why, gone := entries[entry{"max_age", -1}]; gone {
		b.warn(&m.proposals[0].notes, at, codeUnsaid, "max_age", fmt.Sprintf("%s is left out: %s", printable.Cut(strconv.Quote(p.GetMaxAge())), why))
		p.MaxAge = nil
	}
}

// domainFaults says which domains a policy file cannot hold, by their lower-case spelling, and why.
func domainFaults(hosts []*host) map[string]string {
	set := &corsprocv1.PolicySet{}
	var domains []string
	seen := map[string]bool{}
	for _, h := range hosts {
		for _, d := range h.domains {
			if d = strings.ToLower(d); !seen[d] {
				seen[d] = true
				domains = append(domains, d)
				set.VirtualHosts = append(set.VirtualHosts, &corsprocv1.VirtualHost{Domains: []string{d}})
			}
		}
	}
	faults := map[string]string{}
	policy.CompileErrors(func(f finding.Finding) {
		rest, ok := strings.CutPrefix(f.Location.Path.String(), "virtual_hosts[")
		number, _, _ := strings.Cut(rest, "]")
		if i, err := strconv.Atoi(number); ok && err == nil && i < len(domains) {
			faults[domains[i]] = f.Message
		}
	}, policy.Source{Name: "import", Set: set})
	return faults
}

// loads says what keeps a file from being loaded: as it is written, for its text, and then as a set. Policies that are
// read as they were compiled before are not compiled again: to judge their expressions is most of the work.
func (b *builder) loads(data []byte, written *corsprocv1.PolicySet) error {
	var faults []error
	set := &corsprocv1.PolicySet{}
	read := policyfile.ParseMessage(policyfile.File{Name: "policies.yaml", Data: data}, set, nil)
	for _, found := range policyfile.Errors(read.Findings()) {
		faults = append(faults, fmt.Errorf("%s: %s", found.Field, printable.Cut(found.Message)))
	}
	for name, p := range set.GetPolicies() {
		if b.compiled && proto.Equal(p, written.GetPolicies()[name]) {
			set.Policies[name] = &corsprocv1.Policy{} // places ask for its name
		}
	}
	policy.CompileErrors(func(found finding.Finding) {
		faults = append(faults, fmt.Errorf("%s: %s", found.Location.Path, printable.Cut(found.Message)))
	}, policy.Source{Name: "policies.yaml", Set: set})
	return errors.Join(faults...)
}
