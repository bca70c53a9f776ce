package policyfile

// Tested by compile_test.go and policy/policydir/read_test.go.

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"path/filepath"
)

// MaxFileBytes is the size of the largest policy file, 64 MiB: more than a million origins.
const MaxFileBytes = 64 << 20

// A File is one policy file as it was read.
type File struct {
	Name string // as findings call it: the path as given, joined with the file's name in a directory
	Data []byte // at most MaxFileBytes and one byte, by which a file that is too large is known
	// Outside says that a link leads out of the directory of the policies to the file: nothing that is said of it quotes
	// it, and no correction is written to it.
	Outside bool
}

// Content is what a path held at one time.
type Content struct {
	Files   []File       // sorted by name
	Origins []OriginFile // that the files name, sorted by name
	Hash    string       // SHA-256 over the files' base names and contents, in hexadecimal
	// TooLarge says why the files of a directory are too many or too large; the last of Files is then the first that is
	// too much, and those behind it were not read. Empty: they are not.
	TooLarge string
}

// NewContent returns the content of files and of the files of origins that they name, both sorted by name, with its hash.
// tooLarge is as in [Content].
func NewContent(files []File, origins []OriginFile, tooLarge string) *Content {
	h := sha256.New()
	part := func(b []byte) {
		// The length goes first, so that no two different contents are hashed as the same bytes.
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, f := range files {
		part([]byte(filepath.Base(f.Name)))
		part(f.Data)
		if f.Outside {
			part(nil) // what is said of it is another
		}
	}
	for _, f := range origins {
		part([]byte(filepath.Base(f.Name)))
		part(f.Data)
		part([]byte(f.Fault))
		if f.Outside {
			part(nil)
		}
	}
	if tooLarge != "" {
		part([]byte(tooLarge))
	}
	return &Content{Files: files, Origins: origins, Hash: hex.EncodeToString(h.Sum(nil)), TooLarge: tooLarge}
}

// Large reports whether it takes so long to compile the content (tens of milliseconds) that others have to be thought of.
func (c *Content) Large() bool { return c.bytes() >= largeContent }

// largeContent is how many bytes of policy files take that long.
const largeContent = 1 << 20

func (c *Content) bytes() (n int) {
	for _, f := range c.Files {
		n += len(f.Data)
	}
	for _, f := range c.Origins {
		n += len(f.Data)
	}
	return n
}
