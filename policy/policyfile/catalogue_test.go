package policyfile_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// unshown are the codes that no file that could be printed shows.
var unshown = []string{"file-too-large", "directory-too-large", "too-many-findings", "enum-unspecified", "origin-file-entry"}

// codesIn returns the values of the constants in a source file whose names begin with Code.
func codesIn(t *testing.T, name string) (codes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Code") {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Error(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	return codes
}

// TestCatalogue: every code stands in the catalogue once, and its examples show it and do not.
func TestCatalogue(t *testing.T) {
	codes := append(codesIn(t, "../finding/code.go"), codesIn(t, "codes.go")...)
	var explained []string
	for _, e := range policyfile.Catalogue {
		explained = append(explained, string(e.Code))
		t.Run(string(e.Code), func(t *testing.T) {
			if policyfile.Explain(e.Code).Explanation != e.Explanation || e.Explanation == "" {
				t.Error("another entry of this code, or none")
			}
			if slices.Contains(unshown, string(e.Code)) {
				if e.Bad != "" || e.Good != "" {
					t.Error("there is an example after all")
				}
				return
			}
			bad, good := compileExample(e.Bad), compileExample(e.Good)
			shown := slices.IndexFunc(bad, func(f finding.Diagnostic) bool { return f.Code == e.Code })
			if shown < 0 || bad[shown].Severity != e.Severity {
				t.Errorf("the bad example has the findings %v", bad)
			} else if e.SafeFix && bad[shown].Fix == "" {
				t.Error("the fix is said to be safe, and there is none")
			}
			// There may be others only because an example is short.
			for _, f := range good {
				if f.Severity != finding.Hint {
					t.Errorf("the good example has the finding %v", f)
				}
			}
		})
	}
	slices.Sort(codes)
	slices.Sort(explained)
	if !slices.Equal(codes, explained) {
		t.Errorf("the codes are\n%v\nthe catalogue has\n%v", codes, explained)
	}
}

func compileExample(example string) []finding.Diagnostic {
	first, second, two := strings.Cut(example, "# other.yaml\n")
	if two {
		return files("policies.yaml", first, "other.yaml", second).Compile().Findings
	}
	return files("policies.yaml", first).Compile().Findings
}

// TestCataloguePage holds FINDINGS.md to the catalogue it is made from; with -update it writes it.
func TestCataloguePage(t *testing.T) {
	const name = "FINDINGS.md"
	got := cataloguePage()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("FINDINGS.md is not current: run go generate ./policy/policyfile")
	}
}

func cataloguePage() []byte {
	var b bytes.Buffer
	b.WriteString("<!-- Made from the catalogue in catalogue_*.go by go generate. -->\n\n" +
		"# What corsproc says of policy files\n\n" +
		"An **error** keeps a set from loading; a **warning** is almost certainly not what was meant (`check --strict` counts it as\n" +
		"an error); a **hint** is something that could be better. `check --fix` writes the fixes that are marked as safe.\n\n" +
		"| code | severity | safe fix |\n|---|---|---|\n")
	for _, e := range policyfile.Catalogue {
		fix := ""
		if e.SafeFix {
			fix = "yes"
		}
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", e.Code, e.Code, e.Severity, fix)
	}
	for _, e := range policyfile.Catalogue {
		fmt.Fprintf(&b, "\n## %s\n\n%s: %s\n", e.Code, strings.ToUpper(e.Severity.String()[:1])+e.Severity.String()[1:], e.Explanation)
		if e.Bad == "" {
			b.WriteString("\nNo example: no file that could be printed here shows it.\n")
			continue
		}
		if findings := compileExample(e.Bad); len(findings) > 0 {
			i := slices.IndexFunc(findings, func(f finding.Diagnostic) bool { return f.Code == e.Code })
			var line bytes.Buffer
			if i >= 0 && policyfile.WriteText(&line, findings[i:i+1]) == nil {
				fmt.Fprintf(&b, "\n```yaml\n%s```\n\n```text\n%s```\n", e.Bad, line.Bytes())
			}
		}
		fmt.Fprintf(&b, "\nRight:\n\n```yaml\n%s```\n", e.Good)
	}
	return b.Bytes()
}
