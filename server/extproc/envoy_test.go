package extproc

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// connector returns a connection to a server of a transport.
type connector = func(t testing.TB, s *Server, maxMessageBytes ...int) *grpc.ClientConn

// transports are those that serve streams in production, by name. It is a variable because they are built on this package:
// transport_test.go sets it.
var transports map[string]connector

// overEach runs a test over each of the transports.
func overEach(t *testing.T, test func(t *testing.T, connect connector)) {
	for name, connect := range transports {
		t.Run("over "+name, func(t *testing.T) { test(t, connect) })
	}
}

// envoy plays Envoy's part of the protocol for one HTTP request, by the rules that Envoy 1.40 follows: which message is
// sent when, what a reply does, and what passes untouched once the stream has ended.
type envoy struct {
	requestHeaders  bool // request_header_mode: SEND
	responseHeaders bool // response_header_mode: SEND
	allowOverride   bool // allow_mode_override
	bodies          modev3.ProcessingMode_BodySendMode
	trailers        bool
	observes        bool // observability_mode
}

// exchange is an HTTP request as it reaches the filter and the answer that the upstream has ready for it.
type exchange struct {
	request  []string // "name: value"; none: an earlier filter answers, and there is no request phase
	attrs    attrs
	body     string
	response []string
	answer   string   // the response's body
	added    []string // what Envoy's routes add to an immediate response
}

// outcome is what became of an exchange.
type outcome struct {
	Status   string
	Headers  map[string]string // the response's, as the client sees them, without :status
	Body     string
	Upstream string // the request body that reached the upstream; "-": no request did
	Metadata map[string]any
	Details  string // of an immediate response
	Messages int    // how many messages were sent
	Code     codes.Code
}

// run sends an exchange through the filter.
func (cfg envoy) run(t testing.TB, conn *grpc.ClientConn, x exchange) outcome {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // resets the stream if it is still open, as Envoy does
	rpc, err := extprocv3.NewExternalProcessorClient(conn).Process(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f := &filter{envoy: cfg, t: t, rpc: rpc, open: true, attrs: x.attrs, out: outcome{Upstream: "-"}}
	f.exchange(x)
	f.close()
	return f.out
}

// filter is the state of Envoy's filter for one HTTP request.
type filter struct {
	envoy
	t        testing.TB
	rpc      extprocv3.ExternalProcessor_ProcessClient
	open     bool
	attrs    attrs
	metadata bool
	out      outcome
}

func (f *filter) exchange(x exchange) {
	if f.requestHeaders && x.request != nil {
		r := f.ask(with(requestMessage(x.request...), filterName, f.attrs))
		if i := r.GetImmediateResponse(); i != nil {
			f.answered(i, x.added)
			return
		}
		if r.GetModeOverride().GetResponseHeaderMode() == modev3.ProcessingMode_SKIP && f.allowOverride {
			f.responseHeaders = false
		}
	}
	if x.request != nil {
		f.out.Upstream = f.send(requestBodyMessage(x.body), x.body)
		if f.trailers {
			f.ask(requestTrailersMessage())
		}
	}

	headers := inlined(x.response)
	if f.responseHeaders {
		r := f.ask(with(responseMessage(headers...), filterName, f.attrs))
		headers = f.mutated(headers, r.GetResponseHeaders().GetResponse().GetHeaderMutation())
	}
	f.out.Body = f.send(responseBodyMessage(x.answer), x.answer)
	if f.trailers {
		f.ask(responseTrailersMessage())
	}
	f.see(headers)
}

// send sends a body in the configured mode and returns what of it goes on. A body that was handed over is gone if it
// does not come back.
func (f *filter) send(m *processingRequest, body string) string {
	if f.bodies == modev3.ProcessingMode_NONE || !f.open {
		return body
	}
	r := f.ask(m)
	b := r.GetRequestBody()
	if b == nil {
		b = r.GetResponseBody()
	}
	if f.bodies == modev3.ProcessingMode_FULL_DUPLEX_STREAMED {
		return string(b.GetResponse().GetBodyMutation().GetStreamedResponse().GetBody())
	}
	if b.GetResponse().GetBodyMutation() != nil {
		f.t.Errorf("a body mutation that was not asked for: %v", b)
	}
	return body
}

// ask sends a message and returns the reply, or nil where the stream has ended or nothing is awaited.
func (f *filter) ask(m *processingRequest) *processingResponse {
	f.t.Helper()
	if !f.open {
		return nil
	}
	if f.out.Messages == 0 {
		m.ProtocolConfig = &extprocv3.ProtocolConfiguration{RequestBodyMode: f.bodies, ResponseBodyMode: f.bodies}
	}
	m.ObservabilityMode = f.observes
	f.out.Messages++
	// An error of Send is io.EOF when the stream has ended, and Recv knows why.
	if err := f.rpc.Send(m); err != nil && err != io.EOF {
		f.t.Fatal(err)
	}
	if f.observes {
		return nil
	}
	r, err := f.rpc.Recv()
	if err != nil {
		f.ended(err)
		return nil
	}
	checkReply(f.t, m, r)
	if s := r.GetDynamicMetadata(); s != nil {
		if f.metadata {
			f.t.Errorf("metadata for the second time: %v", s)
		}
		f.metadata = true
		f.out.Metadata = s.AsMap()
	}
	return r
}

// answered takes an immediate response. Nothing may follow it: Envoy has crashed over less.
func (f *filter) answered(i *extprocv3.ImmediateResponse, added []string) {
	f.see(f.mutated(inlined(append([]string{":status: 200"}, added...)), i.GetHeaders()))
	f.out.Status = i.GetStatus().GetCode().String()
	f.out.Body = string(i.GetBody())
	f.out.Details = i.GetDetails()
	if r, err := f.rpc.Recv(); err == nil {
		f.t.Errorf("a reply after an immediate response: %v", r)
	} else {
		f.ended(err)
	}
}

// close ends the stream from Envoy's side, which must get nothing more then.
func (f *filter) close() {
	if !f.open {
		return
	}
	if err := f.rpc.CloseSend(); err != nil {
		f.t.Fatal(err)
	}
	if r, err := f.rpc.Recv(); err == nil {
		f.t.Errorf("a reply that nobody asked for: %v", r)
	} else {
		f.ended(err)
	}
}

func (f *filter) ended(err error) {
	f.open = false
	if !errors.Is(err, io.EOF) {
		f.out.Code = status.Code(err)
	}
}

// see is what the client gets.
func (f *filter) see(headers []string) {
	f.out.Headers = map[string]string{}
	for _, l := range headers {
		name, value := splitLine(l)
		if name == ":status" {
			f.out.Status = value
			continue
		}
		if before, ok := f.out.Headers[name]; ok {
			value = before + "|" + value // two lines
		}
		f.out.Headers[name] = value
	}
}

// inlined joins the lines of the headers that Envoy registers as inline ones.
func inlined(lines []string) (out []string) {
	at := map[string]int{}
	for _, l := range lines {
		name, value := splitLine(l)
		if name == "vary" || strings.HasPrefix(name, "access-control-") {
			if i, ok := at[name]; ok {
				out[i] += "," + value
				continue
			}
			at[name] = len(out)
		}
		out = append(out, l)
	}
	return out
}

// mutated applies a mutation as Envoy does: removals first; then sets in order, of which raw_value alone is read, and
// which replace all lines of a name unless append says otherwise. The action is not read.
func (f *filter) mutated(lines []string, m *extprocv3.HeaderMutation) []string {
	remove := func(name string) {
		lines = slices.DeleteFunc(lines, func(l string) bool { n, _ := splitLine(l); return n == name })
	}
	lines = slices.Clone(lines)
	for _, name := range m.GetRemoveHeaders() {
		remove(strings.ToLower(name))
	}
	for _, o := range m.GetSetHeaders() {
		name := strings.ToLower(o.GetHeader().GetKey())
		//lint:ignore SA1019 Envoy reads the deprecated field, and that alone.
		if !o.GetAppend().GetValue() {
			remove(name)
		}
		lines = append(lines, name+": "+string(o.GetHeader().GetRawValue()))
	}
	return lines
}

// checkReply holds any reply to what Envoy demands of all of them.
func checkReply(t testing.TB, m *processingRequest, r *processingResponse) {
	t.Helper()
	kind := replyKind(r)
	if kind != messageKind(m) && (kind != "immediate_response" || messageKind(m) != "request_headers") {
		t.Errorf("%s was answered with %s, which Envoy takes for a spurious message", messageKind(m), kind)
	}
	wire, err := proto.Marshal(r)
	if err != nil {
		t.Fatalf("a reply that cannot be encoded: %v", err)
	}
	if len(wire) == 0 {
		t.Error("an empty reply")
	}
	if i := r.GetImmediateResponse(); i != nil && i.GetStatus().GetCode() == 204 && len(i.GetBody()) > 0 {
		t.Error("a body with status 204")
	}
	// Wherever a header option may stand, now or in a later version of the protocol.
	err = protorange.Range(r.ProtoReflect(), func(p protopath.Values) error {
		if m, ok := p.Index(-1).Value.Interface().(protoreflect.Message); ok {
			if o, ok := m.Interface().(*corev3.HeaderValueOption); ok {
				checkOption(t, o)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkOption(t testing.TB, o *corev3.HeaderValueOption) {
	t.Helper()
	h := o.GetHeader()
	switch {
	case h.GetValue() != "":
		t.Errorf("%v: value is set; Envoy refuses it beside raw_value", o)
	case len(h.GetRawValue()) == 0:
		t.Errorf("%v: raw_value is empty", o)
	//lint:ignore SA1019 That it is unset is the point.
	case o.GetAppend() != nil:
		t.Errorf("%v: append is set beside an action", o)
	case o.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD:
		t.Errorf("%v: does not overwrite", o)
	case h.GetKey() == "" || strings.ToLower(h.GetKey()) != h.GetKey() || h.GetKey()[0] == ':':
		t.Errorf("%v: no lower-case header name", o)
	}
	for _, c := range h.GetRawValue() {
		if c < ' ' || c > '~' {
			t.Errorf("%v: Envoy refuses the byte %#x with the whole reply", o, c)
		}
	}
}
