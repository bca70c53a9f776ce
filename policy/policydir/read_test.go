package policydir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
)

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, r *policyfile.Result) string {
	t.Helper()
	var b strings.Builder
	do(t, policyfile.WriteText(&b, r.Findings))
	return b.String()
}

func TestReadDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.yaml", "a.yml", "c.json", ".hidden.yaml", "notes.txt", "yaml", "d.YAML", "e.yaml.bak"} {
		write(t, filepath.Join(dir, name), "# "+name)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "# linked")
	do(t, os.Mkdir(filepath.Join(dir, "f.yaml"), 0o755), os.Symlink(outside, filepath.Join(dir, "g.yaml")))
	write(t, filepath.Join(dir, "f.yaml", "below.yaml"), "# below")

	c, err := policydir.Read(dir+"/", nil)
	do(t, err)
	var got []string
	for _, f := range c.Files {
		got = append(got, strings.TrimPrefix(f.Name, dir)+" "+string(f.Data))
	}
	want := "/a.yml # a.yml|/b.yaml # b.yaml|/c.json # c.json|/g.yaml # linked"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
}

func TestReadFileAndStdin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policies") // a file that is named needs no ending
	write(t, path, "{}")
	c, err := policydir.Read(path, nil)
	if err != nil || len(c.Files) != 1 || c.Files[0].Name != path || string(c.Files[0].Data) != "{}" {
		t.Errorf("%v, %v", c, err)
	}
	s, err := policydir.Read("-", strings.NewReader("{}"))
	if err != nil || s.Files[0].Name != "-" || string(s.Files[0].Data) != "{}" || s.Hash == c.Hash {
		t.Errorf("%v, %v", s, err)
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	do(t,
		os.Mkdir(at("empty"), 0o755), os.Symlink("loop", at("loop")),
		os.Mkdir(at("broken"), 0o755), os.Symlink("nowhere", at("broken/a.yaml")),
		os.Mkdir(at("pipe"), 0o755), syscall.Mkfifo(at("pipe/a.yaml"), 0o644),
		syscall.Mkfifo(at("fifo"), 0o644),
		os.Mkdir(at("locked"), 0o755))
	write(t, at("file"), "{}")
	write(t, at("locked/a.yaml"), "{}")
	do(t, os.Chmod(at("locked/a.yaml"), 0))
	for _, c := range []struct{ path, want string }{
		{"", "no path of a policy file or directory is given"},
		{at("none.yaml"), at("none.yaml") + " does not exist"},
		{at("empty"), at("empty") + " is a directory without policy files (*.yaml, *.yml or *.json)"},
		{at("loop"), at("loop") + " is a symbolic link that leads back to itself"},
		{at("broken"), at("broken/a.yaml") + " does not exist"},
		{at("pipe"), at("pipe/a.yaml") + " is not a regular file"},
		{at("fifo"), at("fifo") + " is a pipe that nothing was written to"},
		{os.DevNull, os.DevNull + " is neither a regular file nor a pipe"},
		{at("file/x"), at("file/x") + " does not exist: what stands before its last slash is no directory"},
		{at("locked"), at("locked/a.yaml") + " may not be read: permission denied"},
		{"-", "standard input cannot be read: broken pipe"},
	} {
		if c.path == at("locked") && os.Geteuid() == 0 {
			continue // root may read everything
		}
		_, err := policydir.Read(c.path, brokenReader{})
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.path, err, c.want)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, syscall.EPIPE }

// endless never ends, and counts what was read of it.
type endless struct{ n int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	e.n += len(b)
	return len(b), nil
}

// TestTooLarge: of what never ends only as much is read as shows that it is too large.
func TestTooLarge(t *testing.T) {
	var e endless
	c, err := policydir.Read("-", &e)
	do(t, err)
	if e.n > policyfile.MaxFileBytes+1 {
		t.Errorf("%d bytes were read", e.n)
	}
	if got := text(t, c.Compile()); got != "-:1:1: the file is larger than 64 MiB\n" {
		t.Error(got)
	}
}

// TestHash: the hash tells contents and names apart, and does not depend on where the files are.
func TestHash(t *testing.T) {
	seen := map[string]string{}
	for _, c := range [][]string{
		{"a.yaml", "x"}, {"b.yaml", "x"}, {"a.yaml", "y"}, {"a.yaml", "x", "b.yaml", ""}, {"a.yaml", "", "b.yaml", "x"},
		{"a.yaml", "xb.yaml"},
	} {
		var hashes [2]string
		for i := range hashes {
			dir := t.TempDir()
			for j := 0; j < len(c); j += 2 {
				write(t, filepath.Join(dir, c[j]), c[j+1])
			}
			content, err := policydir.Read(dir, nil)
			do(t, err)
			hashes[i] = content.Hash
		}
		key := strings.Join(c, "|")
		if hashes[0] != hashes[1] || len(hashes[0]) != 64 || seen[hashes[0]] != "" {
			t.Errorf("%s: %v, also of %s", key, hashes, seen[hashes[0]])
		}
		seen[hashes[0]] = key
	}
}
