package policydir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// secret stands in what none of the policies' files may be quoted of.
const secret = "hunter2"

// said returns all that is said of a content.
func said(t *testing.T, c *policyfile.Content) string { return text(t, c.Compile()) }

// TestOutside: what a link in the directory leads to outside of it is known, so that nothing is quoted of it, and nothing
// is written there.
func TestOutside(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	write(t, outside, secret+"\n")
	dir := t.TempDir()
	do(t, os.Symlink(outside, filepath.Join(dir, "link.yaml")))
	write(t, filepath.Join(dir, "shop.yaml"), "policies: {shop: {max_age: 5}}\n")
	c, err := policydir.Read(dir, nil)
	do(t, err)
	if got := said(t, c); strings.Contains(got, secret) || !strings.Contains(got, "link.yaml") || !strings.Contains(got, "5s") {
		t.Error(got)
	}
	if err := policydir.Rewrite(c.Files[0], nil); err == nil {
		t.Error("the file outside is written to")
	}
	// Under its own name all of it is told.
	c, err = policydir.Read(outside, nil)
	do(t, err)
	if got := said(t, c); !strings.Contains(got, secret) {
		t.Errorf("under its own name: %s", got)
	}
}

// TestInside: what lies in the directory is quoted, by whatever links it is reached.
func TestInside(t *testing.T) {
	const text = "policies: {shop: {allow_origins: [https://Shop.example]}}\n"
	layouts := map[string]func(dir string) string{ // returns the path of the policies
		"a file": func(dir string) string {
			write(t, filepath.Join(dir, "a.yaml"), text)
			return dir
		},
		"the mount of a ConfigMap": func(dir string) string {
			do(t, os.Mkdir(filepath.Join(dir, "..2026_11_23"), 0o755), os.Symlink("..2026_11_23", filepath.Join(dir, "..data")),
				os.Symlink("..data/a.yaml", filepath.Join(dir, "a.yaml")))
			write(t, filepath.Join(dir, "..data", "a.yaml"), text)
			return dir
		},
		"a directory by a link": func(dir string) string {
			do(t, os.Mkdir(filepath.Join(dir, "release"), 0o755), os.Symlink("release", filepath.Join(dir, "current")))
			write(t, filepath.Join(dir, "release", "a.yaml"), text)
			return filepath.Join(dir, "current")
		},
		"a file by a link to elsewhere": func(dir string) string {
			elsewhere := filepath.Join(t.TempDir(), "a.yaml")
			write(t, elsewhere, text)
			do(t, os.Symlink(elsewhere, filepath.Join(dir, "a.yaml")))
			return filepath.Join(dir, "a.yaml")
		},
		"a hard link": func(dir string) string {
			elsewhere := filepath.Join(dir, "a.txt")
			write(t, elsewhere, text)
			do(t, os.Link(elsewhere, filepath.Join(dir, "a.yaml")))
			return dir
		},
	}
	for name, layout := range layouts {
		path := layout(t.TempDir())
		t.Chdir(filepath.Dir(path))
		for _, p := range []string{path, filepath.Base(path)} {
			c, err := policydir.Read(p, nil)
			do(t, err)
			if got := said(t, c); !strings.Contains(got, "https://Shop.example") || !strings.Contains(got, "write https://shop.example") {
				t.Errorf("%s, as %s: %s", name, p, got)
			}
		}
	}
}

// TestReadNamed: of what a file names, that is quoted which lies in the folders or below them.
func TestReadNamed(t *testing.T) {
	root := t.TempDir()
	folder := filepath.Join(root, "folder")
	do(t, os.MkdirAll(filepath.Join(folder, "below"), 0o755), os.Mkdir(filepath.Join(root, "folder2"), 0o755))
	for _, dir := range []string{folder, filepath.Join(folder, "below"), root, filepath.Join(root, "folder2")} {
		write(t, filepath.Join(dir, "a.yaml"), secret+"\n")
	}
	do(t, os.Symlink("../a.yaml", filepath.Join(folder, "link")), os.Symlink("below", filepath.Join(folder, "linked")), os.Symlink("..", filepath.Join(folder, "up")))
	for path, quoted := range map[string]bool{
		"a.yaml": true, "below/a.yaml": true, "below": true, ".": true, "linked": true, "linked/a.yaml": true,
		"../a.yaml": false, "..": false, "link": false, "up": false, "up/a.yaml": false, "../folder2": false, "up/folder/a.yaml": true,
	} {
		c, err := policydir.ReadNamed(filepath.Join(folder, path), folder, filepath.Join(root, "none"))
		do(t, err)
		if got := said(t, c); strings.Contains(got, secret) != quoted {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// TestDirectoryLimits: a directory as a whole has limits, and what is too much is not read.
func TestDirectoryLimits(t *testing.T) {
	sparse := func(dir string, n int, size int64) {
		for i := range n {
			f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%05d.yaml", i)))
			do(t, err)
			do(t, f.Truncate(size), f.Close())
		}
	}
	for _, c := range []struct {
		what  string
		fill  func(dir string)
		files int // that are read
		want  string
	}{
		{"bytes", func(dir string) { sparse(dir, 40, policyfile.MaxFileBytes) }, 3, "00002.yaml:1:1: the policy files of the directory are larger than 128 MiB together\n"},
		{"files", func(dir string) { sparse(dir, policydir.MaxDirectoryFiles+5, 0) }, policydir.MaxDirectoryFiles + 1, "10000.yaml:1:1: the directory has more than 10000 policy files\n"},
		{"entries", func(dir string) {
			for _, name := range []string{"a", "b", "c"} {
				write(t, filepath.Join(dir, name+".yaml"), "["+strings.Repeat("1,", 1_900_000)+"1]")
			}
		}, 3, "c.yaml:1:1: the policy files of the directory have more than 4000000 entries together\n"},
	} {
		dir := t.TempDir()
		c.fill(dir)
		content, err := policydir.Read(dir, nil)
		do(t, err)
		total := 0
		for _, f := range content.Files {
			total += len(f.Data)
		}
		if len(content.Files) != c.files || total > policydir.MaxDirectoryBytes+1 {
			t.Errorf("%s: %d files of %d bytes are read", c.what, len(content.Files), total)
		}
		r := content.Compile()
		if got := text(t, r); r.Set != nil || len(r.Findings) != 1 || r.Findings[0].Code != policyfile.CodeDirectoryTooLarge || got != filepath.Join(dir, c.want) {
			t.Errorf("%s: %s", c.what, got)
		}
		if again, err := policydir.Read(dir, nil); err != nil || again.Hash != content.Hash {
			t.Errorf("%s: another hash, %v", c.what, err)
		}
	}
}

// raced says that the race detector runs, under which everything takes many times as long.
var raced bool

// TestLargeDirectory: a directory well within the limits loads.
func TestLargeDirectory(t *testing.T) {
	dir, n := t.TempDir(), 1000
	if raced {
		n = 50
	}
	for i := range n {
		var b strings.Builder
		b.WriteString("policies:\n")
		for j := range 100 {
			fmt.Fprintf(&b, "  p%d-%d:\n    allow_origins:\n", i, j)
			for k := range 10 {
				fmt.Fprintf(&b, "    - https://origin-%d.host-%d-%d.example\n", k, i, j)
			}
		}
		b.WriteString("virtual_hosts:\n")
		for j := range 100 {
			fmt.Fprintf(&b, "- {name: v%d-%d, policies: [p%d-%d]}\n", i, j, i, j)
		}
		write(t, filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), b.String())
	}
	c, err := policydir.Read(dir, nil)
	do(t, err)
	total := 0
	for _, f := range c.Files {
		total += len(f.Data)
	}
	if r := c.Compile(); r.Set == nil || total < n*40<<10 {
		t.Errorf("%d bytes: %v", total, r.Findings[:min(len(r.Findings), 3)])
	}
}
