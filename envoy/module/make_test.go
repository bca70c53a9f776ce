package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMakeWithoutCompiler: nothing but the module and its tests needs a C compiler, and make test says at its end what it left
// out. Commands are looked at, not run.
func TestMakeWithoutCompiler(t *testing.T) {
	tools := t.TempDir() // with nothing that compiles C
	for _, tool := range []string{"go", "git"} {
		if path, err := exec.LookPath(tool); err == nil {
			if err := os.Symlink(path, filepath.Join(tools, tool)); err != nil {
				t.Fatal(err)
			}
		}
	}
	commands := func(path string, targets ...string) []string {
		t.Helper()
		program, err := exec.LookPath("make")
		if err != nil {
			t.Fatal(err)
		}
		make := exec.Command(program, append([]string{"--no-print-directory", "-n", "-C", "../.."}, targets...)...)
		for _, v := range os.Environ() {
			if name, _, _ := strings.Cut(v, "="); !slices.Contains([]string{"PATH", "CC", "CGO_ENABLED", "GOFLAGS", "MAKEFLAGS", "MFLAGS"}, name) {
				make.Env = append(make.Env, v)
			}
		}
		make.Env = append(make.Env, "PATH="+path)
		out, err := make.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
	const said = `echo "SKIPPED: there is no C compiler, so the module for Envoy was not tested, and the race detector did not run."`
	built := 0
	for _, line := range commands(tools, "build", "run", "test") {
		if strings.Contains(line, "go build") {
			built++
			if !strings.HasPrefix(line, "CGO_ENABLED=0 ") {
				t.Errorf("this needs a C compiler: %s", line)
			}
		}
		if strings.Contains(line, "-race") {
			t.Errorf("so does this: %s", line)
		}
	}
	if built < 2 {
		t.Errorf("%d programs are built", built)
	}
	if all := commands(tools, "test"); all[len(all)-1] != said {
		t.Errorf("make test ends with %s", all[len(all)-1])
	}
	compiler, err := exec.LookPath("gcc") // which Go looks for
	if err != nil {
		return
	}
	if all := strings.Join(commands(filepath.Dir(compiler)+":"+tools, "test"), "\n"); strings.Contains(all, "SKIPPED") || !strings.Contains(all, "go test -race") {
		t.Errorf("with a compiler make test is\n%s", all)
	}
}
