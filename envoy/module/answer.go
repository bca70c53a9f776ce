//go:build cgo

package main

// Tested by hooks_test.go and random_test.go.

// #include "module.h"
import "C"

import (
	"strconv"
	"unsafe"

	"github.com/corsproc/corsproc/policy"
)

// decision is what an answer is made of, before it is written into C memory.
type decision struct {
	*policy.Decision
	headers []policy.Header
	facts   []policy.Fact
	exposed string // what the policy exposes, where the upstream's own is merged into it
	status  int
	body    string
}

// newAnswer writes a decision into C memory. nil: there is none left. In digits there is room for two numbers.
func newAnswer(d *policy.Decision, set uint64, digits []byte) *C.struct_answer {
	var headers [manyHeaders]policy.Header
	var facts [policy.MaxFacts]policy.Fact
	var exposed [512]byte // a longer list only costs an allocation
	w := decision{Decision: d, facts: d.AppendFacts(facts[:0])}
	switch d.Action() {
	case policy.Respond:
		w.headers = append(headers[:0], policy.Header{Name: ":status"})
		w.status, w.headers, w.body = d.AppendImmediate(w.headers)
		digits = strconv.AppendInt(digits, int64(w.status), 10)
		w.headers[0].Value = unsafe.String(&digits[0], len(digits))
		if w.body != "" {
			length := strconv.AppendInt(digits[len(digits):], int64(len(w.body)), 10)
			w.headers = append(w.headers, policy.Header{Name: "content-length", Value: unsafe.String(&length[0], len(length))})
		}
	case policy.Adjust:
		w.headers = d.AppendFixed(headers[:0])
		if own, some := d.AppendExposed(exposed[:0], nil); some {
			w.exposed = unsafe.String(&own[0], len(own))
		}
	}
	a := C.corsproc_new_answer(C.size_t(w.size()))
	if a == nil {
		return nil
	}
	a.set = C.uint64_t(set)
	a.action = actions[d.Action()]
	a.varies = flag(d.Varies())
	a.exposes = flag(d.ExposesUpstream())
	a.refused = flag(d.Verdict == policy.Refused || d.Verdict == policy.Rejected)
	a.candidate = flag(d.HasCandidate)
	w.write(a)
	return a
}

// manyHeaders is room for all headers of an answer; more would only cost an allocation.
const manyHeaders = 16

var actions = [...]C.uint8_t{policy.Pass: C.ACTION_PASS, policy.Adjust: C.ACTION_ADJUST, policy.Respond: C.ACTION_RESPOND}

func flag(b bool) C.uint8_t {
	if b {
		return 1
	}
	return 0
}

// size returns how many bytes the answer takes.
func (w *decision) size() int {
	n := int(C.sizeof_struct_answer) + int(C.sizeof_envoy_pair)*(len(w.headers)+len(w.facts))
	for _, h := range w.headers {
		n += len(h.Name) + len(h.Value)
	}
	for _, f := range w.facts {
		n += len(f.Name) + len(f.Text)
	}
	n += len(w.exposed) + len(w.body) + encodedLength(w.body)
	n += len(w.Kind.String()) + len(w.Reason.String())
	if w.HasCandidate {
		n += len(w.Verdict.String()) + len(w.Candidate.Verdict.String()) + len(w.Candidate.Reason.String())
	}
	return n
}

// write fills an answer, behind which there is room for everything that it refers to.
func (w *decision) write(a *C.struct_answer) {
	pairs := unsafe.Slice((*C.envoy_pair)(unsafe.Add(unsafe.Pointer(a), C.sizeof_struct_answer)), len(w.headers)+len(w.facts))
	m := memory{unsafe.Add(unsafe.Pointer(a), int(C.sizeof_struct_answer)+int(C.sizeof_envoy_pair)*len(pairs))}
	a.status = C.uint16_t(w.status)
	a.n_headers, a.n_facts = C.uint32_t(len(w.headers)), C.uint32_t(len(w.facts))
	a.headers = unsafe.SliceData(pairs)
	a.facts = unsafe.SliceData(pairs[len(w.headers):])
	for i, h := range w.headers {
		pairs[i].key, pairs[i].key_length = m.put(h.Name)
		pairs[i].value, pairs[i].value_length = m.put(h.Value)
	}
	for i, f := range w.facts {
		p := &pairs[len(w.headers)+i]
		p.key, p.key_length = m.put(f.Name)
		p.value, p.value_length = m.put(f.Text)
	}
	a.exposed = m.buffer(w.exposed)
	a.body = m.buffer(w.body)
	a.grpc_message = m.encoded(w.body)
	a.kind_reason = [2]C.envoy_buffer{m.buffer(w.Kind.String()), m.buffer(w.Reason.String())}
	if w.HasCandidate {
		a.candidate_labels = [3]C.envoy_buffer{
			m.buffer(w.Verdict.String()), m.buffer(w.Candidate.Verdict.String()), m.buffer(w.Candidate.Reason.String()),
		}
	}
}

// memory is C memory that is being written.
type memory struct{ at unsafe.Pointer }

func (m *memory) put(s string) (*C.char, C.size_t) {
	at := m.at
	copy(unsafe.Slice((*byte)(at), len(s)), s)
	m.at = unsafe.Add(at, len(s))
	return (*C.char)(at), C.size_t(len(s))
}

func (m *memory) buffer(s string) (b C.envoy_buffer) {
	b.ptr, b.length = m.put(s)
	return
}

// encoded writes a text as grpc-message has it.
func (m *memory) encoded(s string) (b C.envoy_buffer) {
	b.ptr, b.length = (*C.char)(m.at), C.size_t(encodedLength(s))
	to := unsafe.Slice((*byte)(m.at), int(b.length))[:0]
	for i := range len(s) {
		if c := s[i]; mustEncode(c) {
			const digits = "0123456789ABCDEF"
			to = append(to, '%', digits[c>>4], digits[c&15])
		} else {
			to = append(to, c)
		}
	}
	m.at = unsafe.Add(m.at, int(b.length))
	return
}

// mustEncode reports whether a byte is percent-encoded in grpc-message, as Envoy does it.
func mustEncode(c byte) bool { return c < ' ' || c >= '~' || c == '%' }

func encodedLength(s string) int {
	n := len(s)
	for i := range len(s) {
		if mustEncode(s[i]) {
			n += 2
		}
	}
	return n
}
