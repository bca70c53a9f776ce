package policydir

import (
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// An Attempt is one load of a path.
type Attempt struct {
	Time      time.Time
	Result    *policyfile.Result // nil if Err is not; its Set is nil if the content is bad
	Err       error              // the path could not be read at all
	Unchanged bool               // the path held what the attempt before found; Result and Err are that one's
}

// Good reports whether the attempt found a set that can be used.
func (a *Attempt) Good() bool { return a.Err == nil && a.Result.Set != nil }

// A Loader loads a path again and again. One goroutine at a time loads.
type Loader struct {
	path  string
	disk  reader
	aside func(work func())
	last  *Attempt                          // nil before the first
	read  atomic.Pointer[policyfile.Result] // of the latest content that could be read; nil: there was none
}

// NewLoader returns a loader of a path as [Read] takes it, but for pipes, which cannot be read again. aside is called with
// the part of a load that takes seconds for a very large set; it does it and returns. nil: it is done like everything else.
func NewLoader(path string, aside func(work func())) *Loader {
	return &Loader{path: path, aside: aside}
}

// Load reads the path. The hash of the content decides whether anything happened: if it is that of the last attempt
// (or, of an unreadable path, if the error is), the attempt is Unchanged. Otherwise the content is compiled. Content that
// returns to the set in force after a bad attempt is a change, and succeeds. Standard input can be read only once; every
// later load of it is Unchanged.
func (l *Loader) Load() Attempt {
	now := time.Now()
	if l.path == Stdin && l.last != nil {
		return l.unchanged(now)
	}
	content, err := l.disk.read(l.path, os.Stdin, regular)
	if l.last != nil && l.last.found(content, err) {
		return l.unchanged(now)
	}
	a := Attempt{Time: now, Err: err}
	if err == nil {
		compile := func() { a.Result = content.Compile() }
		if l.aside == nil || !content.Large() {
			compile()
		} else {
			l.aside(compile)
		}
		l.read.Store(a.Result)
	}
	l.last = &a
	return a
}

// Origins returns the names of the files of origins that the policy files named when they could last be read, which [Watch] is
// to be told. Any goroutine may call it.
func (l *Loader) Origins() []string {
	if result := l.read.Load(); result != nil {
		return slices.Collect(result.Origins())
	}
	return nil
}

// found reports whether the attempt found this.
func (a *Attempt) found(content *policyfile.Content, err error) bool {
	if a.Err != nil || err != nil {
		return a.Err != nil && err != nil && a.Err.Error() == err.Error()
	}
	return a.Result.Hash == content.Hash
}

func (l *Loader) unchanged(now time.Time) Attempt {
	a := *l.last
	a.Time, a.Unchanged = now, true
	return a
}
