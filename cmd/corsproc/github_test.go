package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestWorkflow: on GitHub the same has to pass as in .ci/run, in the same order, and nothing is skipped.
func TestWorkflow(t *testing.T) {
	var workflow struct {
		Jobs map[string]struct {
			Env   map[string]string
			Steps []struct{ Run string }
		}
	}
	text := page(t, ".github/workflows/check.yml")
	if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
		t.Fatal(err)
	}
	job := workflow.Jobs["check"]
	var got, want []string
	for _, step := range job.Steps {
		if step.Run != "" && !installs(t, step.Run) {
			got = append(got, step.Run)
		}
	}
	for line := range strings.Lines(page(t, ".ci/run")) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "make ") {
			want = append(want, line)
		}
	}
	if len(want) < 4 || !slices.Equal(got, want) {
		t.Errorf("the workflow runs %q, .ci/run %q", got, want)
	}
	if job.Env["CORSPROC_REQUIRE_E2E"] != "1" {
		t.Error("the workflow lets tests be skipped")
	}
}

// installs reports whether a step does no more than install packages that .ci/run installs too.
func installs(t *testing.T, run string) bool {
	packages, ok := strings.CutPrefix(run, "sudo apt-get install -y --no-install-recommends ")
	if !ok {
		return false
	}
	for _, name := range strings.Fields(packages) {
		if !strings.Contains(page(t, ".ci/run"), "missing+=("+name+")") {
			t.Errorf("%q: .ci/run does not install %s", run, name)
		}
	}
	return true
}

// TestWorkflows holds every workflow to what it may do and how long, its actions to a tag, and its commands to the Makefile.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	makefile := page(t, "Makefile")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct {
			Permissions map[string]string
			Jobs        map[string]struct {
				Timeout  int `yaml:"timeout-minutes"`
				Defaults struct{ Run struct{ Shell string } }
				Steps    []struct{ Uses, Run string }
			}
		}
		if err := yaml.Unmarshal(data, &workflow); err != nil {
			t.Fatal(err)
		}
		if len(workflow.Permissions) != 1 || workflow.Permissions["contents"] != "read" || len(workflow.Jobs) == 0 {
			t.Errorf("%s: permissions %v, %d jobs", file, workflow.Permissions, len(workflow.Jobs))
		}
		for name, job := range workflow.Jobs {
			if job.Timeout == 0 || job.Defaults.Run.Shell != "bash" {
				t.Errorf("%s: %s: a job ends at some time, and runs in bash", file, name)
			}
			for _, step := range job.Steps {
				if step.Uses != "" && !regexp.MustCompile(`^[\w-]+/[\w-]+@v\d+$`).MatchString(step.Uses) {
					t.Errorf("%s: %s uses %q, which is no tag", file, name, step.Uses)
				}
				if step.Run == "" || installs(t, step.Run) {
					continue
				}
				target, ok := strings.CutPrefix(step.Run, "make ")
				target, _, _ = strings.Cut(target, " ")
				if !ok || !strings.Contains(makefile, "\n"+target+":") {
					t.Errorf("%s: %s runs %q, which is no target", file, name, step.Run)
				}
			}
		}
	}
}

// form is an issue form of GitHub's (https://docs.github.com, "Syntax for GitHub's form schema"), as far as ours need it.
type form struct {
	Name, Description string
	Labels            []string
	Body              []struct {
		Type, ID    string
		Attributes  struct{ Label, Description, Placeholder, Render, Value string }
		Validations *struct {
			Required bool
		}
	}
}

// TestIssueForms: GitHub shows a form that it does not understand to nobody. And each asks for what is needed to answer.
func TestIssueForms(t *testing.T) {
	for name, needed := range map[string][]string{
		"bug.yml":      {"version", "what", "policy", "explain"},
		"question.yml": {"version", "request", "console", "policy", "explain"},
	} {
		var f form
		if err := yaml.Load([]byte(page(t, ".github/ISSUE_TEMPLATE/"+name)), &f, yaml.WithKnownFields()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.Name == "" || f.Description == "" {
			t.Errorf("%s: has no name or description", name)
		}
		var required, ids []string
		for _, field := range f.Body {
			switch a := field.Attributes; field.Type {
			case "markdown":
				if a.Value == "" || field.Validations != nil || field.ID != "" {
					t.Errorf("%s: text without a value, or with what only questions have", name)
				}
				continue
			case "textarea", "input":
				if a.Label == "" || a.Value != "" || field.Type == "input" && a.Render != "" {
					t.Errorf("%s: %s: a question has a label and no value, and only an area has a language", name, field.ID)
				}
			default:
				t.Errorf("%s: type %q", name, field.Type)
			}
			if field.ID == "" || slices.Contains(ids, field.ID) {
				t.Errorf("%s: the identifier %q", name, field.ID)
			}
			ids = append(ids, field.ID)
			if field.Validations != nil && field.Validations.Required {
				required = append(required, field.ID)
			}
		}
		if !slices.Equal(required, needed) {
			t.Errorf("%s: %q are required, want %q", name, required, needed)
		}
	}
}
