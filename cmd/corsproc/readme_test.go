package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// codeBlock finds the code blocks of Markdown: language and content.
var codeBlock = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

type block struct{ language, text string }

func readmeBlocks(t *testing.T) (blocks []block) {
	t.Helper()
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range codeBlock.FindAllStringSubmatch(string(data), -1) {
		blocks = append(blocks, block{m[1], m[2]})
	}
	return blocks
}

// TestReadmeStart holds the first code block to what a newcomer types: the clone, and one command.
func TestReadmeStart(t *testing.T) {
	blocks := readmeBlocks(t)
	lines := strings.Split(strings.TrimSpace(blocks[0].text), "\n")
	for i, line := range lines {
		last := i == len(lines)-1
		if last && line != "make run" || !last && !strings.HasPrefix(line, "git clone ") && !strings.HasPrefix(line, "cd ") {
			t.Errorf("the start has the line %q", line)
		}
	}
	for _, b := range blocks[1:] {
		if strings.TrimSpace(b.text) == "make test" {
			return
		}
	}
	t.Error("no later block is make test")
}

// TestReadmePolicies reads every policy file that the README shows.
func TestReadmePolicies(t *testing.T) {
	read := 0
	for _, b := range readmeBlocks(t) {
		if b.language != "yaml" || !strings.Contains(b.text, "\npolicies:") || strings.Contains(b.text, "\ntests:") {
			continue // test files are run by TestReadmeConsole
		}
		read++
		content := policyfile.Content{Files: []policyfile.File{{Name: "README.md", Data: []byte(b.text)}}}
		if result := content.Compile(); len(result.Findings) > 0 {
			t.Errorf("%v", result.Findings)
		}
	}
	if read == 0 {
		t.Error("the README shows no policy file")
	}
}

// TestReadmeEnvoy looks for every line of Envoy configuration that the README shows in the reference configuration, as
// a line or behind a comment sign.
func TestReadmeEnvoy(t *testing.T) {
	reference, err := os.ReadFile("../../envoy/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(reference)) {
		known[strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), "# "))] = true
	}
	seen := 0
	for _, b := range readmeBlocks(t) {
		if b.language != "yaml" || strings.Contains(b.text, "\npolicies:") || strings.HasPrefix(b.text, "steps:") {
			continue
		}
		for line := range strings.Lines(b.text) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
				continue
			}
			seen++
			if !known[line] {
				t.Errorf("envoy.yaml has no line %q", line)
			}
		}
	}
	if seen == 0 {
		t.Error("the README shows nothing of Envoy's configuration")
	}
}

// TestReadmeConsole runs the corsproc commands that the README shows, in a folder that holds the files it shows. What is
// asked of the running demo is run by the tests beside it (envoy/e2e).
func TestReadmeConsole(t *testing.T) {
	blocks := readmeBlocks(t)
	t.Chdir(t.TempDir())
	ran := 0
	for _, b := range blocks {
		if name, _, _ := strings.Cut(b.text, "\n"); b.language == "yaml" && strings.HasSuffix(name, ".yaml") {
			if err := os.WriteFile(strings.TrimPrefix(name, "# "), []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasPrefix(b.text, "steps:") {
			ran += runSteps(t, b.text)
		}
		if b.language != "console" {
			continue
		}
		for _, step := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			command, want, _ := strings.Cut(step, "\n")
			args := strings.Fields(command)
			switch args[0] {
			case "cat":
				if err := os.WriteFile(args[1], []byte(want+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			case "corsproc":
				ran++
				var out bytes.Buffer
				run(context.Background(), args[1:], strings.NewReader(""), &out, &out)
				if got := strings.TrimSpace(out.String()); got != strings.TrimSpace(want) {
					t.Errorf("%s printed\n%s\nwant\n%s", command, got, want)
				}
			}
		}
	}
	if ran == 0 {
		t.Error("the README shows no command")
	}
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

// TestReadmeNames looks for settings, commands and metrics that the README names and the program does not have.
func TestReadmeNames(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, command := range newRoot().Commands() {
		command.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	}
	for _, flag := range regexp.MustCompile("`--([a-z-]+)").FindAllStringSubmatch(string(data), -1) {
		if !known[flag[1]] {
			t.Errorf("no command has --%s", flag[1])
		}
	}
	for _, command := range regexp.MustCompile("`corsproc ([a-z]+)").FindAllStringSubmatch(string(data), -1) {
		if cmd, _, err := newRoot().Find([]string{command[1]}); err != nil || cmd.Name() != command[1] {
			t.Errorf("there is no command %s", command[1])
		}
	}
}
