//go:build cgo

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compiler returns the C compiler that cgo uses.
func compiler(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// harness compiles the C of the module with the fake Envoy and testdata/harness, without a line of Go. The module alone asks the
// harness for its memory, which may refuse it.
func harness(t *testing.T, flags ...string) string {
	t.Helper()
	cc, dir := compiler(t), t.TempDir()
	compile := func(args ...string) {
		t.Helper()
		all := append([]string{"-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-pthread",
			"-I.", "-Ifakeenvoy", "-Itestdata/harness"}, flags...)
		if out, err := exec.Command(cc, append(all, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	var objects []string
	for _, source := range glob(t, "*.c") {
		objects = append(objects, filepath.Join(dir, source+".o"))
		compile("-Dmalloc=harness_malloc", "-Dcalloc=harness_calloc", "-c", "-o", objects[len(objects)-1], source)
	}
	program := filepath.Join(dir, "harness")
	compile(slices.Concat([]string{"-rdynamic", "-o", program}, objects, glob(t, "fakeenvoy/*.c"), glob(t, "testdata/harness/*.c"), []string{"-ldl"})...)
	return program
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	return found
}

// TestSanitizers: no warning of the compiler; no memory that is not the module's any more, and none that is left behind, also where
// there is none to get; no races between workers; nothing that C leaves undefined.
func TestSanitizers(t *testing.T) {
	for _, test := range []struct {
		name     string
		flags    []string
		requests string
		under    []string
	}{
		{"address", []string{"-fsanitize=address,undefined", "-fno-sanitize-recover=all"}, "8000", nil},
		{"thread", []string{"-fsanitize=thread"}, "2000", nil},
		{"valgrind", nil, "400", []string{"valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=all"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			command := append(test.under, harness(t, test.flags...), test.requests)
			if _, err := exec.LookPath(command[0]); err != nil {
				if os.Getenv("CORSPROC_REQUIRE_E2E") != "" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			run := exec.Command(command[0], command[1:]...)
			run.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=1", "TSAN_OPTIONS=halt_on_error=1")
			out, err := run.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "requests") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
