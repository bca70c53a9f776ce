package policydir

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/corsproc/corsproc/internal/disk"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// Rewrite replaces a file that was read as old by the same file with other data, in one step: whoever reads it meanwhile
// finds the one or the other. The file keeps its permissions, and a symbolic link to it stays one. A file that was changed
// since it was read is left alone, which is an error.
func Rewrite(old policyfile.File, data []byte) error {
	if old.Outside {
		return fmt.Errorf("%s is left alone, because a link leads out of the directory of the policies to it", old.Name)
	}
	name, err := filepath.EvalSymlinks(old.Name)
	if err != nil {
		return unwritable(old.Name, err)
	}
	info, err := os.Stat(name)
	if err != nil {
		return unwritable(old.Name, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".corsproc-*") // no policy file to anybody: it begins with a dot
	if err != nil {
		return unwritable(old.Name, err)
	}
	defer os.Remove(temp.Name()) // it is gone already if all went well
	_, err = temp.Write(data)
	if e := temp.Chmod(info.Mode().Perm()); err == nil {
		err = e
	}
	if e := temp.Sync(); err == nil {
		err = e
	}
	if e := temp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return unwritable(old.Name, err)
	}
	if now, err := disk.ReadFile(new(disk.Task), name, policyfile.MaxFileBytes); err != nil || !bytes.Equal(now, old.Data) {
		return fmt.Errorf("%s was changed while it was looked at, and is left alone", old.Name)
	}
	if err := os.Rename(temp.Name(), name); err != nil {
		return unwritable(old.Name, err)
	}
	return nil
}

func unwritable(name string, err error) error {
	return fmt.Errorf("%s cannot be corrected: %w", name, err)
}
