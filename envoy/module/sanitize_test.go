//go:build cgo

package main

import (
	"os"
	"os/exec"
	"path/filepath"
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

// harness compiles the C of the module with the fake Envoy and testdata/harness, without a line of Go.
func harness(t *testing.T, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "harness")
	var sources []string
	for _, pattern := range []string{"*.c", "fakeenvoy/*.c", "testdata/harness/*.c"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		sources = append(sources, found...)
	}
	args := append([]string{"-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-rdynamic", "-pthread",
		"-I.", "-Ifakeenvoy", "-Itestdata/harness", "-o", program}, flags...)
	if out, err := exec.Command(compiler(t), append(args, append(sources, "-ldl")...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// TestSanitizers: no warning of the compiler; no memory that is not the module's any more, and none that is left behind; no
// races between workers; nothing that C leaves undefined.
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
