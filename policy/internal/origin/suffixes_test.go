package origin

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write suffixes.txt")

// TestPublicSuffixRules holds suffixes.txt against the rules with which package publicsuffix tests itself.
func TestPublicSuffixRules(t *testing.T) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "golang.org/x/net/publicsuffix").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "table_test.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "rules" {
			return true
		}
		for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
			rule, err := strconv.Unquote(e.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, rule)
		}
		return false
	})
	if len(rules) < 5000 {
		t.Fatalf("package publicsuffix has %d rules", len(rules))
	}
	slices.Sort(rules)
	want := strings.Join(rules, "\n") + "\n"
	if *update {
		if err := os.WriteFile("suffixes.txt", []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if publicSuffixRules != want {
		t.Error("suffixes.txt is not what package publicsuffix has: run make generate")
	}
	for _, suffix := range BackwardSuffixes() {
		if domain := Backward(suffix.Text); !IsPublicSuffix(domain) {
			t.Errorf("%s is in suffixes.txt, and not in package publicsuffix", domain)
		}
	}
}
