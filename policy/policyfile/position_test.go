package policyfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// content is the content of one file.
func content(name, data string) *policyfile.Content {
	return &policyfile.Content{Files: []policyfile.File{{Name: name, Data: []byte(data)}}}
}

func text(t *testing.T, r *policyfile.Result) string {
	t.Helper()
	var b strings.Builder
	if err := policyfile.WriteText(&b, r.Findings); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPositions finds the value BAD, an origin pattern without a scheme, or the first refused byte, in files of all
// kinds of writing.
func TestPositions(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"block", "policies:\n  a:\n    allow_origins:\n      - BAD\n", "4:9"},
		{"dash at the key", "policies:\n  a:\n    allow_origins:\n    -   BAD\n", "4:9"},
		{"flow", "policies: {a: {allow_origins: [https://a.example, BAD]}}", "1:51"},
		{"double quoted", "policies: {a: {allow_origins: [ \"BAD\" ]}}", "1:33"},
		{"single quoted", "policies: {a: {allow_origins: ['BAD']}}", "1:32"},
		{"CRLF", "policies:\r\n  a:\r\n    allow_origins:\r\n      - BAD\r\n", "4:9"},
		{"CR", "policies:\r  a:\r    allow_origins:\r      - BAD\r", "4:9"},
		{"tab behind the colon", "policies:\n  a:\n    allow_origins:\t[\tBAD]\n", "3:22"},
		{"multi-byte before", "policies: {a: {expose_headers: [], allow_origins: [\"Grüße-日本\", BAD]}}", "1:64"},
		{"four-byte before", "policies: {a: {allow_origins: [\"😀\", BAD]}}", "1:37"},
		{"literal block", "policies:\n  a:\n    allow_origins:\n      - |-\n        BAD\n", "4:9"},
		{"value on the next line", "policies:\n  a:\n    max_age:\n      BAD\n", "4:7"},
		{"comment between", "policies:\n  a: # BAD\n    # BAD\n    max_age: BAD # BAD\n", "4:14"},
		{"byte order mark", "\uFEFFpolicies: {a: {max_age: BAD}}", "1:25"},
		{"document start", "--- {policies: {a: {max_age: BAD}}}", "1:30"},
		{"explicit key", "? policies\n: ? a\n  : max_age: BAD\n", "3:14"},
		{"missing behind a list", "virtual_hosts:\n  - routes: []\n", "2:5"},

		{"brace on the second line", "# {\n  {\"policies\": {\"a\": {\"max_age\": \"BAD\"}}}", "2:34"},
		{"control characters in a key", "policies: {\"a\\x01b\": {max_age: BAD}, \"c\\0\": {}}", "1:32"},

		{"not UTF-8", "policies:\n  ä: \xff\n", "2:6"},
		{"NUL", "policies:\r\n  a: \x00", "2:6"},
		{"escape", "a\rb: \x1b", "2:4"},
		{"line separator", "# ü\u2028policies: {}\n", "1:4"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, file := range []string{"x.yaml", "-"} {
				got := text(t, content(file, c.data).Compile())
				if !strings.Contains("\n"+got, "\n"+file+":"+c.want+": ") {
					t.Errorf("got %q, want %s", got, c.want)
				}
			}
		})
	}
}

// TestPositionsInJSON: characters beyond U+FFFF are two escapes in JSON, and one character to YAML.
func TestPositionsInJSON(t *testing.T) {
	const smile = `\ud83d\ude00`
	for _, c := range []struct{ data, want string }{
		{`{"policies": {"a": {"allow_methods": ["` + smile + `", "BAD,"]}}}`, "1:39 1:55"},
		{`{"policies": {"` + smile + `": {"expose_headers": ["` + smile + `",` + "\r\n" + `"é` + smile + smile + `", "BAD,"]}}}`, "1:15 1:51 2:1 2:30"},
		{"\n" + `[{"` + smile + `": {}}, "\\ud83d"]`, "2:1"},
	} {
		var got []string
		for _, f := range content("x.json", c.data).Compile().Findings {
			if f.Severity == finding.Error {
				got = append(got, fmt.Sprintf("%d:%d", f.Line, f.Column))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s", c.data, got, c.want)
		}
	}
}

// TestManyPositions holds the look-up in wide mappings and long lists against the obvious arithmetic.
func TestManyPositions(t *testing.T) {
	var b strings.Builder
	b.WriteString("policies:\n")
	for i := range 100 {
		fmt.Fprintf(&b, "  p%d:\n    allow_origins:\n      - https://a.example\n      - bad%d\n", i, i)
	}
	r := content("x.yaml", b.String()).Compile()
	if len(r.Findings) != 100 {
		t.Fatalf("%d findings", len(r.Findings))
	}
	for i, f := range r.Findings {
		if f.Line != int32(5+4*i) || f.Column != 9 || f.Field != fmt.Sprintf("policies.p%d.allow_origins[1]", i) {
			t.Errorf("finding %d: %v", i, f)
		}
	}
}
