package policy_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy"
)

// diffLines writes a difference as a person reads it: a line for each change at each place.
func diffLines(t *testing.T, before, after *policy.Set) (lines []string) {
	t.Helper()
	signs := map[string]string{"gain": "+ ", "loss": "- ", "change": "~ "}
	for _, d := range policy.Diff(before, after) {
		for _, p := range d.Places {
			for _, c := range d.Changes {
				if signs[c.Effect] == "" || c.What == "" || c.Text == "" {
					t.Errorf("a change says too little: %v", c)
				}
				lines = append(lines, p.Text+": "+signs[c.Effect]+c.Text)
			}
		}
	}
	return lines
}

// diffTable is testdata/diff.yaml: a policy set, forms of it that say the same, and edits with what each changes.
type diffTable struct {
	Policies string `yaml:"policies"`
	Same     []struct {
		Name     string `yaml:"name"`
		Policies string `yaml:"policies"`
		Edits    []edit `yaml:"edits"`
	} `yaml:"same"`
	Edits []struct {
		Name  string   `yaml:"name"`
		Edits []edit   `yaml:"edits"`
		Want  []string `yaml:"want"` // forwards
		Back  []string `yaml:"back"` // and backwards, where it is given
	} `yaml:"edits"`
	Pairs []struct {
		Name string   `yaml:"name"`
		Old  string   `yaml:"old"`
		New  string   `yaml:"new"`
		Want []string `yaml:"want"` // none: both grant the same
	} `yaml:"pairs"`
}

// edit replaces a text that stands once in a policy set.
type edit struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

func apply(t *testing.T, text string, edits []edit) string {
	t.Helper()
	for _, e := range edits {
		if strings.Count(text, e.From) != 1 {
			t.Fatalf("%q stands %d times in the policies", e.From, strings.Count(text, e.From))
		}
		text = strings.Replace(text, e.From, e.To, 1)
	}
	return text
}

func loadDiffTable(t *testing.T) (table diffTable) {
	t.Helper()
	data, err := os.ReadFile("testdata/diff.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Load(data, &table, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	if len(table.Same) == 0 || len(table.Edits) == 0 {
		t.Fatal("the table is empty")
	}
	return table
}

// TestDiffSame: what says the same in other words is no difference, in neither direction.
func TestDiffSame(t *testing.T) {
	table := loadDiffTable(t)
	base := compileText(t, table.Policies)
	if got := diffLines(t, base, compileText(t, table.Policies)); len(got) > 0 {
		t.Errorf("a set and itself: %q", got)
	}
	for _, c := range table.Same {
		t.Run(c.Name, func(t *testing.T) {
			text := c.Policies
			if text == "" {
				text = apply(t, table.Policies, c.Edits)
			}
			other := compileText(t, text)
			for name, got := range map[string][]string{"forwards": diffLines(t, base, other), "backwards": diffLines(t, other, base)} {
				if len(got) > 0 {
					t.Errorf("%s:\n%s", name, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// TestDiffEdits: every edit has exactly its lines, and undone it has some too.
func TestDiffEdits(t *testing.T) {
	table := loadDiffTable(t)
	base := compileText(t, table.Policies)
	for _, c := range table.Edits {
		t.Run(c.Name, func(t *testing.T) {
			edited := compileText(t, apply(t, table.Policies, c.Edits))
			if d := cmp.Diff(c.Want, diffLines(t, base, edited)); d != "" {
				t.Errorf("forwards (-want +got):\n%s", d)
			}
			back := diffLines(t, edited, base)
			if d := cmp.Diff(c.Back, back); len(c.Back) > 0 && d != "" {
				t.Errorf("backwards (-want +got):\n%s", d)
			}
			if len(back) == 0 {
				t.Error("nothing changes backwards")
			}
		})
	}
	for _, c := range table.Pairs {
		t.Run(c.Name, func(t *testing.T) {
			if d := cmp.Diff(c.Want, diffLines(t, compileText(t, c.Old), compileText(t, c.New))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestDiffSize compares two sets of 10,000 virtual hosts with ten origins each, of which a few differ.
func TestDiffSize(t *testing.T) {
	const hosts, origins = 10_000, 10
	write := func(edited bool) *policy.Set {
		var b strings.Builder
		b.WriteString("policies:\n")
		for i := range hosts {
			fmt.Fprintf(&b, "  p%d:\n    allow_origins:\n", i)
			for j := range origins {
				fmt.Fprintf(&b, "    - https://*.o%d.t%d.example\n", j, i)
			}
			if edited && i%5000 == 0 {
				b.WriteString("    - https://partner.example\n")
			}
		}
		b.WriteString("virtual_hosts:\n")
		for i := range hosts {
			fmt.Fprintf(&b, "- {name: h%d, domains: [h%d.example], policies: [p%d]}\n", i, i, i)
		}
		return compileText(t, b.String())
	}
	before, after := write(false), write(true)
	start := time.Now()
	got := diffLines(t, before, after)
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	want := []string{
		"virtual host h0: + https://partner.example may read responses, without credentials",
		"virtual host h5000: + https://partner.example may read responses, without credentials",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
