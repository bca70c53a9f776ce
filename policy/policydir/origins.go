package policydir

// Tested by origins_test.go.

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/corsproc/corsproc/internal/disk"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// Files of origins lie where a policy file says, so that it has to be parsed before they are read. A policy file that names
// some and did not change is not parsed again.

// originPaths are the paths that policy files name, by the hash of the file.
type originPaths map[[sha256.Size]byte][]string

// outsideFault says why a link is not followed: it is the word of whoever can write below the directory, who must not have the
// process show or use what only the process may read.
const outsideFault = "a link leads out of the directory of the policy files to this file, and is not followed"

// readOrigins adds the files of origins that the files of f name. They lie below a directory, links followed. What is wrong with
// one is for whoever compiles the content to say; it is an error only that a disk does not answer.
func (r *reader) readOrigins(run *disk.Run, f *found, dir string) error {
	names := r.originNames(f.files)
	if len(names) == 0 {
		return nil
	}
	room := int64(MaxDirectoryBytes)
	for _, file := range f.files {
		room -= int64(len(file.Data))
	}
	inside, quoted := boundsOf(dir), boundsOf(r.folders...)
	for i, name := range names {
		file := policyfile.OriginFile{File: policyfile.File{Name: name}}
		if i >= MaxDirectoryFiles {
			file.Fault = fmt.Sprintf("more than %d files of origins are named", MaxDirectoryFiles)
			f.origins = append(f.origins, file)
			break
		}
		if err := run.At(name); err != nil {
			return err
		}
		before, _ := os.Stat(name)
		f.seen = append(f.seen, dirEntry{name, before})
		data, fault, err := readOrigin(run, name, inside, min(policyfile.MaxFileBytes, max(room, 0)))
		switch room -= int64(len(data)); {
		case err != nil:
			return err
		case fault != "":
			file.Fault = fault
		case room < 0:
			file.Fault = fmt.Sprintf("the policy files and their files of origins are larger than %d MiB together", MaxDirectoryBytes>>20)
		default:
			file.Data = data
			file.Outside = len(r.folders) > 0 && quoted.exclude(name, before)
		}
		f.origins = append(f.origins, file)
	}
	return nil
}

// readOrigin reads a file of origins, or says why that cannot be done or must not be.
func readOrigin(run *disk.Run, name string, inside bounds, limit int64) (data []byte, fault string, err error) {
	f, info, err := run.Open(name)
	if err == nil {
		defer f.Close()
		switch {
		case inside.exclude(name, info):
			return nil, outsideFault, nil
		case !info.Mode().IsRegular():
			err = disk.ErrNotRegular
		default:
			data, err = run.Read(f, info, limit)
		}
	}
	if silent := (*disk.SilentError)(nil); errors.As(err, &silent) {
		return nil, "", err
	}
	if err != nil {
		return nil, "this file " + whyUnread(err).Error(), nil // its name is what the policy file says
	}
	return data, "", nil
}

// originNames returns the names of the files of origins that policy files name, sorted and each once.
func (r *reader) originNames(files []policyfile.File) (names []string) {
	known := r.named
	r.named = originPaths{}
	for _, file := range files {
		if !bytes.Contains(file.Data, []byte("origin_f")) {
			continue
		}
		hash := sha256.Sum256(file.Data)
		paths, ok := known[hash]
		if !ok {
			paths = policyfile.OriginPaths(file)
		}
		r.named[hash] = paths
		for _, path := range paths {
			if name, fault := policyfile.OriginName(file.Name, path); fault == "" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// isSame reports whether files are as they were.
func isSame(run *disk.Run, seen []dirEntry) bool {
	for _, was := range seen {
		if run.At(was.name) != nil {
			return true // the disk does not answer; the next load says so
		}
		now, err := os.Stat(was.name)
		if (err != nil) != (was.info == nil) || err == nil && !sameState(was, dirEntry{was.name, now}) {
			return false
		}
	}
	return true
}
