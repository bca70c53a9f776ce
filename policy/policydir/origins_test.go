package policydir_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/policydir"
)

const tenants = `policies: {p: {allow_origins: ["@tenants"]}}
default: {policies: [p]}
origin_files: {tenants: lists/tenants.txt}
`

// allows reports whether a set allows an origin.
func allows(set *policy.Set, origin string) bool {
	d := set.Decide(&policy.Request{Method: "GET", Path: "/", Authority: "api.example", Origin: policy.Line(origin)})
	return d.Verdict == policy.Allowed
}

// load compiles what a path holds and reports whether it allows https://a.example, or what is said of it.
func load(t *testing.T, path string) (ok bool, findings string) {
	t.Helper()
	c, err := policydir.Read(path, strings.NewReader(tenants))
	do(t, err)
	r := c.Compile()
	return r.Set != nil && allows(r.Set, "https://a.example"), text(t, r)
}

// TestOriginFilesAreRead: by a file, a directory and standard input, and through the links of a ConfigMap, but not through
// one that leads out of the directory.
func TestOriginFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	do(t, os.Mkdir(filepath.Join(dir, "lists"), 0o700))
	list := filepath.Join(dir, "lists", "tenants.txt")
	write(t, filepath.Join(dir, "policies.yaml"), tenants)
	for _, path := range []string{dir, filepath.Join(dir, "policies.yaml")} {
		if ok, said := load(t, path); ok || !strings.Contains(said, "policies.yaml:3:25") || !strings.Contains(said, "this file does not exist") {
			t.Errorf("%s without the file: %s", path, said)
		}
	}
	write(t, list, "https://a.example\n")
	for _, path := range []string{dir, filepath.Join(dir, "policies.yaml")} {
		if ok, said := load(t, path); !ok {
			t.Errorf("%s: %s", path, said)
		}
	}
	t.Chdir(dir)
	for _, path := range []string{policydir.Stdin, ".", "policies.yaml"} {
		if ok, said := load(t, path); !ok {
			t.Errorf("%s: %s", path, said)
		}
	}
	outside := filepath.Join(t.TempDir(), "tenants.txt")
	write(t, outside, "https://a.example\nhunter2\n")
	do(t, os.Remove(list), os.Symlink(outside, list))
	for _, path := range []string{dir, filepath.Join(dir, "policies.yaml"), policydir.Stdin} {
		if ok, said := load(t, path); ok || strings.Contains(said, "hunter2") || !strings.Contains(said, "leads out of the directory") {
			t.Errorf("%s: a link is followed: %s", path, said)
		}
	}
	do(t, os.Remove(list), os.Mkdir(list, 0o700))
	if ok, said := load(t, dir); ok || !strings.Contains(said, "not a regular file") {
		t.Errorf("a directory: %s", said)
	}
}

// configMap makes the mount of a ConfigMap, with a version in it.
func configMap(t *testing.T, dir, version, list string) {
	t.Helper()
	data := filepath.Join(dir, ".."+version)
	do(t, os.Mkdir(data, 0o700))
	write(t, filepath.Join(data, "policies.yaml"), strings.Replace(tenants, "lists/", "", 1))
	write(t, filepath.Join(data, "tenants.txt"), list)
	do(t, os.Symlink(".."+version, filepath.Join(dir, "..new")), os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
}

// TestOriginFilesAreWatched: a change of the text alone is loaded, wherever it lies, and a bad line keeps the last good set.
func TestOriginFilesAreWatched(t *testing.T) {
	mounted := t.TempDir()
	configMap(t, mounted, "1", "https://a.example\n")
	for _, name := range []string{"policies.yaml", "tenants.txt"} {
		do(t, os.Symlink(filepath.Join("..data", name), filepath.Join(mounted, name)))
	}
	plain := t.TempDir()
	do(t, os.Mkdir(filepath.Join(plain, "lists"), 0o700))
	write(t, filepath.Join(plain, "policies.yaml"), tenants)
	write(t, filepath.Join(plain, "lists", "tenants.txt"), "https://a.example\n")
	edit := func(text string) func() {
		return func() {
			temp := filepath.Join(plain, "lists", ".new")
			write(t, temp, text)
			do(t, os.Rename(temp, filepath.Join(plain, "lists", "tenants.txt")))
		}
	}
	for _, c := range []struct {
		name, path string
		changes    []func()
	}{
		{"directory", plain, []func(){edit("https://b.example\n"), edit("https://B.example\n"), edit("https://a.example\n")}},
		{"file", filepath.Join(plain, "policies.yaml"), []func(){edit("https://b.example\n"), edit("https://B.example\n"), edit("https://a.example\n")}},
		{"ConfigMap", mounted, []func(){
			func() { configMap(t, mounted, "2", "https://b.example\n") }, func() { configMap(t, mounted, "3", "https://B.example\n") }, func() { configMap(t, mounted, "4", "https://a.example\n") },
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			attempts := make(chan policydir.Attempt, 100)
			loader := policydir.NewLoader(c.path, nil)
			first := loader.Load()
			if !first.Good() || !allows(first.Result.Set, "https://a.example") {
				t.Fatal(first.Result.Findings)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			rounds := make(chan struct{}, 100)
			go policydir.Watch(ctx, c.path, 0, loader.Origins, func() {
				if a := loader.Load(); !a.Unchanged {
					attempts <- a
				}
				select {
				case rounds <- struct{}{}:
				default:
				}
			})
			<-rounds // the look with which it starts, and the one with the files of origins
			<-rounds
			for i, want := range []string{"https://b.example", "", "https://a.example"} {
				c.changes[i]()
				select {
				case a := <-attempts:
					switch {
					case want == "" && (a.Good() || a.Err != nil || !strings.HasSuffix(a.Result.Findings[0].File, "tenants.txt") || a.Result.Findings[0].Line != 1):
						t.Errorf("a bad line: %v %v", a.Err, a.Result)
					case want != "" && (!a.Good() || !allows(a.Result.Set, want)):
						t.Errorf("%s is not allowed: %v", want, a.Result)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("the change is not seen")
				}
			}
		})
	}
}

// TestOriginFilesOfTests: a policy file that a test names has its files of origins with it.
func TestOriginFilesOfTests(t *testing.T) {
	dir := t.TempDir()
	do(t, os.Mkdir(filepath.Join(dir, "lists"), 0o700))
	write(t, filepath.Join(dir, "policies.yaml"), tenants)
	write(t, filepath.Join(dir, "lists", "tenants.txt"), "https://a.example\nhttps://Hunter2.example\n")
	for folder, quoted := range map[string]bool{dir: true, t.TempDir(): false} {
		c, err := policydir.ReadNamed(filepath.Join(dir, "policies.yaml"), folder)
		do(t, err)
		if got := said(t, c); strings.Contains(got, "Hunter2") != quoted || !strings.Contains(got, "tenants.txt:2:1") {
			t.Errorf("of what lies in %s: %s", folder, got)
		}
	}
}
