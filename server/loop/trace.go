package loop

import "golang.org/x/net/http2/hpack"

// trace is what a header block says about the trace that a stream belongs to (W3C Trace Context, level 1).
type trace struct {
	wanted  bool // somebody looks at streams
	parents int  // lines of traceparent
	parent  string
	state   string
	long    bool // state would be longer than is kept
}

const (
	// parentBytes is the length of a traceparent of version 00, and what later versions begin with.
	parentBytes = 55
	// maxParentBytes bounds those later ones.
	maxParentBytes = 128
	// maxStateBytes is what tracestate stays below. Everyone has to pass on 512 bytes of it (section 3.3.1.5).
	maxStateBytes = 1024
)

// take takes a line.
func (t *trace) take(f hpack.HeaderField) {
	switch {
	case !t.wanted:
	case f.Name == "traceparent":
		t.parents++
		if n := len(f.Value); parentBytes <= n && n <= maxParentBytes {
			t.parent = f.Value
		}
	case len(t.state)+len(f.Value) >= maxStateBytes:
		t.long = true
	case t.state == "":
		t.state = f.Value
	default: // several lines are one list
		t.state += "," + f.Value
	}
}

// context returns traceparent and tracestate, both empty unless there is one traceparent.
func (t *trace) context() (parent, state string) {
	switch {
	case t.parents != 1:
		return "", ""
	case t.long:
		return t.parent, ""
	}
	return t.parent, t.state
}

// TraceContext returns the traceparent and tracestate of a stream as the loop reads them from these lines. Both are empty
// unless there is exactly one traceparent of a possible length. A tracestate that is too long is left out.
func TraceContext(parents, states []string) (parent, state string) {
	t := trace{wanted: true}
	for _, value := range parents {
		t.take(hpack.HeaderField{Name: "traceparent", Value: value})
	}
	for _, value := range states {
		t.take(hpack.HeaderField{Name: "tracestate", Value: value})
	}
	return t.context()
}
