package policyfile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// MaxFileBytes is the size of the largest policy file, 64 MiB: more than a million origins. Of a larger file only the
// first byte too many is read.
const MaxFileBytes = 64 << 20

// Stdin is the path that stands for standard input.
const Stdin = "-"

// A File is one policy file as it was read.
type File struct {
	Name string // as findings call it: the path as given, joined with the file's name in a directory
	Data []byte // at most MaxFileBytes and one byte, by which a file that is too large is known
}

// Content is what a path held at one time.
type Content struct {
	Files []File // sorted by name
	Hash  string // SHA-256 over the files' base names and contents, in hexadecimal
}

// Read reads the policy files that path names: a file, a directory, or "-" for stdin. In a directory that is every
// *.yaml, *.yml and *.json that does not start with a dot, each read once; directories below it are not looked at, and
// symbolic links are followed, as the mounts of Kubernetes ConfigMaps need. A path may also be a pipe that somebody
// writes to, as <(command) of a shell is. Only what cannot be read at all is an error, in one sentence for people; what
// is wrong with the content is for [Content.Compile] to say.
func Read(path string, stdin io.Reader) (*Content, error) {
	return read(path, stdin, regularOrPipe)
}

// read is Read, with the kind of file that the path may be if it is no directory.
func read(path string, stdin io.Reader, kind fileKind) (*Content, error) {
	if path == "" {
		return nil, errors.New("no path of a policy file or directory is given")
	}
	if path == Stdin {
		data, err := readLimited(stdin)
		if err != nil {
			return nil, fmt.Errorf("standard input cannot be read: %w", err)
		}
		return newContent([]File{{Name: Stdin, Data: data}}), nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.IsDir() {
		f, err := readFile(path, kind)
		if err != nil {
			return nil, err
		}
		return newContent([]File{f}), nil
	}
	files, err := atRest(path, readDirectory)
	if err != nil {
		return nil, err
	}
	return newContent(files), nil
}

// atRest reads a directory again if a file in it was replaced meanwhile, as all are when a ConfigMap's link is swapped:
// old and new files together would be a set that nobody wrote. A directory that never rests is taken as it is; what
// changed last is seen by the next load.
func atRest(dir string, read func(dir string) ([]File, error)) (files []File, err error) {
	for range 3 {
		before, err := statDirectory(dir)
		if err != nil {
			return nil, err
		}
		if files, err = read(dir); err != nil {
			return nil, err
		}
		if after, err := statDirectory(dir); err == nil && slices.EqualFunc(before, after, sameState) {
			break
		}
	}
	return files, nil
}

// statDirectory returns the states of the policy files in a directory.
func statDirectory(dir string) ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	var infos []fs.FileInfo
	for _, e := range entries {
		if !isPolicyFileName(e.Name()) {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, unreadable(filepath.Join(dir, e.Name()), err)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func sameState(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Name() == b.Name() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func readDirectory(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, unreadable(dir, err)
	}
	var files []File
	for _, e := range entries {
		if !isPolicyFileName(e.Name()) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, unreadable(name, err)
		case info.IsDir():
			continue
		}
		f, err := readFile(name, regular)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s is a directory without policy files (*.yaml, *.yml or *.json)", dir)
	}
	return files, nil
}

func isPolicyFileName(name string) bool {
	if strings.HasPrefix(name, ".") {
		return false
	}
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// A fileKind says what a path may lead to.
type fileKind int

const (
	regular       fileKind = iota // what is there can be read again, and at once
	regularOrPipe                 // what is read only once may also come from a pipe
)

// readFile reads a file of a kind. It opens without waiting, because a pipe may never get a writer, and asks what it has
// opened for its kind, because a name may lead elsewhere the next moment.
func readFile(name string, kind fileKind) (File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return File{}, unreadable(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, unreadable(name, err)
	}
	pipe := info.Mode()&fs.ModeNamedPipe != 0
	switch {
	case info.Mode().IsRegular(), pipe && kind == regularOrPipe:
	case kind == regularOrPipe:
		return File{}, fmt.Errorf("%s is neither a regular file nor a pipe", name)
	default:
		return File{}, fmt.Errorf("%s is not a regular file", name)
	}
	data, err := readLimited(f)
	if err != nil {
		return File{}, unreadable(name, err)
	}
	if pipe && len(data) == 0 {
		return File{}, fmt.Errorf("%s is a pipe that nothing was written to", name)
	}
	return File{Name: name, Data: data}, nil
}

func readLimited(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, MaxFileBytes+1))
}

// unreadable says in one sentence why a path cannot be read.
func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not be read: permission denied", path)
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%s is a symbolic link that leads back to itself", path)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s does not exist: what stands before its last slash is no directory", path)
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err // the path is said already
	}
	return fmt.Errorf("%s cannot be read: %w", path, err)
}

func newContent(files []File) *Content {
	h := sha256.New()
	part := func(b []byte) {
		// The length goes first, so that no two different contents are hashed as the same bytes.
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, f := range files {
		part([]byte(filepath.Base(f.Name)))
		part(f.Data)
	}
	return &Content{Files: files, Hash: hex.EncodeToString(h.Sum(nil))}
}
