//go:build cgo

package main

// Tested by cases_test.go, random_test.go, limits_test.go and kept_test.go.

// #include "module.h"
import "C"

import (
	"encoding/binary"
	"runtime"
	"sync"
	"unsafe"

	"github.com/corsproc/corsproc/policy"
)

// corsprocDecide decides about a request of which the worker keeps no decision. It returns an answer in C memory, which
// nobody uses yet. A panic of ours ends here: the request goes on, and every CORS header is taken off its answer. Where beat is
// set, the scheduler is to see the worker.
//
//export corsprocDecide
func corsprocDecide(source C.uint32_t, facts *C.struct_facts, prefix, size C.size_t, beat C.bool) (answer *C.struct_answer) {
	defer func() {
		if r := recover(); r != nil {
			panicked(r)
			answer = nil
		}
	}()
	if beat {
		runtime.Gosched()
	}
	now := sources.at(uint32(source)).current.Load()
	w := desks.Get().(*desk)
	defer w.clear()
	r := &w.request
	readFacts(r, facts, int(prefix), int(size), w.names[:0])
	d := now.result.Set.Decide(r)
	if d.Verdict == policy.Refused || d.Verdict == policy.Rejected {
		now.source.refusals.Refused(now.result.Set, r, &d)
	}
	a := newAnswer(&d, now.number, w.digits[:0])
	if a != nil {
		scope(a, now.result.Set, r)
	}
	return a
}

// scope says which other paths an answer is good for.
func scope(a *C.struct_answer, set *policy.Set, r *policy.Request) {
	switch n, ok := set.PathScope(r); {
	case !ok:
		a.path = C.PATH_WHOLE
	case n > 0:
		a.path, a.scope = C.PATH_SCOPE, C.uint32_t(n)
	default:
		a.path = C.PATH_ANY
	}
}

// A desk is the memory that one decision needs in Go.
type desk struct {
	request policy.Request
	names   [8]string // room for the lines of Access-Control-Request-Headers
	digits  [40]byte
}

// desks holds those that nobody uses, so that a decision allocates nothing.
var desks = sync.Pool{New: func() any { return new(desk) }}

// clear gives a desk back, without what it had of C's memory.
func (w *desk) clear() {
	*w = desk{}
	desks.Put(w)
}

// readFacts makes a request of the facts that C gathered. Its texts stay where they are, in C memory, and are good for this
// call only.
func readFacts(r *policy.Request, f *C.struct_facts, prefix, size int, names []string) {
	text := unsafe.Slice((*byte)(unsafe.Pointer(f)), size)
	at := int(C.sizeof_struct_facts)
	next := func(n int) string {
		if n == 0 {
			return ""
		}
		s := unsafe.String(&text[at], n)
		at += n
		return s
	}
	fact := func(i int) string { return next(int(f.length[i])) }
	field := func(i int) policy.Field { return policy.Field{Value: fact(i), Lines: int(f.lines[i])} }

	r.Answered = f.answered != 0
	r.VirtualHost = fact(C.FACT_VIRTUAL_HOST)
	r.Route = fact(C.FACT_ROUTE)
	r.Method = fact(C.FACT_METHOD)
	r.Scheme = fact(C.FACT_SCHEME)
	r.Authority = fact(C.FACT_AUTHORITY)
	r.Protocol = fact(C.FACT_PROTOCOL)
	r.Origin = field(C.FACT_ORIGIN)
	r.RequestMethod = field(C.FACT_REQUEST_METHOD)
	r.RequestPrivateNetwork = fact(C.FACT_PRIVATE_NETWORK)
	r.Upgrade = fact(C.FACT_UPGRADE)
	r.FetchSite = field(C.FACT_FETCH_SITE)
	r.Named = field(C.FACT_NAMED)
	for range int(f.names) {
		n := int(binary.NativeEndian.Uint32(text[at:]))
		at += 4
		names = append(names, next(n))
	}
	r.RequestHeaders = names
	at = prefix
	r.Path = next(size - prefix)
}
