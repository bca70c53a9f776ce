package policyfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// TestFix corrects the files of testdata/fixes.yaml, and corrects what came out again, which must change nothing.
func TestFix(t *testing.T) {
	data, err := os.ReadFile("testdata/fixes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name   string   `yaml:"name"`
		File   string   `yaml:"file"`
		Before string   `yaml:"before"`
		After  string   `yaml:"after"`
		Left   []string `yaml:"left"` // the codes of the errors that are left
	}
	if err := yaml.Load(data, &cases, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			name := c.File
			if name == "" {
				name = "policies.yaml"
			}
			for _, change := range []func(string) string{
				func(s string) string { return s },
				func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
				func(s string) string { return "\uFEFF" + s },
			} {
				before, after := change(c.Before), change(c.After)
				fixed, n, _ := files(name, before).Fix()
				if got := string(fixed[0].Data); got != after {
					t.Fatalf("got\n%s\nwant\n%s", got, after)
				}
				if (n > 0) != (before != after) {
					t.Errorf("%d fixes are said to be written", n)
				}
				var left []string
				for _, f := range files(name, after).Compile().Findings {
					if f.Severity == finding.Error {
						left = append(left, string(f.Code))
					}
				}
				if strings.Join(left, " ") != strings.Join(c.Left, " ") {
					t.Errorf("left: %v, want %v", left, c.Left)
				}
				if again, n, _ := files(name, after).Fix(); n != 0 || string(again[0].Data) != after {
					t.Errorf("the second time %d are written", n)
				}
			}
		})
	}
}

// TestFixSeveralFiles: a file is corrected beside others, and those stay as they are.
func TestFixSeveralFiles(t *testing.T) {
	c := files("a.yaml", "policies: {p: {max_age: 5}}\n", "b.yaml", "default: {policies: [p]} # b\n", "c.yaml", "default: [\n")
	fixed, n, _ := c.Fix()
	if n != 1 || string(fixed[0].Data) != "policies: {p: {max_age: 5s}}\n" {
		t.Errorf("%d, %s", n, fixed[0].Data)
	}
	for i := range c.Files[1:] {
		if string(fixed[i+1].Data) != string(c.Files[i+1].Data) {
			t.Errorf("%s is changed: %s", fixed[i+1].Name, fixed[i+1].Data)
		}
	}
	if string(c.Files[0].Data) != "policies: {p: {max_age: 5}}\n" {
		t.Error("the content itself is changed")
	}
}

// TestFixBadFiles corrects every bad file of testdata: no correction may make anything worse.
func TestFixBadFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		before := files(name, string(data)).Compile().Findings
		fixed, n, _ := files(name, string(data)).Fix()
		total += n
		after := files(name, string(fixed[0].Data)).Compile().Findings
		for _, f := range after {
			if e := policyfile.Explain(f.Code); e.SafeFix && f.Fix != "" && f.Severity == finding.Error && !strings.Contains(f.Message, "null") {
				t.Errorf("%s: not corrected: %v", name, f)
			}
		}
		if n > 0 && len(after) > len(before) && before[0].Field != "" {
			t.Errorf("%s: %d findings before, %d after", name, len(before), len(after))
		}
	}
	if total < 30 {
		t.Errorf("only %d corrections", total)
	}
}
