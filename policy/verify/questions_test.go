package verify

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/policyfile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// compile compiles the text of a policy file.
func compile(t testing.TB, text string) *policy.Set {
	t.Helper()
	content := policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: []byte(text)}}}
	r := content.Compile()
	if r.Set == nil {
		t.Fatal(r.Findings)
	}
	return r.Set
}

// siteOf returns a URL to ask about.
func siteOf(t testing.TB, url string) *Site {
	t.Helper()
	target, err := browser.ParseTarget(url)
	if err != nil {
		t.Fatal(err)
	}
	return &Site{Target: target}
}

// options are those of the command line.
var options = Options{Method: "GET", Repeat: 1, Most: 2000}

// TestQuestions compares the questions of whole policy files with what is written beside them. The lines at the head of such a
// file are the URLs that are asked about.
func TestQuestions(t *testing.T) {
	names, err := filepath.Glob("testdata/questions/*.yaml")
	if err != nil || len(names) < 2 {
		t.Fatalf("%v %v", names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set := compile(t, string(data))
		var got strings.Builder
		for line := range strings.Lines(string(data)) {
			about, ok := strings.CutPrefix(line, "# ")
			if !ok {
				break
			}
			o := options
			o.Routes = []NamedRoute{{"checkout", "/pay"}}
			url, flags, _ := strings.Cut(strings.TrimSpace(about), " ")
			o.PreflightsOnly = flags == "--preflights-only"
			show(&got, NewPlan(set, []*Site{siteOf(t, url)}, o))
		}
		golden := strings.TrimSuffix(name, ".yaml") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); d != "" {
			t.Errorf("%s (-want +got):\n%s", golden, d)
		}
	}
}

// show writes a plan place by place.
func show(w *strings.Builder, p *Plan) {
	for _, place := range p.Places {
		fmt.Fprintf(w, "%s (%s)\n", place.URL(), place.Text)
		for _, q := range p.Questions {
			if q.Place != place {
				continue
			}
			status := ""
			if q.Answer.Status != 0 {
				status = fmt.Sprint(" ", q.Answer.Status)
			}
			fmt.Fprintf(w, "  %s: %s (%s)%s\n", q, q.Decision.Verdict, q.Decision.Reason, status)
		}
	}
	for _, n := range p.NotAsked {
		fmt.Fprintf(w, "not asked: %s: %s\n", n.Place, n.Why)
	}
	for _, line := range p.Unasked {
		fmt.Fprintf(w, "unasked: %s\n", line)
	}
	fmt.Fprintf(w, "left out: %d\n\n", p.Left)
}
