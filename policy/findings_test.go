package policy_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// TestFindings holds what the engine says of policy sets against tables: the errors of faulty ones in findings.yaml, and
// the warnings and hints about sets that load in lints.yaml. Lines and columns are package policyfile's, whose golden
// files cover them.
func TestFindings(t *testing.T) {
	t.Run("errors", func(t *testing.T) { testFindings(t, "testdata/findings.yaml", true) })
	t.Run("warnings and hints", func(t *testing.T) { testFindings(t, "testdata/lints.yaml", false) })
}

// testFindings compares the errors, or else all the findings, of every entry of a table.
func testFindings(t *testing.T, table string, errorsOnly bool) {
	data, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name     string   `yaml:"name"`
		Policies string   `yaml:"policies"`
		Second   string   `yaml:"second"` // a second file
		Want     []string `yaml:"want"`   // "code field", and " => fix" where there is one
	}
	if err := yaml.Load(data, &cases, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			content := policyfile.Content{Files: []policyfile.File{{Name: "a.yaml", Data: []byte(c.Policies)}}}
			if c.Second != "" {
				content.Files = append(content.Files, policyfile.File{Name: "b.yaml", Data: []byte(c.Second)})
			}
			result := content.Compile()
			var got []string
			for _, f := range result.Findings {
				if f.Message == "" || f.Line == 0 || f.Column == 0 || strings.HasSuffix(f.Message, ".") {
					t.Errorf("%v: wants a message without a final dot, a line and a column", f)
				}
				if errorsOnly && f.Severity != finding.Error {
					continue
				}
				line := fmt.Sprintf("%s %s", f.Code, f.Field)
				if f.Fix != "" {
					line += " => " + f.Fix
				}
				got = append(got, line)
			}
			slices.Sort(got)
			slices.Sort(c.Want)
			if !slices.Equal(got, c.Want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.Want, "\n  "))
			}
			if (result.Set == nil) != policyfile.HasErrors(result.Findings) {
				t.Errorf("a set is there: %v, with findings %v", result.Set != nil, result.Findings)
			}
		})
	}
}
