package policydir_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
)

func TestRewrite(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "link.yaml")
	if err := os.WriteFile(name, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o646); err != nil { // which no umask gives by itself
		t.Fatal(err)
	}
	if err := os.Symlink("real.yaml", link); err != nil {
		t.Fatal(err)
	}
	if err := policydir.Rewrite(policyfile.File{Name: link, Data: []byte("old")}, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(name)
	if err != nil || info.Mode() != 0o646 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if target, err := os.Readlink(link); err != nil || target != "real.yaml" {
		t.Errorf("the link: %q, %v", target, err)
	}
	if data, err := os.ReadFile(name); err != nil || string(data) != "new" {
		t.Errorf("%q, %v", data, err)
	}
	if err := policydir.Rewrite(policyfile.File{Name: name, Data: []byte("old")}, []byte("newer")); err == nil {
		t.Error("a file that was changed meanwhile is written over")
	}
	if err := policydir.Rewrite(policyfile.File{Name: filepath.Join(dir, "gone.yaml")}, nil); err == nil {
		t.Error("a file that is gone is written")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("something is left behind: %v, %v", entries, err)
	}
}
