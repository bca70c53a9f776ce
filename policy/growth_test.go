package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// repeat writes a line for each number below n.
func repeat(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
	}
	return b.String()
}

const twoPolicies = "policies:\n  p: {allow_origins: [https://a.example]}\n  q: {allow_origins: [https://b.example]}\n"

// largeSets are sets with many of each kind of element. changed makes another set of the same size.
var largeSets = []struct {
	name string
	n    int // of the smaller of two
	text func(n int, changed bool) string
}{
	{"paths", 250, routesOf("path: /a/%d")},
	{"prefixes", 250, routesOf("prefix: /a/%d/")},
	{"path_separated_prefixes", 250, routesOf("path_separated_prefix: /a/%d")},
	{"expressions for paths", 250, routesOf("regex: '/a/%d/[^/]+'")},
	{"names of routes", 250, routesOf("route_name: r%d")},
	{"patterns for names of routes", 250, routesOf("route_name: r%d/*")},
	{"names and paths of routes", 250, func(n int, changed bool) string {
		return twoPolicies + "virtual_hosts:\n- name: h\n  policies: [p]\n  routes:\n" + repeat(n, func(i int) string {
			return fmt.Sprintf("  - {route_name: r%d, policies: [%s]}\n  - {prefix: /a/%d/, policies: [q]}\n", i, pOrQ(i, changed), i)
		})
	}},
	{"origins", 500, func(n int, changed bool) string {
		return policyOf("allow_origins", n, changed, "https://a%d.example")
	}},
	{"wildcards", 250, func(n int, changed bool) string {
		return policyOf("allow_origins", n, changed, "https://*.a%d.example")
	}},
	{"beginnings of labels", 250, func(n int, changed bool) string {
		return policyOf("allow_origins", n, changed, "https://a%d-*.b.example")
	}},
	{"beginnings and ends of labels", 100, func(n int, changed bool) string {
		return policyOf("allow_origins", n, changed, "https://a%[1]d-*.b.example\n    - https://*-a%[1]d.b.example:1%04[1]d")
	}},
	{"beginnings of each other", 100, func(n int, changed bool) string {
		return "policies:\n  p:\n    allow_origins:\n" + repeat(n, func(i int) string {
			return fmt.Sprintf("    - https://%s*%s%d.b.example\n", strings.Repeat("a", 1+i%25), strings.Repeat("b", 1+i%20), i)
		}) + "    - https://" + pOrQ(1, changed) + ".example\ndefault: {policies: [p]}\n"
	}},
	{"wildcards and ports", 100, func(n int, changed bool) string {
		return policyOf("allow_origins", n, changed, "https://*.a%[1]d.example\n    - https://*.b.example:1%04[1]d")
	}},
	{"expressions for origins", 100, func(n int, changed bool) string {
		return policyOf("allow_origin_regexes", n, changed, `https://[^.]+\.a%d\.example`)
	}},
	{"policies of one list", 250, func(n int, changed bool) string {
		return "policies:\n" + repeat(n, func(i int) string {
			return fmt.Sprintf("  p%d: {allow_origins: [https://%s%d.example]}\n", i, pOrQ(i, changed), i)
		}) + "default:\n  policies:\n" + repeat(n, func(i int) string { return fmt.Sprintf("  - p%d\n", i) })
	}},
	{"policies with one origin set", 50, func(n int, changed bool) string {
		return "origin_sets:\n  s:\n" + repeat(n, func(i int) string { return fmt.Sprintf("  - https://a%d.example\n", i) }) +
			"policies:\n" + repeat(n, func(i int) string {
			return fmt.Sprintf("  p%d: {allow_origins: ['@s', https://%s%d.example]}\n", i, pOrQ(i, changed), i)
		}) + "default:\n  policies:\n" + repeat(n, func(i int) string { return fmt.Sprintf("  - p%d\n", i) })
	}},
	{"virtual hosts", 250, func(n int, changed bool) string {
		return twoPolicies + "virtual_hosts:\n" + repeat(n, func(i int) string {
			return fmt.Sprintf("- {name: h%d, domains: [h%d.example], policies: [%s]}\n", i, i, pOrQ(i, changed))
		})
	}},
	{"names that begin with a star", 4000, func(n int, changed bool) string {
		return twoPolicies + "virtual_hosts:\n" + repeat(n, func(i int) string {
			return fmt.Sprintf("- {name: '*h%d', policies: [%s]}\n", i, pOrQ(i, changed))
		})
	}},
	{"domains", 500, func(n int, changed bool) string {
		return twoPolicies + "virtual_hosts:\n- name: h\n  policies: [" + pOrQ(1, changed) + "]\n  domains:\n" +
			repeat(n, func(i int) string { return fmt.Sprintf("  - h%d.example\n", i) })
	}},
	{"methods and headers", 500, func(n int, changed bool) string {
		list := func(i int) string { return fmt.Sprintf("    - %s%d\n", pOrQ(i, changed), i) }
		return "policies:\n  p:\n    allow_origins: [https://a.example]\n    allow_methods:\n" + repeat(n, list) +
			"    allow_headers:\n" + repeat(n, list) + "    expose_headers:\n" + repeat(n, list) + "default: {policies: [p]}\n"
	}},
}

func pOrQ(i int, changed bool) string {
	if changed && i%2 == 1 {
		return "q"
	}
	return "p"
}

func routesOf(match string) func(n int, changed bool) string {
	return func(n int, changed bool) string {
		return twoPolicies + "virtual_hosts:\n- name: h\n  policies: [p]\n  routes:\n" + repeat(n, func(i int) string {
			return fmt.Sprintf("  - {"+match+", policies: [%s]}\n", i, pOrQ(i, !changed))
		})
	}
}

func policyOf(field string, n int, changed bool, element string) string {
	text := "policies:\n  p:\n    " + field + ":\n" + repeat(n, func(i int) string { return fmt.Sprintf("    - "+element+"\n", i) })
	if changed {
		text += "    - https://changed.example\n"
	}
	return text + "default: {policies: [p]}\n"
}

// TestCompileGrows: the work of a compilation, lints included, grows with the set and not with its square.
func TestCompileGrows(t *testing.T) {
	for _, c := range largeSets {
		t.Run(c.name, func(t *testing.T) {
			growth.Hold(t, c.n, func(n int) func() {
				source := policy.Source{Name: "policies.yaml", Set: parseText(t, c.text(n, false))}
				return func() { policy.Compile(source) }
			})
		})
	}
}

// TestDiffGrows: so does that of a comparison.
func TestDiffGrows(t *testing.T) {
	for _, c := range largeSets {
		t.Run(c.name, func(t *testing.T) {
			growth.Hold(t, c.n, func(n int) func() {
				before, after := compileText(t, c.text(n, false)), compileText(t, c.text(n, true))
				return func() {
					if len(policy.Diff(before, after)) == 0 {
						t.Error("nothing changes")
					}
				}
			})
		})
	}
}

// TestWideClassesCompile: what a class of characters leaves out costs no more than what one names.
func TestWideClassesCompile(t *testing.T) {
	compile := func(class string) func() {
		source := policy.Source{Name: "policies.yaml", Set: parseText(t, "policies:\n  p:\n    allow_origin_regexes:\n"+
			repeat(100, func(i int) string { return fmt.Sprintf("    - 'https://%s+%d\\.example'\n", class, i) })+
			"virtual_hosts:\n- name: h\n  policies: [p]\n  routes:\n"+
			repeat(100, func(i int) string { return fmt.Sprintf("  - {regex: '/%s+/%d'}\n", class, i) }))}
		return func() { policy.Compile(source) }
	}
	growth.AtMost(t, 10, compile("[a-z0-9-]"), compile("[^/.]"))
}

func parseText(t *testing.T, text string) *corsprocv1.PolicySet {
	t.Helper()
	set := &corsprocv1.PolicySet{}
	if found := policyfile.ParseMessage(policyfile.File{Name: "policies.yaml", Data: []byte(text)}, set, nil).Findings(); len(found) > 0 {
		t.Fatal(found[0])
	}
	return set
}
