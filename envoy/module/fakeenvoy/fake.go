//go:build cgo

package fakeenvoy

// Tested by envoy/module/hooks_test.go.

// #cgo CFLAGS: -std=gnu11 -O1 -Wall -Wextra -Wno-unused-parameter -I${SRCDIR}/..
// #cgo LDFLAGS: -Wl,--unresolved-symbols=ignore-all -rdynamic
// #include <stdlib.h>
// #include "fake.h"
import "C"

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unsafe"
)

func chars(s string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

// Load loads the module into an Envoy with so many workers. It returns the version of the ABI that the module names; empty:
// it refuses.
func Load(workers int) string {
	version := C.fake_load(C.uint32_t(workers))
	if version == nil {
		return ""
	}
	return C.GoString(version)
}

// Validate says whether configurations are only checked, as with --mode validate.
func Validate(on bool) { C.fake_validate(C.bool(on)) }

// Config is a configuration of the filter.
type Config struct{ c *C.struct_fake_config }

// NewConfig makes a configuration of the JSON of a filter_config. nil: the module rejects it.
func NewConfig(json string) *Config {
	text, n := chars(json)
	c := C.fake_config_new(text, n)
	if c == nil {
		return nil
	}
	return &Config{c}
}

// Destroy ends a configuration, after all of its streams.
func (c *Config) Destroy() { C.fake_config_destroy(c.c) }

// Run runs what the module has scheduled on the main thread, and returns how often it did.
func (c *Config) Run() int { return int(C.fake_config_run(c.c)) }

// Stat returns the value of a statistic: its name and the values of its labels. -1: it has none.
func (c *Config) Stat(name string, labels ...string) int {
	text, n := chars(strings.Join(append([]string{name}, labels...), "|"))
	return int(C.fake_stat(c.c, text, n))
}

// Schedulers returns how many schedulers the module has and did not delete.
func Schedulers() int { return int(C.fake_schedulers()) }

// Crossings returns how often the calling thread entered Go for a decision.
func Crossings() int { return int(C.corsproc_crossings()) }

// Kept returns how many bytes of decisions the calling thread keeps.
func Kept() int { return int(C.corsproc_kept_bytes()) }

// Level is a level of Envoy's log.
type Level int

// The levels that the module uses.
const (
	Debug Level = C.LOG_DEBUG
	Info  Level = C.LOG_INFO
	Warn  Level = C.LOG_WARN
	Error Level = C.LOG_ERROR
)

// Line is a line of the log.
type Line struct {
	Level  Level
	Text   string
	File   string // where in the source it comes from
	Number int    // of the line in that file; 0: that is not told
}

// Logged returns what was logged since it was last called.
func Logged() (lines []Line) {
	var l C.struct_fake_line
	for C.fake_log(&l) {
		lines = append(lines, Line{Level(l.level), C.GoStringN(l.text, C.int(l.length)), C.GoStringN(l.file, C.int(l.file_length)), int(l.number)})
		C.free(unsafe.Pointer(l.text))
		C.free(unsafe.Pointer(l.file))
	}
	return lines
}

// PerRoute is what typed_per_filter_config has for a route or a virtual host.
type PerRoute struct{ c unsafe.Pointer }

// NewPerRoute makes one of the text of a StringValue.
func NewPerRoute(text string) *PerRoute {
	p, n := chars(text)
	return &PerRoute{C.fake_per_route_new(p, n)}
}

// Destroy ends it, after all streams that it is for.
func (p *PerRoute) Destroy() { C.fake_per_route_destroy(p.c) }

// Header is one line of a header.
type Header struct{ Name, Value string }

// Request is a request as the filter meets it.
type Request struct {
	Headers     []Header
	VirtualHost *string // nil: none matched
	Route       *string
	Metadata    []Metadata // of the route, under corsproc
	PerRoute    *PerRoute
}

// Metadata is one key of metadata.
type Metadata struct {
	Key    string
	Text   string
	NoText bool // its value is a number, a list or whatever else is no text
}

// Outcome is what became of a request.
type Outcome struct {
	Sent     []Header // the module's own answer
	Body     string
	Ends     int      // how often it was ended
	Response []Header // otherwise: the response as the client gets it
	Metadata []Header
	Raw      string // all of this
}

// Stream is one HTTP request.
type Stream struct{ s *C.struct_fake_stream }

// NewStream begins a stream.
func (c *Config) NewStream(r *Request) *Stream {
	s := &Stream{C.fake_stream_new(c.c)}
	s.add(C.REQUEST_HEADERS, r.Headers)
	for attribute, text := range map[C.int]*string{C.ATTRIBUTE_VIRTUAL_HOST_NAME: r.VirtualHost, C.ATTRIBUTE_ROUTE_NAME: r.Route} {
		if text != nil {
			p, n := chars(*text)
			C.fake_place(s.s, attribute, p, n)
		}
	}
	for _, m := range r.Metadata {
		key, keyLength := chars(m.Key)
		text, length := chars(m.Text)
		C.fake_metadata(s.s, key, keyLength, text, length, C.bool(!m.NoText))
	}
	if r.PerRoute != nil {
		C.fake_per_route(s.s, r.PerRoute.c)
	}
	return s
}

func (s *Stream) add(kind C.int, headers []Header) {
	for _, h := range headers {
		name, nameLength := chars(h.Name)
		value, valueLength := chars(h.Value)
		C.fake_add(s.s, kind, name, nameLength, value, valueLength)
	}
}

// GoneAtHeaders has the client go away when the headers of the module's answer are sent.
func (s *Stream) GoneAtHeaders() { C.fake_gone(s.s, true) }

// What of a stream Envoy may fail to tell.
const (
	RequestHeaders  = C.UNREADABLE_REQUEST
	ResponseHeaders = C.UNREADABLE_RESPONSE
	MetadataKeys    = C.UNREADABLE_KEYS
)

// Unreadable has Envoy tell nothing of a part of the stream.
func (s *Stream) Unreadable(what uint) { C.fake_unreadable(s.s, C.unsigned(what)) }

// OnRequest calls the hook of the request's headers, and reports whether the request goes on.
func (s *Stream) OnRequest() bool { return C.fake_request(s.s) == C.HEADERS_CONTINUE }

// OnResponse calls the hook of a response's headers.
func (s *Stream) OnResponse(headers []Header) {
	s.add(C.RESPONSE_HEADERS, headers)
	if C.fake_response(s.s) != C.HEADERS_CONTINUE {
		panic("fakeenvoy: the response does not go on")
	}
}

// OnRest calls the hooks of bodies and trailers. It reports whether those of the request go on, and those of the response.
func (s *Stream) OnRest() (request, response bool) {
	status := int(C.fake_rest(s.s))
	return status&0xff == 0, status&0xff00 == 0
}

// Outcome returns what became of the stream.
func (s *Stream) Outcome() Outcome {
	raw := make([]byte, 4096)
	n := int(C.fake_outcome(s.s, (*C.char)(unsafe.Pointer(&raw[0])), C.size_t(len(raw))))
	if n > len(raw) {
		raw = make([]byte, n)
		C.fake_outcome(s.s, (*C.char)(unsafe.Pointer(&raw[0])), C.size_t(n))
	}
	raw = raw[:n]
	o := Outcome{Raw: string(raw)}
	for len(raw) > 0 {
		tag, length := raw[0], binary.NativeEndian.Uint32(raw[1:])
		name, value, _ := bytes.Cut(raw[5:5+length], []byte{0})
		raw = raw[5+length:]
		h := Header{string(name), string(value)}
		switch tag {
		case 'h':
			o.Response = append(o.Response, h)
		case 's':
			o.Sent = append(o.Sent, h)
		case 'm':
			o.Metadata = append(o.Metadata, h)
		case 'b':
			o.Body = h.Value
		case 'x':
			o.Ends = int(h.Value[0] - '0')
		}
	}
	return o
}

// Destroy ends the stream, whatever hooks were called.
func (s *Stream) Destroy() { C.fake_stream_destroy(s.s) }

// Do sends a request through all hooks, and a response where it goes on. answered: somebody answered it before the module
// was asked.
func (c *Config) Do(r *Request, answered bool, response []Header) Outcome {
	s := c.NewStream(r)
	defer s.Destroy()
	if answered || s.OnRequest() {
		s.OnResponse(response)
	}
	return s.Outcome()
}

// Template is a request that workers send, with its response and the outcomes it may have.
type Template struct {
	Request  *Request
	Response []Header
	Outcomes [2]string
}

// Work has threads of its own send requests, each so many, of all templates in turn. It returns how many had another outcome
// than expected.
func (c *Config) Work(templates []Template, threads, requests int) int {
	all := C.calloc(C.size_t(len(templates)), C.sizeof_struct_fake_template)
	defer C.free(all)
	list := unsafe.Slice((*C.struct_fake_template)(all), len(templates))
	for i, t := range templates {
		s := c.NewStream(t.Request)
		defer s.Destroy()
		s.add(C.RESPONSE_HEADERS, t.Response)
		list[i].stream = s.s
		for j, o := range t.Outcomes {
			list[i].outcomes[j], list[i].lengths[j] = C.CString(o), C.size_t(len(o))
			defer C.free(unsafe.Pointer(list[i].outcomes[j]))
		}
	}
	return int(C.fake_work(c.c, (*C.struct_fake_template)(all), C.int(len(templates)), C.int(threads), C.uint64_t(requests)))
}
