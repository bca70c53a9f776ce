package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// root is the folder of the repository, as the tests here are run.
const root = "../.."

// codeBlock finds the code blocks of Markdown: language and content.
var codeBlock = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// block is a code block of a page.
type block struct{ page, language, text string }

// books returns the pages whose blocks are run here, by their paths from the root: those of one book share a folder, so
// that a page can use the files that another one shows. Pages below envoy/ are run by the tests there.
func books(t *testing.T) [][]string {
	t.Helper()
	docs := []string{}
	for path := range pages(t) {
		if name, err := filepath.Rel(root, path); err == nil && strings.HasPrefix(filepath.ToSlash(name), "docs/") {
			docs = append(docs, name)
		}
	}
	if len(docs) < 5 {
		t.Fatalf("only %d pages in docs/", len(docs))
	}
	return [][]string{{"README.md"}, {"CONTRIBUTING.md"}, docs}
}

// blocks returns the code blocks of pages.
func blocks(t *testing.T, names ...string) (all []block) {
	t.Helper()
	for _, name := range names {
		for _, m := range codeBlock.FindAllStringSubmatch(page(t, name), -1) {
			all = append(all, block{name, m[1], m[2]})
		}
	}
	return all
}

// allBlocks returns the code blocks of all books.
func allBlocks(t *testing.T) (all []block) {
	t.Helper()
	for _, names := range books(t) {
		all = append(all, blocks(t, names...)...)
	}
	return all
}

// page returns the text of a page, which is called by its path from the root.
func page(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// isPolicies, isTests, isPipeline: what a block of YAML is. Whatever is none of these is configuration of Envoy.
func (b *block) isPolicies() bool {
	return b.language == "yaml" && strings.Contains(b.text, "\npolicies:") && !b.isTests()
}
func (b *block) isTests() bool    { return b.language == "yaml" && strings.Contains(b.text, "\ntests:") }
func (b *block) isPipeline() bool { return b.language == "yaml" && strings.HasPrefix(b.text, "steps:") }

// TestReadmeStart holds the first code block for a shell to what a newcomer types: the clone, and one command. Whoever wants
// to change something is told of make test.
func TestReadmeStart(t *testing.T) {
	for _, b := range blocks(t, "README.md") {
		if b.language != "sh" {
			continue
		}
		lines := strings.Split(strings.TrimSpace(b.text), "\n")
		for i, line := range lines {
			last := i == len(lines)-1
			if last && line != "make run" || !last && !strings.HasPrefix(line, "git clone ") && !strings.HasPrefix(line, "cd ") {
				t.Errorf("the start has the line %q", line)
			}
		}
		break
	}
	for _, b := range blocks(t, "CONTRIBUTING.md") {
		if strings.TrimSpace(b.text) == "make test" {
			return
		}
	}
	t.Error("no block of CONTRIBUTING.md is make test")
}

// TestReadmeLength: the first page stays one that is read to its end.
func TestReadmeLength(t *testing.T) {
	if n := strings.Count(page(t, "README.md"), "\n"); n > 120 {
		t.Errorf("the README has %d lines, more than 120: a page in docs/ is the place for more", n)
	}
}

// TestPagesPolicies reads every policy file that the pages show.
func TestPagesPolicies(t *testing.T) {
	read := 0
	for _, b := range allBlocks(t) {
		if !b.isPolicies() {
			continue // test files are run by TestPagesConsole
		}
		read++
		content := policyfile.Content{Files: []policyfile.File{{Name: b.page, Data: []byte(b.text)}}}
		if result := content.Compile(); len(result.Findings) > 0 {
			t.Errorf("%v", result.Findings)
		}
	}
	if read < 2 {
		t.Errorf("the pages show %d policy files", read)
	}
}

// TestPagesEnvoy looks for every line of Envoy configuration that the pages show in the reference configurations, as a line
// or behind a comment sign.
func TestPagesEnvoy(t *testing.T) {
	known := map[string]bool{}
	for line := range strings.Lines(page(t, "envoy/envoy.yaml") + page(t, "envoy/module.yaml")) {
		known[strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), "# "))] = true
	}
	seen := 0
	for _, b := range allBlocks(t) {
		if b.language != "yaml" || b.isPolicies() || b.isTests() || b.isPipeline() {
			continue
		}
		for line := range strings.Lines(b.text) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
				continue
			}
			seen++
			if !known[line] {
				t.Errorf("%s: neither envoy.yaml nor module.yaml has a line %q", b.page, line)
			}
		}
	}
	if seen == 0 {
		t.Error("the pages show nothing of Envoy's configuration")
	}
}

// TestPagesConsole runs the corsproc commands that the pages show, in a folder that holds the files that the same book shows.
// What is asked of the running demo is run by the tests beside it (envoy/e2e).
func TestPagesConsole(t *testing.T) {
	ran := map[string]int{}
	for _, names := range books(t) {
		all := blocks(t, names...)
		t.Run(names[0], func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, b := range all {
				if b.isPolicies() || b.isTests() {
					writeShown(t, &b)
				}
			}
			for _, b := range all {
				switch {
				case b.isPipeline():
					ran[b.page] += runSteps(t, b.text)
				case b.language == "console":
					ran[b.page] += runConsole(t, &b)
				}
			}
		})
	}
	for name, least := range map[string]int{"README.md": 1, "docs/policies.md": 1, "docs/commands.md": 6} {
		if ran[filepath.FromSlash(name)] < least {
			t.Errorf("%s: %d commands were run, not %d", name, ran[name], least)
		}
	}
}

// writeShown writes a file that a page shows under the name in its first line, which no other page of the book has.
func writeShown(t *testing.T, b *block) {
	t.Helper()
	first, _, _ := strings.Cut(b.text, "\n")
	name, ok := strings.CutPrefix(first, "# ")
	if !ok || filepath.Base(name) != name {
		t.Fatalf("%s: a file begins with %q, which is no name of one", b.page, first)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(b.text); err != nil {
		t.Fatal(err)
	}
}

// runConsole does what a block shows, and returns how many corsproc commands it ran.
func runConsole(t *testing.T, b *block) (ran int) {
	t.Helper()
	for _, step := range strings.Split("\n"+b.text, "\n$ ")[1:] {
		command, want, _ := strings.Cut(step, "\n")
		args := strings.Fields(command)
		switch args[0] {
		case "cat":
			if err := os.WriteFile(args[1], []byte(want+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		case "corsproc":
			if args[1] == "verify" {
				continue // it asks the demo: envoy/e2e runs it
			}
			ran++
			var out bytes.Buffer
			run(context.Background(), args[1:], strings.NewReader(""), &out, &out)
			if got := strings.TrimSpace(out.String()); got != strings.TrimSpace(want) {
				t.Errorf("%s: %s printed\n%s\nwant\n%s", b.page, command, got, want)
			}
		case "curl", "grpcurl": // envoy/e2e runs them
		default:
			t.Errorf("%s: %s: nothing holds what this prints", b.page, command)
		}
	}
	return ran
}

// runSteps runs the corsproc commands of a pipeline, which have to pass, and returns how many these are.
func runSteps(t *testing.T, pipeline string) (ran int) {
	t.Helper()
	for line := range strings.Lines(pipeline) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "- run: corsproc "); ok {
			ran++
			if status, stdout, stderr := runIn(t, "", strings.Fields(command)...); status != exitOK {
				t.Errorf("%s: exit status %d, printed\n%s%s", command, status, stdout, stderr)
			}
		}
	}
	if ran == 0 {
		t.Error("the pipeline runs nothing of ours")
	}
	return ran
}

// TestPagesNames looks for settings and commands that the pages name and the program does not have, in text and in what is to
// be typed.
func TestPagesNames(t *testing.T) {
	known := map[string]bool{"help": true, "concurrency": true, "component-log-level": true, "mode": true} // but for the first, Envoy's
	for _, command := range newRoot().Commands() {
		command.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	}
	flag := regexp.MustCompile("(?:`|corsproc .* |^ +)--([a-z-]+)")
	for _, names := range books(t) {
		for _, name := range names {
			text := page(t, name)
			for line := range strings.Lines(text) {
				for _, m := range flag.FindAllStringSubmatch(line, -1) {
					if !known[m[1]] {
						t.Errorf("%s: no command has --%s", name, m[1])
					}
				}
			}
			for _, command := range regexp.MustCompile("`corsproc ([a-z]+)").FindAllStringSubmatch(text, -1) {
				if cmd, _, err := newRoot().Find([]string{command[1]}); err != nil || cmd.Name() != command[1] {
					t.Errorf("%s: there is no command %s", name, command[1])
				}
			}
		}
	}
}

// TestCommandsPage: the table of commands has a line for each.
func TestCommandsPage(t *testing.T) {
	text := page(t, "docs/commands.md")
	for _, command := range newRoot().Commands() {
		if command.Name() != "help" && !strings.Contains(text, "\n| `corsproc "+command.Name()+"` | ") {
			t.Errorf("docs/commands.md has no line for %s", command.Name())
		}
	}
}
