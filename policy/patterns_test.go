package policy_test

import (
	"cmp"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// inPolicy returns the findings of a policy file in which a list has one entry.
func inPolicy(t *testing.T, list, entry string) *policyfile.Result {
	t.Helper()
	data, err := json.Marshal(map[string]any{"policies": map[string]any{"p": map[string]any{list: []string{entry}}}})
	if err != nil {
		t.Fatal(err)
	}
	content := policyfile.Content{Files: []policyfile.File{{Name: "a.json", Data: data}}}
	return content.Compile()
}

// A fault is an entry that is refused, and what is said of it.
type fault struct{ Pattern, Code, Fix, Message string }

func readFaults(t *testing.T, name string) (faults []fault) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Load(data, &faults, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	for i := range faults {
		faults[i].Code = cmp.Or(faults[i].Code, "origin-malformed")
	}
	return faults
}

// TestPatternFaults goes through testdata/patterns.yaml. Whatever a message says to write must load.
func TestPatternFaults(t *testing.T) {
	cases := readFaults(t, "testdata/patterns.yaml")
	patterns := regexp.MustCompile(`(?:: write |; if |, and )((?:https?|chrome-extension)://\S+(?:, https?://\S+)*)`)
	expression := regexp.MustCompile(`in allow_origin_regexes write '(.*)'$`)
	told := 0
	loads := func(list, entry, message string) {
		told++
		if r := inPolicy(t, list, entry); r.Set == nil {
			t.Errorf("%s: %s: %v", message, entry, r.Findings)
		}
	}
	for _, c := range cases {
		r := inPolicy(t, "allow_origins", c.Pattern)
		if r.Set != nil || len(r.Findings) == 0 {
			t.Errorf("%s loads", c.Pattern)
			continue
		}
		f := r.Findings[0]
		if string(f.Code) != c.Code || f.Fix != c.Fix || !strings.HasSuffix(f.Message, ": "+c.Message) {
			t.Errorf("%s: %v", c.Pattern, f)
		}
		if c.Fix != "" {
			loads("allow_origins", c.Fix, c.Message)
		}
		for _, m := range patterns.FindAllStringSubmatch(c.Message, -1) {
			for p := range strings.SplitSeq(m[1], ", ") {
				loads("allow_origins", strings.TrimSuffix(p, ","), c.Message)
			}
		}
		if m := expression.FindStringSubmatch(c.Message); m != nil {
			loads("allow_origin_regexes", m[1], c.Message)
		}
		// No expression is offered where none can stand.
		for _, f := range inPolicy(t, "deny_origins", c.Pattern).Findings {
			if strings.Contains(f.Message, "in allow_origin_regexes") {
				t.Errorf("%s in deny_origins: %v", c.Pattern, f)
			}
		}
	}
	if len(cases) < 60 || told < 30 {
		t.Errorf("only %d cases, which tell of %d texts to write", len(cases), told)
	}
}

// TestLineFaults goes through testdata/lines.yaml. Whatever is told as a fix must load as a line.
func TestLineFaults(t *testing.T) {
	cases := readFaults(t, "testdata/lines.yaml")
	inFile := func(line string) *policyfile.Result {
		c := policyfile.Content{
			Files: []policyfile.File{{Name: "a.yaml", Data: []byte("policies: {p: {allow_origins: ['@l']}}\norigin_files: {l: l.txt}\ndefault: {policies: [p]}\n")}},
			Origins: []policyfile.OriginFile{
				{File: policyfile.File{Name: "l.txt", Data: []byte("# lines\n" + line + "\n")}},
			},
		}
		return c.Compile()
	}
	for _, c := range cases {
		r := inFile(c.Pattern)
		if r.Set != nil || len(r.Findings) != 1 {
			t.Errorf("%s: %v", c.Pattern, r.Findings)
			continue
		}
		f := r.Findings[0]
		if f.File != "l.txt" || f.Line != 2 || string(f.Code) != c.Code || f.Fix != c.Fix || !strings.HasSuffix(f.Message, ": "+c.Message) {
			t.Errorf("%s: %v", c.Pattern, f)
		}
		if r := inFile(c.Fix); c.Fix != "" && r.Set == nil {
			t.Errorf("%s: %v", c.Fix, r.Findings)
		}
	}
	if len(cases) < 10 {
		t.Errorf("only %d cases", len(cases))
	}
}
