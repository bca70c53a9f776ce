package policydir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/corsproc/corsproc/internal/disk"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// Limits of what is read of a directory; those of a file are [policyfile.MaxFileBytes]. Of whatever is larger only the
// first byte too many is read, and a finding says so.
const (
	// MaxDirectoryBytes is how much the policy files of a directory may hold together, 128 MiB. A million origins of a
	// hundred thousand virtual hosts take 41 MiB.
	MaxDirectoryBytes = 128 << 20
	// MaxDirectoryFiles is how many policy files a directory may hold.
	MaxDirectoryFiles = 10_000
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// Read reads the policy files that path names: a file, a directory, or "-" for stdin. In a directory that is every
// *.yaml, *.yml and *.json that does not start with a dot, each read once; directories below it are not looked at, and
// symbolic links are followed, as the mounts of Kubernetes ConfigMaps need. A path may also be a pipe that somebody
// writes to, as <(command) of a shell is. Only what cannot be read at all is an error, in one sentence for people; what
// is wrong with the content is for [policyfile.Content.Compile] to say.
//
// A disk that does not answer is waited for no longer than five seconds, and no longer than a minute altogether; pipes
// and standard input are waited for until they end.
func Read(path string, stdin io.Reader) (*policyfile.Content, error) {
	return new(reader).read(path, stdin, regularOrPipe)
}

// ReadNamed reads what a file names, not who calls the program: the policies that a test file names. Of what lies
// neither in one of the folders nor below it nothing is quoted.
func ReadNamed(path string, folders ...string) (*policyfile.Content, error) {
	return (&reader{folders: folders}).read(path, nil, regularOrPipe)
}

// A reader reads a path, if need be again and again.
type reader struct {
	task    disk.Task
	folders []string // what is quoted lies in them; none: in what the path names
	named   originPaths
}

// found is what a path leads to.
type found struct {
	files    []policyfile.File
	origins  []policyfile.OriginFile
	seen     []dirEntry // the files of origins before they were read
	tooLarge string
	pipe     *os.File // instead of files
}

// read reads a path, which may be a file of a kind if it is no directory.
func (r *reader) read(path string, stdin io.Reader, kind fileKind) (*policyfile.Content, error) {
	if path == "" {
		return nil, errors.New("no path of a policy file or directory is given")
	}
	if path == Stdin {
		data, err := readLimited(stdin)
		if err != nil {
			return nil, fmt.Errorf("standard input cannot be read: %w", err)
		}
		f := found{files: []policyfile.File{{Name: Stdin, Data: data}}}
		return r.content(f)
	}
	f, err := disk.Do(&r.task, func(run *disk.Run) (found, error) { return r.find(run, path, kind) })
	if err != nil {
		return nil, err
	}
	if f.pipe != nil {
		file, err := readPipe(path, f.pipe, len(r.folders) > 0)
		if err != nil {
			return nil, err
		}
		return r.content(found{files: []policyfile.File{file}})
	}
	return policyfile.NewContent(f.files, f.origins, f.tooLarge), nil
}

// content returns the content of what was read from a pipe or standard input.
func (r *reader) content(f found) (*policyfile.Content, error) {
	f, err := disk.Do(&r.task, func(run *disk.Run) (found, error) { return f, r.readOrigins(run, &f, filepath.Dir(f.files[0].Name)) })
	if err != nil {
		return nil, err
	}
	return policyfile.NewContent(f.files, f.origins, f.tooLarge), nil
}

// find returns the files that a path leads to, or the pipe.
func (r *reader) find(run *disk.Run, path string, kind fileKind) (found, error) {
	if err := run.At(path); err != nil {
		return found{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return found{}, unreadable(path, err)
	}
	if info.IsDir() {
		return atRest(run, path, r.readDirectory)
	}
	f, info, err := run.Open(path)
	switch {
	case errors.Is(err, disk.ErrNotRegular) && kind == regularOrPipe:
		return found{}, fmt.Errorf("%s is neither a regular file nor a pipe", path)
	case err != nil:
		return found{}, unreadable(path, err)
	case info.Mode()&fs.ModeNamedPipe == 0:
		f.Close()
		return r.readFile(run, path)
	case kind == regularOrPipe:
		return found{pipe: f}, nil
	}
	f.Close()
	return found{}, unreadable(path, disk.ErrNotRegular)
}

// readFile reads a regular file with the files of origins that it names, and once more if one of them was replaced meanwhile.
func (r *reader) readFile(run *disk.Run, path string) (all found, err error) {
	for range 3 {
		data, info, err := readRegular(run, path, policyfile.MaxFileBytes)
		if err != nil {
			return found{}, unreadable(path, err)
		}
		outside := len(r.folders) > 0 && boundsOf(r.folders...).exclude(path, info)
		all = found{files: []policyfile.File{{Name: path, Data: data, Outside: outside}}}
		if err := r.readOrigins(run, &all, filepath.Dir(path)); err != nil {
			return found{}, err
		}
		if len(all.origins) == 0 || isSame(run, append(all.seen, dirEntry{path, info})) {
			break
		}
	}
	return all, nil
}

// A fileKind says what a path may lead to.
type fileKind int

const (
	regular       fileKind = iota // what is there can be read again, and at once
	regularOrPipe                 // what is read only once may also come from a pipe
)

func readPipe(name string, pipe *os.File, outside bool) (policyfile.File, error) {
	defer pipe.Close()
	data, err := readLimited(pipe)
	if err != nil {
		return policyfile.File{}, unreadable(name, err)
	}
	if len(data) == 0 {
		return policyfile.File{}, fmt.Errorf("%s is a pipe that nothing was written to", name)
	}
	return policyfile.File{Name: name, Data: data, Outside: outside}, nil
}

func readLimited(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, policyfile.MaxFileBytes+1))
}

// unreadable says in one sentence why a path cannot be read.
func unreadable(path string, err error) error {
	if silent := (*disk.SilentError)(nil); errors.As(err, &silent) {
		return err // it says what
	}
	return fmt.Errorf("%s %w", path, whyUnread(err))
}

// whyUnread says why a file cannot be read, in a sentence that begins with the file.
func whyUnread(err error) error {
	switch {
	case errors.Is(err, disk.ErrNotRegular):
		return errors.New("is not a regular file")
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("does not exist")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("may not be read: permission denied")
	case errors.Is(err, syscall.ELOOP):
		return errors.New("is a symbolic link that leads back to itself")
	case errors.Is(err, syscall.ENOTDIR):
		return errors.New("does not exist: what stands before its last slash is no directory")
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err // the path is said already
	}
	return fmt.Errorf("cannot be read: %w", err)
}
