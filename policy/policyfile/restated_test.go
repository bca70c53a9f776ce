package policyfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// TestDuplicateKeys: what stands under a key that stands again has its own faults told, and only those. The want holds
// place, code and the beginning of the message of every error.
func TestDuplicateKeys(t *testing.T) {
	const duplicate = policyfile.CodeDuplicateKey
	for _, c := range []struct {
		name, data string
		want       []string
	}{
		{"faults in each", "policies: {a: {max_age: 5x}, a: {max_age: 5y}, b: {max_age: 5s, max_age: 5z, allow_methods: [1], max_age: [6]}}\n" +
			"policies: {a: {max_age: 5w}}\ndefault: {policies: [a, b]}\n", []string{
			"1:25 duration-malformed", "1:30 " + duplicate, "1:43 duration-malformed", "1:65 " + duplicate, "1:74 duration-malformed",
			"1:94 wrong-type", "1:98 " + duplicate, "1:107 wrong-type", "2:1 " + duplicate, "2:25 duration-malformed",
		}},
		{"lists", "policies: {a: {allow_origins: [x], allow_origins: [5, y], allow_origins: [https://a.example, z]}}\ndefault: {policies: [a]}\n", []string{
			"1:32 origin-not-canonical", "1:36 " + duplicate, "1:52 wrong-type", "1:55 origin-not-canonical", "1:59 " + duplicate, "1:94 origin-not-canonical",
		}},
		{"virtual hosts", "virtual_hosts:\n- {name: v, policies: [none]}\nvirtual_hosts:\n- {name: v, policies: [none], routes: [{prefix: x}]}\n- {policies: [none]}\n", []string{
			"3:1 " + duplicate, "4:49 path-malformed", "5:3 no-name-no-domain",
		}},
		{"defined under a duplicate", "policies: {a: {}}\npolicies: {b: {}}\norigin_sets: {}\norigin_sets: {x: [y]}\n" +
			"virtual_hosts: [{name: v, policies: [a, c], routes: [{path: /, policies: [b]}]}]\n", []string{
			"2:1 " + duplicate, "4:1 " + duplicate, "4:19 origin-not-canonical", "5:41 unknown-policy",
		}},
		{"mistyped beside the right one", "policies: {a: {allowOrigins: [x], allow_origins: [y], AllowOrigins: [5]}, b: {maxAge: 5x, MaxAge: [5]}}\n" +
			"policys: {c: {}}\ndefault: {policies: [a, b, c]}\n", []string{
			"1:16 unknown-key", "1:51 origin-not-canonical", "1:55 unknown-key", "1:70 wrong-type",
			"1:79 unknown-key", "1:87 duration-malformed", "1:91 unknown-key", "1:99 wrong-type", "2:1 unknown-key",
		}},
		{"empty text", "policies: {a: {max_age: \"\"}}\nvirtual_hosts: [{name: '', policies: [a], routes: [{prefix: \"\"}]}]\n", []string{
			"1:25 duration-malformed", "2:24 null-value", "2:61 null-value",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range content("x.yaml", c.data).Compile().Findings {
				if f.Severity == finding.Error {
					got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Code))
				}
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestManyDuplicates: what is compiled again for duplicates is bounded.
func TestManyDuplicates(t *testing.T) {
	r := content("x.yaml", "policies: {a: {"+strings.Repeat("max_age: 5x, ", 500)+"}}").Compile()
	n := map[finding.Code]int{}
	for _, f := range r.Findings {
		n[f.Code]++
	}
	if n[policyfile.CodeDuplicateKey] != 499 || n["duration-malformed"] < 2 || n["duration-malformed"] > 20 {
		t.Error(n)
	}
}

// TestDirective: the advice to quote is for values.
func TestDirective(t *testing.T) {
	for _, c := range []struct{ data, fix string }{
		{"%YAML 3.0\n---\npolicies: {}\n", ""},
		{"%FOO\npolicies: {}\n", ""},
		{"policies: {a: {allow_origins: [%x]}}\n", `"%x"`},
	} {
		if f := content("x.yaml", c.data).Compile().Findings; len(f) != 1 || f[0].Fix != c.fix {
			t.Errorf("%q: %v", c.data, f)
		}
	}
}
