package policydir

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// bounds are folders, as they are called without symbolic links. What lies in them or below them may be quoted.
//
// A link that stands in the directory of the policies is the word of whoever can write there, which may be many teams: it
// must not make the process, which may read more than they, show what they may not read. The links inside that the mount
// of a Kubernetes ConfigMap has lead to what lies below the same directory. The path itself is the word of whoever starts
// the process: if it is a link, then what it leads to is the directory of the policies, or the file that is meant.
type bounds []string

func boundsOf(folders ...string) (all bounds) {
	for _, folder := range folders {
		if real, err := realPath(folder); err == nil {
			all = append(all, real)
		}
	}
	return all
}

// exclude reports whether the file that was opened by a name lies outside. One of which that cannot be told does.
func (b bounds) exclude(name string, opened fs.FileInfo) bool {
	real, err := realPath(name)
	if err != nil {
		return true
	}
	// The name may lead elsewhere now.
	if info, err := os.Lstat(real); err != nil || !os.SameFile(info, opened) {
		return true
	}
	return !slices.ContainsFunc(b, func(folder string) bool {
		within, err := filepath.Rel(folder, real)
		return err == nil && filepath.IsLocal(within)
	})
}

func realPath(name string) (string, error) {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}
