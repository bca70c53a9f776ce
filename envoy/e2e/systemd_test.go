//go:build unix

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unit is the service, as it is shipped.
const unit = "envoy/systemd/corsproc.service"

// installed is where the unit's binary lies.
const installed = "/usr/local/bin/corsproc"

// TestMeshSystemdUnit asks systemd what it has against the unit, and how much of the machine the process could still reach.
func TestMeshSystemdUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	need(t, err)
	text := read(t, unit)
	if !strings.Contains(text, "ExecStart="+installed+" serve ") {
		t.Fatal("the unit starts something else")
	}
	file := filepath.Join(t.TempDir(), filepath.Base(unit))
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, installed, binary)), 0o600); err != nil {
		t.Fatal(err)
	}
	// What is wrong is also only warned of, with status 0.
	if out, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", file).CombinedOutput()
	level := regexp.MustCompile(`Overall exposure level for corsproc.service: ([0-9.]+)`).FindSubmatch(out)
	if err != nil || level == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if exposure, err := strconv.ParseFloat(string(level[1]), 64); err != nil || exposure > 2 {
		t.Errorf("exposed by %s of 10, and the page says less than 2\n%s", level[1], out)
	}
}

// TestMeshSystemdFiles looks for every file that the page installs, and that it installs all there are.
func TestMeshSystemdFiles(t *testing.T) {
	page := read(t, "envoy/systemd/README.md")
	err := filepath.WalkDir(filepath.Join(root, "envoy", "systemd"), func(path string, d os.DirEntry, err error) error {
		if name, _ := filepath.Rel(root, path); err == nil && !d.IsDir() && d.Name() != "README.md" && !strings.Contains(page, "0644 "+name) &&
			!strings.Contains(page, " "+name+"\n") {
			t.Errorf("the page does not install %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\benvoy/[-a-z./]+`).FindAllString(page, -1) {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
}

// unitArguments are the settings in the unit's command line, as name and value in one.
func unitArguments(t *testing.T) []string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^ExecStart=\S+ serve (.*)$`).FindStringSubmatch(read(t, unit))
	if line == nil {
		t.Fatal("the unit has no command line")
	}
	words := strings.Fields(line[1])
	var arguments []string
	for i := 0; i+1 < len(words); i += 2 {
		arguments = append(arguments, words[i]+"="+words[i+1])
	}
	return arguments
}
