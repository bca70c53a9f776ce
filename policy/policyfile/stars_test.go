package policyfile_test

import (
	"strings"
	"testing"
)

// TestUnquotedStars: every wildcard without quotes is told in one go, and what else is wrong in the file.
func TestUnquotedStars(t *testing.T) {
	const star = "YAML takes a value that starts with * for an alias, and aliases are not allowed; a wildcard has to be quoted; write "
	for _, c := range []struct{ name, data, want string }{
		{"an alias of nothing", "policies: &p {a: {}}\ndefault: {policies: [*x]}\nzz: 1\n", `x.yaml:1:11: policies: "&p": anchors are not allowed, as nothing may refer to them
x.yaml:2:22: default.policies[0]: ` + star + `"*x"
x.yaml:3:1: zz: "zz": unknown field; known here: policies, origin_sets, origin_files, virtual_hosts, default
`},
		{"an alias of an anchor", "policies: {none1: {allow_methods: &m [PUT], allow_headers: *m}}\ndefault: {policies: [none1]}\n", `x.yaml:1:35: policies.none1.allow_methods: "&m": anchors are not allowed, as nothing may refer to them
x.yaml:1:60: policies.none1.allow_headers: "*m": aliases are not allowed: write out the value; text that starts with * has to be quoted
`},
		{"several", "virtual_hosts:\n  - domains: [*.a.com, *.b.com]\n    policies: [none]\n  - domains:\n      - *-x.a.com\n      - *\n    policies: [nobody]\n", `x.yaml:2:15: virtual_hosts[0].domains[0]: ` + star + `"*.a.com"
x.yaml:2:24: virtual_hosts[0].domains[1]: ` + star + `"*.b.com"
x.yaml:5:9: virtual_hosts[1].domains[0]: ` + star + `"*-x.a.com"
x.yaml:6:9: virtual_hosts[1].domains[1]: ` + star + `"*"
x.yaml:7:16: virtual_hosts[1].policies[0]: "nobody": there is no policy of this name
`},
		{"bare ones in brackets", "# ü\n{policies: {a: {allow_origins: [*], allow_methods: [ * ], max_age: 5}}, default: {policies: [a]}}\n", `x.yaml:2:33: policies.a.allow_origins[0]: ` + star + `"*"
x.yaml:2:54: policies.a.allow_methods[0]: ` + star + `"*"
x.yaml:2:68: policies.a.max_age: "5": max_age is a duration of whole seconds, from 0s to 2147483647s: 90s, 10m, 2h, 1h30m; write 5s
`},
		{"beside what is no YAML at all", "policies:\n  a: {allow_origins: [*]}\n  b: {\n", `x.yaml:2:23: ` + star + `"*"
x.yaml:3:7: not valid YAML: did not find expected node content
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text(t, content("x.yaml", c.data).Compile()); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}

	r := content("x.yaml", "default: {policies: ["+strings.Repeat("*, ", 1000)+"]}").Compile()
	if n := len(r.Findings); n < 20 || n > 30 {
		t.Errorf("%d findings about a thousand bare stars", n)
	}
}
