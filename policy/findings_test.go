package policy_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// TestFindings holds what the engine says of faulty policy sets against testdata/findings.yaml: code, field and fix of
// every finding. Lines and columns are package policyfile's, whose golden files cover them.
func TestFindings(t *testing.T) {
	data, err := os.ReadFile("testdata/findings.yaml")
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
				line := fmt.Sprintf("%s %s", f.Code, f.Field)
				if f.Fix != "" {
					line += " => " + f.Fix
				}
				got = append(got, line)
				if f.Message == "" || f.Line == 0 || f.Column == 0 || strings.HasSuffix(f.Message, ".") {
					t.Errorf("%v: wants a message without a final dot, a line and a column", f)
				}
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
