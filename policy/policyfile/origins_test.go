package policyfile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// withOrigins returns a content of a policy file that names files of origins, which are given by name and text.
func withOrigins(policies string, origins ...string) *policyfile.Content {
	c := &policyfile.Content{Files: []policyfile.File{{Name: "cors/policies.yaml", Data: []byte(policies)}}}
	for i := 0; i < len(origins); i += 2 {
		c.Origins = append(c.Origins, policyfile.OriginFile{File: policyfile.File{Name: origins[i], Data: []byte(origins[i+1])}})
	}
	return c
}

const tenants = `policies: {p: {allow_origins: ["@tenants"], allow_credentials: true}}
default: {policies: [p]}
origin_files: {tenants: lists/tenants.txt}
`

var denying = strings.Replace(tenants, "allow_credentials: true", "deny_origins: [https://x.b.example]", 1)

// TestOriginFiles: what a file of origins holds is found, and told of by its own lines.
func TestOriginFiles(t *testing.T) {
	text := "\uFEFF# tenants\n\n  https://a.example\t\r\nhttps://*.b.example # and its subdomains\n#\nhttps://pr-*.c.example:*"
	r := withOrigins(tenants, "cors/lists/tenants.txt", text).Compile()
	if r.Set == nil || len(r.Findings) > 0 {
		t.Fatal(r.Findings)
	}
	for origin, want := range map[string]string{
		"https://a.example": "3:3", "https://x.b.example": "4:1", "https://pr-1.c.example:81": "6:1", "https://b.example": "",
	} {
		d := r.Set.Decide(&policy.Request{Method: "GET", Path: "/", Authority: "api.example", Origin: policy.Line(origin)})
		if (d.Verdict == policy.Allowed) != (want != "") {
			t.Errorf("%s: %v", origin, d.Reason)
		}
		if want == "" {
			continue
		}
		if l := r.Location(d.Rule); l.GetFile() != "cors/lists/tenants.txt" || fmt.Sprintf("%d:%d", l.GetLine(), l.GetColumn()) != want || l.GetField() != "origin_files.tenants" {
			t.Errorf("%s: by %v, want %s", origin, l, want)
		}
	}
}

// TestOriginFilesAsYAML: the set in force is told as one file, which grants the same.
func TestOriginFilesAsYAML(t *testing.T) {
	for name, set := range map[string]string{"beside a set": tenants + "origin_sets: {others: [https://b.example]}\n", "alone": tenants} {
		r := withOrigins(set, "cors/lists/tenants.txt", "# x\nhttps://a.example\nhttps://*.c.example:*\n").Compile()
		again := withOrigins(string(r.YAML())).Compile()
		if again.Set == nil || len(policy.Diff(r.Set, again.Set)) > 0 || strings.Contains(string(r.YAML()), "origin_files") {
			t.Errorf("%s: %s\n%v", name, r.YAML(), again.Findings)
		}
	}
	none := withOrigins(tenants, "cors/lists/tenants.txt", "# nobody\n").Compile()
	if again := withOrigins(string(none.YAML())).Compile(); again.Set == nil {
		t.Errorf("%s\n%v", none.YAML(), again.Findings)
	}
}

// TestOriginFileFindings: what is wrong with a file of origins, or with who names it, and where that is said.
func TestOriginFileFindings(t *testing.T) {
	for name, c := range map[string]struct {
		policies, text string
		want           []string // file:line:column code
	}{
		"a bad line":                        {tenants, "https://a.example\n  https://B.example/\n", []string{"cors/lists/tenants.txt:2:3 origin-not-canonical"}},
		"no bytes":                          {tenants, "", []string{"cors/lists/tenants.txt:1:1 empty-file"}},
		"a newline":                         {tenants, "\n", []string{"cors/lists/tenants.txt:1:1 empty-file"}},
		"blank lines":                       {tenants, " \r\n\t\n\r\n", []string{"cors/lists/tenants.txt:1:1 empty-file"}},
		"a mark of the byte order":          {tenants, "\uFEFF", []string{"cors/lists/tenants.txt:1:1 empty-file"}},
		"a mark of it, and a newline":       {tenants, "\uFEFF\r\n", []string{"cors/lists/tenants.txt:1:1 empty-file"}},
		"a comment without words":           {tenants, "\n  #", nil},
		"a deny of blank lines":             {denying, "\n\n", []string{"cors/lists/tenants.txt:1:1 empty-file"}},
		"comments":                          {tenants, "# nobody yet\n\n", nil},
		"stars and others":                  {tenants, "*\nnull\n@others\nhttps://a.*\n", []string{"cors/lists/tenants.txt:1:1 origin-file-entry", "cors/lists/tenants.txt:2:1 origin-file-entry", "cors/lists/tenants.txt:3:1 origin-file-entry", "cors/lists/tenants.txt:4:1 origin-malformed"}},
		"no text":                           {tenants, "https://a.example\n\xff\n", []string{"cors/lists/tenants.txt:2:1 syntax"}},
		"a danger":                          {tenants, "https://a.example\nhttp://b.example\n", []string{"cors/policies.yaml:1:32 insecure-origin-with-credentials"}},
		"twice":                             {tenants, "https://*.example.com\n# x\n https://a.example.com\n", []string{"cors/lists/tenants.txt:3:2 origin-covered"}},
		"another case":                      {strings.Replace(tenants, "lists/tenants.txt", "lists/Tenants.txt", 1), "https://a.example", []string{"cors/policies.yaml:3:25 origin-file"}},
		"an absolute path":                  {strings.Replace(tenants, "lists/", "/etc/", 1), "https://a.example", []string{"cors/policies.yaml:3:25 origin-file"}},
		"a path upwards":                    {strings.Replace(tenants, "lists/", "lists/../../", 1), "https://a.example", []string{"cors/policies.yaml:3:25 origin-file"}},
		"a directory":                       {strings.Replace(tenants, "lists/tenants.txt", "./", 1), "https://a.example", []string{"cors/policies.yaml:3:25 origin-file"}},
		"the file itself":                   {strings.Replace(tenants, "lists/tenants.txt", "policies.yaml", 1), "https://a.example", []string{"cors/policies.yaml:3:25 origin-file"}},
		"a name twice":                      {tenants + "origin_sets: {tenants: [https://b.example]}\n", "https://a.example", []string{"cors/policies.yaml:3:16 duplicate-name"}},
		"unused":                            {strings.Replace(tenants, "@tenants", "https://b.example", 1), "https://a.example", []string{"cors/policies.yaml:3:16 unused-origin-set"}},
		"a mistyped key":                    {strings.Replace(tenants, "origin_files", "origin_file", 1), "https://a.example", []string{"cors/policies.yaml:3:1 unknown-key"}},
		"a mistyped name":                   {strings.Replace(tenants, "@tenants", "@tenant", 1), "https://a.example", []string{"cors/policies.yaml:1:32 unknown-origin-set"}},
		"a name":                            {strings.Replace(tenants, "{tenants:", "{'a b': b.txt, tenants:", 1), "https://a.example", []string{"cors/policies.yaml:3:16 invalid-name", "cors/policies.yaml:3:23 origin-file"}},
		"no text as path":                   {strings.Replace(tenants, "lists/tenants.txt", "7", 1), "https://a.example", []string{"cors/policies.yaml:3:25 wrong-type"}},
		"a deny of what cannot be read":     {denying, "", []string{"cors/lists/tenants.txt:1:1 empty-file"}},
		"a deny of what a bad line may say": {denying, "https://*.B.example", []string{"cors/lists/tenants.txt:1:1 origin-not-canonical"}},
		"a deny of what is not there":       {strings.Replace(denying, "lists/", "", 1), "https://*.b.example", []string{"cors/policies.yaml:3:25 origin-file"}},
		"a deny of nothing":                 {denying, "# nobody", []string{"cors/policies.yaml:1:60 deny-outside-allow"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := withOrigins(c.policies, "cors/lists/tenants.txt", c.text).Compile()
			var got []string
			for _, f := range r.Findings {
				if f.Severity.String() != "hint" {
					got = append(got, fmt.Sprintf("%s:%d:%d %s", f.File, f.Line, f.Column, f.Code))
				}
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%v\nwant\n%v\n%v", strings.Join(got, "\n"), strings.Join(c.want, "\n"), r.Findings)
			}
		})
	}
}

// TestOriginFileOfManyNamesIsToldOnce: what is wrong with a line, and what is to be said of it, whoever names the file.
func TestOriginFileOfManyNamesIsToldOnce(t *testing.T) {
	c := withOrigins("policies: {p: {allow_origins: ['@b'], deny_origins: ['@a']}, q: {allow_origins: ['@c', '@d']}}\n"+
		"origin_files: {a: l.txt, b: ./l.txt}\ndefault: {policies: [p, q]}\n", "cors/l.txt", "")
	c.Files = append(c.Files, policyfile.File{Name: "cors/too.yaml", Data: []byte("origin_files: {c: l.txt, d: l.txt}\n")})
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"errors": {"https://A.example\n*\nhttp s://a.example\n", []string{"l.txt:1: origin-not-canonical", "l.txt:2: origin-file-entry", "l.txt:3: origin-malformed"}},
		"advice": {"https://a.example\nhttps://a.example\nhttps://*example.com\n", []string{
			"l.txt:2: origin-covered", "l.txt:3: pattern-neighbour-host", "policies.yaml:1: origin-covered"}}, // @d says what @c does
		"many": {strings.Repeat("https://A.example\n", 800), slices.Repeat([]string{"origin-not-canonical"}, 800)},
	} {
		c.Origins[0].Data = []byte(test.text)
		r := c.Compile()
		var got []string
		for _, f := range r.Findings {
			got = append(got, fmt.Sprintf("%s:%d: %s", strings.TrimPrefix(f.File, "cors/"), f.Line, f.Code))
		}
		if len(got) != len(test.want) || name != "many" && !slices.Equal(got, test.want) {
			t.Errorf("%s: %d findings, want %d: %v", name, len(got), len(test.want), r.Findings[:min(10, len(got))])
		}
		if (r.Set == nil) != (name != "advice") {
			t.Errorf("%s: there is a set: %t", name, r.Set != nil)
		}
	}
}

// TestOriginFileOfManyNames: each name of a file is a set of its own, so that many names of a large one are too much.
func TestOriginFileOfManyNames(t *testing.T) {
	text := strings.Repeat("# nobody\n", policyfile.MaxOrigins-1) // lines count, whatever they say
	for names, want := range map[int]string{5: "", 6: "cors/policies.yaml:8:7: origin_files.n5"} {
		set := "policies: {p: {allow_origins: ['@n0']}}\norigin_files:\n"
		for i := range names {
			set = strings.Replace(set, "origin_files:\n", fmt.Sprintf("origin_files:\n  n%d: a.txt\n", names-1-i), 1)
		}
		var got string
		for _, f := range withOrigins(set, "cors/a.txt", text).Compile().Findings {
			if f.Severity.String() == "error" {
				got += fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Field)
			}
		}
		if got != want {
			t.Errorf("%d names: %q, want %q", names, got, want)
		}
	}
}

// TestFixLeavesOriginFiles: what is wrong in a file of origins is told with what to write instead, and not written.
func TestFixLeavesOriginFiles(t *testing.T) {
	c := withOrigins(strings.Replace(tenants, "default: {", "default: {'reject': never, ", 1), "cors/lists/tenants.txt", "https://B.example/\n")
	files, fixed, r := c.Fix()
	if fixed != 1 || len(files) != 1 || len(r.Findings) != 1 || r.Findings[0].Fix != "https://b.example" {
		t.Errorf("%d corrections, %v", fixed, r.Findings)
	}
}

// TestManyOrigins: a million lines load in less than the same list in the policy file takes, and one more is too much.
func TestManyOrigins(t *testing.T) {
	list := func(n int, line string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	const n = 50_000
	inline := withOrigins("policies: {p: {allow_origins: ['@tenants']}}\ndefault: {policies: [p]}\norigin_sets:\n  tenants:\n" + list(n, "  - https://t%d.example\n"))
	lines := withOrigins(tenants, "cors/lists/tenants.txt", list(n, "https://t%d.example\n"))
	compile := func(c *policyfile.Content) func() {
		return func() {
			if r := c.Compile(); r.Set == nil {
				t.Fatal(r.Findings)
			}
		}
	}
	growth.AtMost(t, 1, compile(inline), compile(lines))
	c := withOrigins(tenants, "cors/lists/tenants.txt", list(policyfile.MaxOrigins+1, "a://%d\n"))
	if r := c.Compile(); r.Set != nil || len(r.Findings) != 1 || r.Findings[0].Code != policyfile.CodeFileTooLarge || r.Findings[0].Line != policyfile.MaxOrigins+1 {
		t.Error(r.Findings)
	}
}
