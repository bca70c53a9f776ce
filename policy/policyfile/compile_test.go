package policyfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
)

func files(data ...string) *policyfile.Content {
	c := &policyfile.Content{}
	for i := 0; i < len(data); i += 2 {
		c.Files = append(c.Files, policyfile.File{Name: data[i], Data: []byte(data[i+1])})
	}
	return c
}

// TestSeveralFiles is about what only several files have to say, and about what must not be said because of a fault in
// another file.
func TestSeveralFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		data []string
		want string
	}{
		{"policy in another file", []string{
			"a.yaml", "policies: {shop: {}}",
			"b.yaml", "default: {policies: [shop]}",
		}, ""},
		{"names, domains and default twice", []string{
			"a.yaml", "policies: {shop: {allow_origins: ['@x']}}\norigin_sets: {x: []}\nvirtual_hosts: [{name: v, domains: [a.com]}]\ndefault: {policies: [shop]}",
			"b.yaml", "policies: {shop: {allow_origins: ['@x']}}\norigin_sets: {x: []}\nvirtual_hosts: [{name: v, domains: [a.com]}]\ndefault: {policies: [shop]}",
		}, `b.yaml:1:12: policies.shop: "shop": a policy of this name is defined already (see a.yaml:1:12)
b.yaml:2:15: origin_sets.x: "x": an origin set of this name is defined already (see a.yaml:2:15)
b.yaml:3:24: virtual_hosts[0].name: "v": another virtual host has this name already (see a.yaml:3:24)
b.yaml:3:37: virtual_hosts[0].domains[0]: "a.com": this domain stands in the set already; Envoy does not allow that either (see a.yaml:3:37)
b.yaml:4:1: default: default stands in another file already (see a.yaml:4:1)
`},
		{"what a broken file may define is not missing", []string{
			"a.yaml", "policies: {shop: {allow_origins: [",
			"b.yaml", "policies: {x: {allow_origins: ['@partners'], max_age: 5x}}\ndefault: {policies: [shop]}",
		}, `a.yaml:1:35: not valid YAML: did not find expected node content
b.yaml:1:55: policies.x.max_age: "5x": max_age is a duration of whole seconds, from 0s to 2147483647s: 90s, 10m, 2h, 1h30m
`},
		{"what a refused list may define is not missing", []string{
			"a.yaml", "policies: [shop]\norigin_sets: &a {}",
			"b.yaml", "policies: {x: {allow_origins: ['@partners']}}\ndefault: {policies: [shop, x]}",
		}, `a.yaml:1:11: policies: a mapping from names is wanted here, not a list
a.yaml:2:14: origin_sets: "&a": anchors are not allowed, as nothing may refer to them
b.yaml:1:32: policies.x.allow_origins[0]: "@partners": there is no origin set of this name
`},
		{"a policy with a fault exists", []string{
			"a.yaml", "policies: {shop: {max_age: [5]}, other: 5, third: }\ndefault: {policies: [shop, other, third]}",
		}, `a.yaml:1:28: policies.shop.max_age: text is wanted here, not a list
a.yaml:1:41: policies.other: 5: a mapping is wanted here, not a number
a.yaml:1:51: policies.third: a mapping is missing here; leave out what has nothing to say
`},
		{"a refused match is not missing", []string{
			"a.yaml", "virtual_hosts: [{name: [x], routes: [{path: {}}]}, {domains: }, {nmae: a}, {colour: red}]",
		}, `a.yaml:1:24: virtual_hosts[0].name: text is wanted here, not a list
a.yaml:1:45: virtual_hosts[0].routes[0].path: text is wanted here, not a mapping
a.yaml:1:62: virtual_hosts[1].domains: a list is missing here; leave out what has nothing to say
a.yaml:1:66: virtual_hosts[2].nmae: "nmae": unknown field; write name
a.yaml:1:76: virtual_hosts[3]: a virtual host needs a name, domains, or both: without them no request belongs to it
a.yaml:1:77: virtual_hosts[3].colour: "colour": unknown field; known here: name, domains, routes, policies, candidates, unmatched_preflights, reject, timing_allow_origins
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := files(c.data...).Compile()
			if got := text(t, r); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if (r.Set != nil) != (c.want == "") {
				t.Errorf("set: %v", r.Set)
			}
		})
	}
}

// decide returns the whole of a decision about a request from origin to the path of authority.
func decide(set *policy.Set, origin, authority, path string) policy.Decision {
	return set.Decide(&policy.Request{
		Method: "GET", Scheme: "https", Authority: authority, Path: path, Origin: policy.Line(origin),
	})
}

func TestExample(t *testing.T) {
	r := compileFile(t, "testdata/good/example.yaml")
	if got := text(t, r); r.Set == nil || policyfile.HasErrors(r.Findings) {
		t.Fatal(got)
	}
	for _, c := range []struct {
		origin, authority, path string
		want                    policy.Reason
		line, column            int32
	}{
		{"https://shop.example.com", "api.example.com", "/", policy.ReasonAllowed, 5, 9},
		{"https://a.shop.example.com", "x.api.example.com", "/", policy.ReasonAllowed, 6, 9},
		{"https://legacy.shop.example.com", "api.example.com", "/", policy.ReasonOriginDenied, 8, 9},
		{"https://any.example", "api.example.com", "/public/x", policy.ReasonAllowed, 16, 21},
		{"https://any.example", "api.example.com", "/", policy.ReasonOriginNotAllowed, 21, 15},
	} {
		d := decide(r.Set, c.origin, c.authority, c.path)
		at := r.Location(d.Rule)
		if d.Reason != c.want || at.GetLine() != c.line || at.GetColumn() != c.column || at.GetFile() != "testdata/good/example.yaml" {
			t.Errorf("%s at %s%s: %s at %v", c.origin, c.authority, c.path, d.Reason, at)
		}
	}
	if at := r.Location(0); at != nil {
		t.Errorf("zero rule: %v", at)
	}
}

func TestYAMLRoundTrip(t *testing.T) {
	example := compileFile(t, "testdata/good/example.yaml")
	all := files(
		"a.json", `{"policies": {"8080": {"allow_origins": ["null", "https://a.example"], "max_age": "1h", "allow_credentials": false},
			"yes": {"allow_origin_regexes": ["https://[a-z]{1,3}\\.example"], "preflight_status": 200}}, "origin_sets": {"1e3": ["https://b.example"]}}`,
		"b.yaml", "# comment\nvirtual_hosts:\n  - {name: '*', routes: [{prefix: '/{x'}, {path: '/: y'}]} # comment\npolicies: {third: {allow_origins: ['@1e3']}}\n",
		"c.yml", "virtual_hosts:\n  - domains: ['*.example.com', \"0x7f\"]\n    policies: ['8080', \"yes\", third]\ndefault: {reject: NEVER}\n",
		"d.yaml", "{}",
	).Compile()
	var many strings.Builder
	many.WriteString("virtual_hosts:\n")
	for i := range 1234 {
		fmt.Fprintf(&many, "- {name: v%d, routes: [{path: /%d}, {regex: '/#'}]}\n", i, i)
	}
	many.WriteString("policies:\n")
	for i := range 321 {
		fmt.Fprintf(&many, "  p%d: {allow_origins: [https://a%d.example]}\n", i, i)
	}
	large := content("many.yaml", many.String()).Compile()
	for _, r := range []*policyfile.Result{example, all, large, files("x.yaml", "{}").Compile(), files().Compile()} {
		if r.Set == nil {
			t.Fatal(text(t, r))
		}
		first := r.YAML()
		again := content("again.yaml", string(first)).Compile()
		if again.Set == nil {
			t.Fatalf("%s\n%s", text(t, again), first)
		}
		if second := again.YAML(); !bytes.Equal(first, second) {
			t.Errorf("first:\n%s\nsecond:\n%s", first, second)
		}
	}
	if y := string(large.YAML()); strings.Count(y, "- name: v") != 1234 || strings.Count(y, "  allow_origins:") != 321 {
		t.Errorf("entries were lost:\n%s", y)
	}
	again := content("again.yaml", string(all.YAML())).Compile()
	for _, origin := range []string{"null", "https://a.example", "https://b.example", "https://c.example", "https://abcd.example"} {
		for _, authority := range []string{"x.example.com", "0x7f", "other"} {
			a, b := decide(all.Set, origin, authority, "/"), decide(again.Set, origin, authority, "/")
			if a.Reason != b.Reason || a.Policy != b.Policy || a.VirtualHost != b.VirtualHost {
				t.Errorf("%s at %s: %v, then %v", origin, authority, a, b)
			}
		}
	}
	if bad := files("x.yaml", "x").Compile(); bad.YAML() != nil {
		t.Error("a set that is not there has a file")
	}
}

func TestWriteJSON(t *testing.T) {
	var b bytes.Buffer
	if err := policyfile.WriteJSON(&b, nil); err != nil || strings.TrimSpace(b.String()) != `{"findings":[]}` {
		t.Errorf("none: %q, %v", b.String(), err)
	}
	b.Reset()
	findings := []finding.Diagnostic{
		{Severity: finding.Error, Code: "syntax", Position: finding.Position{File: "a.yaml"}, Message: "<&>"},
		{Severity: finding.Warning, Position: finding.Position{File: "a.yaml", Line: 3, Column: 4, Field: "x"}, Fix: "y", Related: &finding.Position{File: "b.yaml", Line: 1}},
	}
	if err := policyfile.WriteJSON(&b, findings); err != nil {
		t.Fatal(err)
	}
	want := `{"findings":[` +
		`{"severity":"error","code":"syntax","file":"a.yaml","line":0,"column":0,"field":"","message":"<&>","fix":""},` +
		`{"severity":"warning","code":"","file":"a.yaml","line":3,"column":4,"field":"x","message":"","fix":"y",` +
		`"related":{"file":"b.yaml","line":1,"column":0,"field":""}}]}`
	if got := strings.TrimSpace(b.String()); got != want || !json.Valid(b.Bytes()) {
		t.Errorf("got %s", got)
	}
}

func TestWriteText(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	findings := []finding.Diagnostic{
		{Severity: finding.Error, Position: finding.Position{File: "a.yaml", Line: 1, Column: 1}, Message: "of the file"},
		{Severity: finding.Warning, Position: finding.Position{File: "a\nb.yaml", Line: 3, Column: 4, Field: "policies.\x1b[2J"}, Message: "m", Fix: "a\r\nb\u202e"},
		{Severity: finding.Hint, Position: finding.Position{File: "a.yaml", Line: 3, Column: 4}, Message: long},
	}
	var b strings.Builder
	if err := policyfile.WriteText(&b, findings); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if len(lines) != 4 || lines[0] != "a.yaml:1:1: of the file" ||
		lines[1] != `a\nb.yaml:3:4: warning: policies.\x1b[2J: m; write a\r\nb\u202e` || len(lines[2]) > 2000 {
		t.Errorf("got %q", b.String())
	}

	got := text(t, content("x.yaml", "policies: {a: {allow_origins: ["+long+"]}}").Compile())
	if strings.Count(got, "\n") != 1 || len(got) > 3000 {
		t.Errorf("a long value gives %d bytes", len(got))
	}
}
