package policytest_test

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
	"github.com/corsproc/corsproc/policy/policytest"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// examplePolicies are what the examples of the catalogue test.
const examplePolicies = "policies: {shop: {allow_origins: [https://shop.example.com], allow_credentials: true}}\ndefault: {policies: [shop]}\n"

// TestCatalogue: every code stands in the catalogue once, its bad example shows it, and its good one passes.
func TestCatalogue(t *testing.T) {
	var explained []string
	for _, e := range policytest.Catalogue {
		explained = append(explained, string(e.Code))
		t.Run(string(e.Code), func(t *testing.T) {
			if e.Explanation == "" || policyfile.Explain(e.Code) != nil {
				t.Error("no explanation, or package policyfile has another")
			}
			if e.Code == policytest.CodeTooManyTests {
				return
			}
			if _, found := runExample(t, e.Bad); !slices.ContainsFunc(found, func(f finding.Diagnostic) bool { return f.Code == e.Code }) {
				t.Errorf("the bad example has the findings %v", found)
			}
			if results, found := runExample(t, e.Good); len(found) > 0 || results.GetFailed() > 0 || results.GetPassed() == 0 {
				t.Errorf("the good example has the findings %v and the results %v", found, results)
			}
		})
	}
	codes := codesIn(t)
	slices.Sort(codes)
	slices.Sort(explained)
	if !slices.Equal(codes, explained) {
		t.Errorf("the codes are\n%v\nthe catalogue has\n%v", codes, explained)
	}
}

// runExample runs an example beside the policies that it tests.
func runExample(t *testing.T, text string) (*corsprocv1.TestResults, []finding.Diagnostic) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, data := range map[string]string{"policies.yaml": examplePolicies, "policies_test.yaml": text} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := policytest.Run([]string{"policies_test.yaml"}, nil)
	return r.Results, r.Findings
}

// codesIn returns the values of the constants in codes.go.
func codesIn(t *testing.T) (codes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
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

// TestCataloguePage holds FINDINGS.md to the catalogue it is made from; with -update it writes it.
func TestCataloguePage(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("<!-- Made from the catalogue in catalogue.go by go generate. -->\n\n" +
		"# What corsproc says of policy test files\n\n" +
		"All of these are errors: `corsproc test` runs no test of such a file and exits with 2. What is wrong with the form of a\n" +
		"file (`syntax`, `unknown-key`, `wrong-type`, `unknown-value` and so on) is said as of policy files, and explained in\n" +
		"[their page](../policyfile/FINDINGS.md).\n")
	// The examples are run in folders of their own, so the page is found before.
	const name = "FINDINGS.md"
	want, readErr := os.ReadFile(name)
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range policytest.Catalogue {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", e.Code, e.Explanation)
		if e.Bad == "" {
			continue
		}
		_, findings := runExample(t, e.Bad)
		i := slices.IndexFunc(findings, func(f finding.Diagnostic) bool { return f.Code == e.Code })
		var line bytes.Buffer
		if i < 0 || policyfile.WriteText(&line, findings[i:i+1]) != nil {
			t.Errorf("%s is not shown", e.Code)
			continue
		}
		fmt.Fprintf(&b, "\n```yaml\n%s```\n\n```text\n%s```\n\nRight:\n\n```yaml\n%s```\n", e.Bad, &line, e.Good)
	}
	t.Chdir(home)
	if *update {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if readErr != nil || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("FINDINGS.md is not current: run go generate ./policy/policytest (%v)", readErr)
	}
	if strings.Contains(b.String(), home) {
		t.Error("the page has a path of this machine")
	}
}
