package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"slices"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// dangers writes the words without which the origins of a policy with credentials do not load. They are only there where
// they are trusted.
func dangers(m *corsprocv1.Policy) {
	if slices.ContainsFunc(m.AllowOrigins, isInsecure) {
		m.DangerouslyAllow = append(m.DangerouslyAllow, corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_INSECURE_ORIGINS_WITH_CREDENTIALS)
	}
	if slices.Contains(m.AllowOrigins, "null") {
		m.DangerouslyAllow = append(m.DangerouslyAllow, corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_ANY_ORIGIN_WITH_CREDENTIALS)
	}
}

// maxRepairs is how often what does not load is taken out. Once is enough, unless one fault hides another.
const maxRepairs = 10

// repair takes out of the file what does not load: what clients made up can be anything.
func (b *builder) repair() {
	set := b.out.File.Set
	for range maxRepairs {
		var faults []finding.Path
		compiled, _ := policy.CompileAll(func(f finding.Finding) {
			if f.Severity == finding.Error {
				faults = append(faults, f.Location.Path)
			}
		}, policy.Source{Set: set})
		if b.out.set = compiled; compiled != nil || !b.takeOut(faults) {
			return
		}
	}
}

// takeOut takes out what is at the paths, and reports whether anything was there.
func (b *builder) takeOut(faults []finding.Path) bool {
	set := b.out.File.Set
	entries := map[finding.Path]func(){}
	var after []func()
	list := func(at finding.Path, texts *[]string) {
		bad := map[int]bool{}
		for i := range *texts {
			entries[at.Index(i)] = func() { bad[i] = true }
		}
		after = append(after, func() {
			kept := (*texts)[:0]
			for i, text := range *texts {
				if !bad[i] {
					kept = append(kept, text)
				}
			}
			*texts = kept
		})
	}
	for name, m := range set.Policies {
		at := finding.Path("").Name("policies").Name(name)
		list(at.Name("allow_origins"), &m.AllowOrigins)
		list(at.Name("deny_origins"), &m.DenyOrigins)
		list(at.Name("allow_methods"), &m.AllowMethods)
		list(at.Name("allow_headers"), &m.AllowHeaders)
		list(at.Name("expose_headers"), &m.ExposeHeaders)
		entries[at.Name("max_age")] = func() { m.MaxAge = nil }
	}
	for i, h := range set.VirtualHosts {
		at := finding.Path("").Name("virtual_hosts").Index(i)
		entries[at.Name("name")] = func() { h.Name = "" }
		list(at.Name("domains"), &h.Domains)
		for j, r := range h.Routes {
			remove := func() { r.Policies = nil }
			for _, field := range []string{"", "path", "path_separated_prefix", "route_name"} {
				where := at.Name("routes").Index(j)
				if field != "" {
					where = where.Name(field)
				}
				entries[where] = remove
			}
		}
	}
	took := false
	for _, fault := range faults {
		if remove := entries[fault]; remove != nil {
			remove()
			took = true
		}
	}
	for _, f := range after {
		f()
	}
	set.VirtualHosts = slices.DeleteFunc(set.VirtualHosts, func(h *corsprocv1.VirtualHost) bool {
		h.Routes = slices.DeleteFunc(h.Routes, func(r *corsprocv1.Route) bool { return r.Policies == nil })
		return h.Name == "" && len(h.Domains) == 0
	})
	return took
}
