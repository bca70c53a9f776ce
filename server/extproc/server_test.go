package extproc

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/corsproc/corsproc/policy"
)

// witness collects what hooks are told.
type witness struct {
	started  atomic.Int32
	ends     chan codes.Code
	decided  chan policy.Decision
	panicked chan any
}

func newWitness() *witness {
	return &witness{ends: make(chan codes.Code, 16), decided: make(chan policy.Decision, 16), panicked: make(chan any, 16)}
}

func (w *witness) hooks() Hooks {
	return Hooks{
		StreamStarted: func() { w.started.Add(1) },
		StreamEnded:   func(code codes.Code) { w.ends <- code },
		Decided: func(_ *policy.Set, _ *policy.Request, d *policy.Decision, took time.Duration) {
			if took < 0 {
				panic("a decision that took less than no time")
			}
			w.decided <- *d
		},
		Panicked: func(recovered any, stack []byte) {
			if !strings.Contains(string(stack), "extproc") {
				panic("a stack of something else")
			}
			w.panicked <- recovered
		},
	}
}

// end waits for a stream to end.
func (w *witness) end() codes.Code { return <-w.ends }

// TestSequences sends messages in orders that Envoy keeps and does not keep, then half-closes.
func TestSequences(t *testing.T) { overEach(t, testSequences) }

func testSequences(t *testing.T, connect connector) {
	var (
		get = func() *processingRequest {
			return requestMessage(request("GET", "/", "origin: https://shop.example")...)
		}
		upstream = func() *processingRequest { return requestMessage(request("GET", "/upstream/")...) }
		ok       = func() *processingRequest { return responseMessage(":status: 200") }
		nothing  = func() *processingRequest { return &processingRequest{} }
	)
	handedOver := func(m *processingRequest) *processingRequest {
		m.ProtocolConfig = &extprocv3.ProtocolConfiguration{ResponseBodyMode: modev3.ProcessingMode_FULL_DUPLEX_STREAMED}
		return m
	}
	watched := func(m *processingRequest) *processingRequest { m.ObservabilityMode = true; return m }

	tests := []struct {
		name    string
		in      []*processingRequest
		want    []string // the replies
		code    codes.Code
		decided int
	}{
		{"nothing at all", nil, nil, codes.OK, 0},
		{"a request alone", []*processingRequest{get()}, []string{"request_headers"}, codes.OK, 1},
		{"request and response", []*processingRequest{get(), ok()}, []string{"request_headers", "response_headers"}, codes.OK, 1},
		{"a response alone", []*processingRequest{ok()}, []string{"response_headers"}, codes.OK, 1},
		{"nothing after the response's headers", []*processingRequest{get(), ok(), ok(), get()}, []string{"request_headers", "response_headers"}, codes.OK, 1},
		{"nothing after passthrough", []*processingRequest{upstream(), ok()}, []string{"request_headers"}, codes.OK, 1},
		{
			"bodies and trailers before any headers", []*processingRequest{requestBodyMessage("a"), requestTrailersMessage(), ok()},
			[]string{"request_body", "request_trailers", "response_headers"}, codes.OK, 1,
		},
		{
			"bodies and trailers in any order",
			[]*processingRequest{responseTrailersMessage(), get(), responseBodyMessage("a"), requestBodyMessage("b"), requestTrailersMessage(), ok()},
			[]string{"response_trailers", "request_headers", "response_body", "request_body", "request_trailers", "response_headers"},
			codes.OK, 1,
		},
		{"no phase", []*processingRequest{nothing()}, nil, codes.InvalidArgument, 0},
		{"no phase after a request", []*processingRequest{get(), nothing(), ok()}, []string{"request_headers"}, codes.InvalidArgument, 1},
		{"a second request", []*processingRequest{get(), get()}, []string{"request_headers"}, codes.InvalidArgument, 1},
		{
			"a second response where the stream stays open", []*processingRequest{handedOver(ok()), ok()},
			[]string{"response_headers"}, codes.InvalidArgument, 1,
		},
		{
			"a request after a response where the stream stays open", []*processingRequest{handedOver(ok()), get()},
			[]string{"response_headers"}, codes.InvalidArgument, 1,
		},
		{
			"body modes count in the first message alone", []*processingRequest{get(), handedOver(ok()), ok()},
			[]string{"request_headers", "response_headers"}, codes.OK, 1,
		},
		{"watching", []*processingRequest{watched(get()), watched(requestBodyMessage("a")), watched(ok())}, nil, codes.OK, 1},
		{"watching a response alone", []*processingRequest{watched(ok())}, nil, codes.OK, 1},
		{"watching what should be answered", []*processingRequest{watched(requestMessage(request("POST", "/guarded/", "origin: https://x.example")...))}, nil, codes.OK, 1},
		{"watching nonsense", []*processingRequest{watched(get()), watched(get())}, nil, codes.InvalidArgument, 1},
	}
	w := newWitness()
	conn := connect(t, New(always(compiled(t, shopPolicies())), w.hooks()))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rpc, err := extprocv3.NewExternalProcessorClient(conn).Process(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range test.in {
				if err := rpc.Send(m); err != nil && err != io.EOF {
					t.Fatal(err)
				}
			}
			if err := rpc.CloseSend(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for {
				r, err := rpc.Recv()
				if err != nil {
					if code := codeOf(err); code != test.code {
						t.Errorf("the stream ended with %v, want %v", err, test.code)
					}
					break
				}
				got = append(got, replyKind(r))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if code := w.end(); code != test.code {
				t.Errorf("hook: ended with %v, want %v", code, test.code)
			}
			if n := len(w.decided); n != test.decided {
				t.Errorf("hook: %d decisions, want %d", n, test.decided)
			}
			for len(w.decided) > 0 {
				<-w.decided
			}
		})
	}
	if got := int(w.started.Load()); got != len(tests) {
		t.Errorf("hook: %d streams began, want %d", got, len(tests))
	}
}

func codeOf(err error) codes.Code {
	if errors.Is(err, io.EOF) {
		return codes.OK
	}
	return status.Code(err)
}

func TestStreamKeepsItsSet(t *testing.T) { overEach(t, testStreamKeepsItsSet) }

func testStreamKeepsItsSet(t *testing.T, connect connector) {
	granting, empty := compiled(t, shopPolicies()), compiled(t, nil)
	var now atomic.Pointer[policy.Set]
	now.Store(granting)
	var taken atomic.Int32
	conn := connect(t, New(func() *policy.Set { taken.Add(1); return now.Load() }, Hooks{}))

	rpc, err := extprocv3.NewExternalProcessorClient(conn).Process(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(m *processingRequest) *processingResponse {
		t.Helper()
		if err := rpc.Send(m); err != nil {
			t.Fatal(err)
		}
		r, err := rpc.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	ask(requestMessage(request("GET", "/", "origin: https://shop.example")...))
	now.Store(empty)
	set := ask(responseMessage(":status: 200")).GetResponseHeaders().GetResponse().GetHeaderMutation().GetSetHeaders()
	if len(set) == 0 || set[0].GetHeader().GetKey() != "access-control-allow-origin" {
		t.Errorf("after a reload the response phase set %v", set)
	}
	if n := taken.Load(); n != 1 {
		t.Errorf("the current set was taken %d times by one stream", n)
	}

	got := twoPhase.run(t, conn, exchange{request: request("GET", "/", "origin: https://shop.example"), response: plain})
	if got.Headers["access-control-allow-origin"] != "" {
		t.Errorf("a new stream still got the old set: %v", got.Headers)
	}
}

// What a request looks like to the hook, and that the hook sees the set that decided.
func TestDecidedHook(t *testing.T) { overEach(t, testDecidedHook) }

func testDecidedHook(t *testing.T, connect connector) {
	p := compiled(t, shopPolicies())
	type told struct {
		request policy.Request
		details string
		set     *policy.Set
	}
	got := make(chan told, 1)
	conn := connect(t, New(always(p), Hooks{Decided: func(set *policy.Set, r *policy.Request, d *policy.Decision, _ time.Duration) {
		got <- told{*r, d.Details(), set}
	}}))
	twoPhase.run(t, conn, exchange{request: request("GET", "/", "origin: https://shop.example"), response: plain})
	g := <-got
	if g.request.Origin != policy.Line("https://shop.example") || g.request.Authority != "api.example" ||
		g.details != "cors_allowed" || g.set != p {
		t.Errorf("told %+v", g)
	}
}

func TestPanic(t *testing.T) { overEach(t, testPanic) }

func testPanic(t *testing.T, connect connector) {
	w := newWitness()
	hooks := w.hooks()
	first := true
	hooks.Decided = func(*policy.Set, *policy.Request, *policy.Decision, time.Duration) {
		if first {
			first = false
			panic("secret")
		}
	}
	conn := connect(t, New(always(compiled(t, shopPolicies())), hooks))
	rpc, err := extprocv3.NewExternalProcessorClient(conn).Process(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := rpc.Send(requestMessage(":method: GET")); err != nil {
		t.Fatal(err)
	}
	_, err = rpc.Recv()
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Errorf("the client was told %v", err)
	}
	if code := w.end(); code != codes.Internal {
		t.Errorf("hook: ended with %v", code)
	}
	if got := <-w.panicked; got != "secret" {
		t.Errorf("hook: recovered %v", got)
	}
	got := twoPhase.run(t, conn, exchange{request: request("GET", "/", "origin: https://shop.example"), response: plain})
	if got.Code != codes.OK || got.Headers["access-control-allow-origin"] == "" {
		t.Errorf("the next stream got %+v", got)
	}
}

// Envoy resets a stream whose client is gone, and half-closes one of which it wants nothing more.
func TestNormalEnds(t *testing.T) { overEach(t, testNormalEnds) }

func testNormalEnds(t *testing.T, connect connector) {
	w := newWitness()
	conn := connect(t, New(always(compiled(t, shopPolicies())), w.hooks()))
	for _, test := range []struct {
		name string
		end  func(cancel context.CancelFunc, rpc extprocv3.ExternalProcessor_ProcessClient)
	}{
		{"reset", func(cancel context.CancelFunc, _ extprocv3.ExternalProcessor_ProcessClient) { cancel() }},
		{"half-close", func(_ context.CancelFunc, rpc extprocv3.ExternalProcessor_ProcessClient) { _ = rpc.CloseSend() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			rpc, err := extprocv3.NewExternalProcessorClient(conn).Process(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := rpc.Send(requestMessage(request("GET", "/")...)); err != nil {
				t.Fatal(err)
			}
			if _, err := rpc.Recv(); err != nil {
				t.Fatal(err)
			}
			test.end(cancel, rpc)
			if code := w.end(); code != codes.OK {
				t.Errorf("ended with %v", code)
			}
		})
	}
}

// raw is a codec whose messages are bytes.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

var _ encoding.CodecV2 = raw{}

func TestHostileBytes(t *testing.T) { overEach(t, testHostileBytes) }

func testHostileBytes(t *testing.T, connect connector) {
	field := func(number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	origin := asEnvoy(t, with(requestMessage(request("GET", "/")...), filterName, attrs{"request.headers['origin']": "~"}))
	tests := []struct {
		name string
		in   []byte
		code codes.Code
	}{
		{"an attribute that is no UTF-8", origin, codes.OK},
		{"no protobuf", []byte("\xff\xff\xff secret"), codes.Internal},
		{"cut short", []byte{0x12, 0x7f, 's', 'e', 'c', 'r', 'e', 't'}, codes.Internal},
		{"too large", field(2, make([]byte, 5000)), codes.ResourceExhausted},
		{"an unknown phase", field(99, []byte("secret")), codes.InvalidArgument},
		{"empty", nil, codes.InvalidArgument},
	}
	w := newWitness()
	conn := connect(t, New(always(compiled(t, shopPolicies())), w.hooks()), 4096)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
				extprocv3.ExternalProcessor_Process_FullMethodName, grpc.ForceCodecV2(raw{}))
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.SendMsg(&test.in); err != nil {
				t.Fatal(err)
			}
			var out []byte
			err = stream.RecvMsg(&out)
			if test.code == codes.OK {
				if err != nil {
					t.Fatal(err)
				}
				if err := stream.CloseSend(); err != nil {
					t.Fatal(err)
				}
				err = stream.RecvMsg(&out)
			}
			if codeOf(err) != test.code || strings.Contains(err.Error(), "secret") {
				t.Errorf("the client was told %v, want %v", err, test.code)
			}
			if code := w.end(); code != test.code {
				t.Errorf("hook: ended with %v", code)
			}
		})
	}
	if len(w.panicked) > 0 {
		t.Errorf("panicked: %v", <-w.panicked)
	}
}
