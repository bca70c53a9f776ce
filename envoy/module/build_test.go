//go:build cgo

package main

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// root is the repository.
const root = "../.."

// makeModule runs `make module` with variables in a folder, and returns what it built.
func makeModule(t *testing.T, dir string, variables ...string) string {
	t.Helper()
	make := exec.Command("make", append([]string{"--no-print-directory", "-C", dir, "module"}, variables...)...)
	make.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "bin", "libcorsproc.so")
}

// copyTree copies what the module is built from into a folder.
func copyTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("go", "list", "-C", root, "-deps", "-f", "{{if not .Standard}}{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}{{end}}", "./envoy/module").Output()
	if err != nil {
		t.Fatal(err)
	}
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"go.mod", "go.sum", "Makefile"} {
		copyFile(t, filepath.Join(root, file), filepath.Join(dir, file))
	}
	for folder := range strings.FieldsSeq(string(out)) {
		rel, err := filepath.Rel(absolute, folder)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Type().IsRegular() && !strings.HasSuffix(e.Name(), "_test.go") {
				copyFile(t, filepath.Join(folder, e.Name()), filepath.Join(dir, rel, e.Name()))
			}
		}
	}
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// TestReproducible: two builds in two folders are the same bytes, and name neither.
func TestReproducible(t *testing.T) {
	dirs := []string{copyTree(t), copyTree(t)}
	var builds [2][]byte
	for i, dir := range dirs {
		data, err := os.ReadFile(makeModule(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		builds[i] = data
		if bytes.Contains(data, []byte(dir)) {
			t.Error("the path of the folder is in the module")
		}
		if entries, _ := os.ReadDir(filepath.Join(dir, "bin")); len(entries) != 1 {
			t.Errorf("make module leaves %v", entries)
		}
	}
	if !bytes.Equal(builds[0], builds[1]) {
		t.Error("two builds differ")
	}
	checkSymbols(t, filepath.Join(dirs[0], "bin", "libcorsproc.so"), machines[runtime.GOARCH])
}

// TestCross builds the module for arm64, with the cross compiler that CORSPROC_CROSS names (aarch64-linux-gnu-gcc). All of Go's
// library is compiled for it, which takes a minute or two: that is for releases, not for every change.
func TestCross(t *testing.T) {
	compiler := os.Getenv("CORSPROC_CROSS")
	if compiler == "" {
		t.Skip("CORSPROC_CROSS names no cross compiler")
	}
	checkSymbols(t, makeModule(t, copyTree(t), "GOARCH=arm64", "CC="+compiler), machines["arm64"])
}

// checkSymbols: every hook that abi.h declares is offered; a callback that Envoy 1.36 lacks is weak, so that it loads the
// module and is told why it is too old; and all are looked for when the module is loaded, not at the first request.
func checkSymbols(t *testing.T, path string, machine elf.Machine) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != machine {
		t.Errorf("it is for %v", f.Machine)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	abi, err := os.ReadFile("abi.h")
	if err != nil {
		t.Fatal(err)
	}
	offered := map[string]bool{}
	for _, s := range symbols {
		name, ours := strings.CutPrefix(s.Name, "envoy_dynamic_module_")
		switch weak := elf.ST_BIND(s.Info) == elf.STB_WEAK; {
		case !ours:
		case s.Section != elf.SHN_UNDEF:
			offered[s.Name] = true
		case weak == slices.Contains(since136, strings.TrimPrefix(name, "callback_")):
			t.Errorf("%s: weak is %v", s.Name, weak)
		}
	}
	hooks := regexp.MustCompile(`envoy_dynamic_module_on_\w+`).FindAllString(string(abi), -1)
	for _, hook := range hooks {
		if !offered[hook] {
			t.Errorf("%s is not offered", hook)
		}
	}
	if len(hooks) != 24 || len(offered) != len(hooks) {
		t.Errorf("%d hooks are declared, %d offered", len(hooks), len(offered))
	}
	flags, err := f.DynValue(elf.DT_FLAGS)
	if err != nil || len(flags) != 1 || elf.DynFlag(flags[0])&elf.DF_BIND_NOW == 0 {
		t.Errorf("flags %v, %v: symbols are looked for late", flags, err)
	}
}

// since136 are the callbacks that Envoy 1.36.4 has, by its symbols.
var since136 = []string{
	"log", "get_most_specific_route_config", "http_filter_get_attribute_string", "http_send_response_headers",
	"http_send_response_data", "http_get_metadata_string", "http_filter_config_define_counter", "http_filter_increment_counter",
	"http_filter_config_define_gauge",
}
