package loop

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/extproc"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestTraceContext(t *testing.T) {
	for _, test := range []struct {
		name          string
		unwanted      bool
		lines         []string // name: value
		parent, state string
	}{
		{name: "none"},
		{name: "one of each", lines: []string{"traceparent: " + parent, "tracestate: a=1"}, parent: parent, state: "a=1"},
		{name: "nobody looks", unwanted: true, lines: []string{"traceparent: " + parent, "tracestate: a=1"}},
		{name: "two parents", lines: []string{"traceparent: " + parent, "traceparent: " + parent, "tracestate: a=1"}},
		{name: "two lines of state", lines: []string{"tracestate: a=1", "traceparent: " + parent, "tracestate: b=2"}, parent: parent, state: "a=1,b=2"},
		{name: "state alone", lines: []string{"tracestate: a=1"}},
		{name: "a short parent", lines: []string{"traceparent: " + parent[:parentBytes-1]}},
		{name: "a long parent", lines: []string{"traceparent: " + parent + strings.Repeat("-", maxParentBytes)}},
		{name: "a parent of a later version", lines: []string{"traceparent: " + parent + "-x"}, parent: parent + "-x"},
		{name: "much state", lines: []string{"traceparent: " + parent, "tracestate: " + strings.Repeat("a", 512)}, parent: parent, state: strings.Repeat("a", 512)},
		{name: "too much state", lines: []string{"traceparent: " + parent, "tracestate: " + strings.Repeat("a", maxStateBytes)}, parent: parent},
		{name: "too many lines of state", lines: []string{"traceparent: " + parent, "tracestate: " + strings.Repeat("a", 600), "tracestate: " + strings.Repeat("b", 600), "tracestate: c"}, parent: parent},
	} {
		h := head{trace: trace{wanted: !test.unwanted}}
		for _, line := range test.lines {
			name, value, _ := strings.Cut(line, ": ")
			h.emit(hpack.HeaderField{Name: name, Value: value})
		}
		if p, s := h.trace.context(); p != test.parent || s != test.state || h.bad {
			t.Errorf("%s: %q, %q; want %q, %q", test.name, p, s, test.parent, test.state)
		}
	}
}

// TestTracingOffCostsNothing is TestAllocations with requests that belong to traces, which nobody looks at.
func TestTracingOffCostsNothing(t *testing.T) {
	if raced {
		t.Skip("pools lose things under the race detector")
	}
	const requests = 1000
	s := newServer(t, extproc.Hooks{})
	sent := sessionOf(t, requests, append(slices.Clone(usual), "traceparent", parent), prefixed(t, get), prefixed(t, responseOf()))
	allocations := testing.AllocsPerRun(5, func() {
		newConn(s, &discarding{script{in: bytes.NewReader(sent)}}).serve()
	})
	const most, connection = 2, 100
	if allocations > requests*most+connection {
		t.Errorf("%v allocations for %d requests, want at most %d each", allocations, requests, most)
	}
}

// TestObserver follows a stream from its headers to what is told about it.
func TestObserver(t *testing.T) {
	var told []string
	s := newServer(t, extproc.Hooks{Observe: func(traceparent, tracestate string) *extproc.Observer {
		told = append(told, traceparent+tracestate)
		return &extproc.Observer{
			Decided: func(d *policy.Decision, _ time.Duration) { told = append(told, d.Reason.String()) },
			Ended:   func(c codes.Code) { told = append(told, c.String()) },
		}
	}})
	sent := sessionOf(t, 2, append(slices.Clone(usual), "traceparent", parent), prefixed(t, get), prefixed(t, responseOf()))
	newConn(s, &discarding{script{in: bytes.NewReader(sent)}}).serve()
	want := strings.Repeat(parent+" allowed OK ", 2)
	if got := strings.Join(told, " ") + " "; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}
