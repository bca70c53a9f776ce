package extproc

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"time"

	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
)

// seeds are sequences to start fuzzing from.
func seeds() [][]*processingRequest {
	allowed := with(requestMessage(request("GET", "/", "origin: https://shop.example")...), filterName, attrs{
		"xds.virtual_host_name": "api", "xds.route_metadata.filter_metadata['corsproc']['policies']": "shop, public",
	})
	relayed := requestMessage(request("PUT", "/", "Origin: https://shop.example", "upgrade: a", "upgrade: b")...)
	relayed.ProtocolConfig = &extprocv3.ProtocolConfiguration{RequestBodyMode: modev3.ProcessingMode_FULL_DUPLEX_STREAMED}
	watched := responseMessage(":status: 200")
	watched.ObservabilityMode = true
	return [][]*processingRequest{
		{allowed, responseMessage(":status: 200", "vary: a, b", "vary: *", "access-control-expose-headers: a,b", "Access-Control-Expose-Headers: c")},
		{requestMessage(request("OPTIONS", "/", "origin: https://shop.example", "access-control-request-method: PUT", "access-control-request-headers: x-token,y")...)},
		{relayed, requestBodyMessage("body"), responseMessage(), responseBodyMessage("body"), responseTrailersMessage()},
		{requestMessage(request("POST", "/guarded/", "origin: null")...)},
		{requestMessage(request("GET", "/upstream/%2e%2e/")...), requestTrailersMessage()},
		{with(responseMessage(":status: 403"), "other", attrs{
			"request.headers['origin']": "https://~shop.example", "request.method": 1, "x['corsproc']['policies']": nil,
		})},
		{watched, {}},
	}
}

// FuzzFacts holds the reading of facts against the generated types, read in the plainest way. What they refuse because it
// holds bytes that are no UTF-8 where they want text is repaired first.
func FuzzFacts(f *testing.F) {
	for _, sequence := range seeds() {
		for _, m := range sequence {
			f.Add(asEnvoy(f, m))
		}
	}
	for _, message := range recorded(f) {
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		got, err := tryRead(message)
		m, plainErr := unmarshal(message)
		if (err == nil) != (plainErr == nil) {
			t.Fatalf("error %v; the generated types: %v", err, plainErr)
		}
		if err != nil {
			return
		}
		want := plainReading(m)
		want.usual = got.usual
		options := cmp.Options{cmp.AllowUnexported(reading{}, upstream{}), cmpopts.EquateEmpty()}
		if diff := cmp.Diff(want, got, options); diff != "" {
			t.Errorf("-generated types +read\n%s", diff)
		}
		if !got.usual {
			return
		}
		var in inbound
		_ = in.read(message)
		c := m.GetProtocolConfig()
		if in.observed != m.GetObservabilityMode() ||
			in.fullDuplex != (fullDuplex{request: isFullDuplex(c.GetRequestBodyMode()), response: isFullDuplex(c.GetResponseBodyMode())}) {
			t.Errorf("read %+v of %v", in, m)
		}
	})
}

// FuzzStream sends any messages in any order: each gets a sound reply of its own kind, or the stream a status.
func FuzzStream(f *testing.F) {
	for _, sequence := range seeds() {
		var messages bytes.Buffer
		for _, m := range sequence {
			if _, err := protodelim.MarshalTo(&messages, m); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(messages.Bytes())
	}
	set := compiled(f, shopPolicies())
	f.Fuzz(func(t *testing.T, messages []byte) {
		decisions, metadata := 0, 0
		s := New(always(set), Hooks{
			Decided:  func(*policy.Set, *policy.Request, *policy.Decision, time.Duration) { decisions++ },
			Panicked: func(recovered any, stack []byte) { t.Fatalf("%v\n%s", recovered, stack) },
		}).Begin("", "")
		defer s.End(codes.OK)
		for in := bytes.NewReader(messages); ; {
			message, ok := delimited(in)
			if !ok {
				break
			}
			replied, more, err := s.Step(message, []byte("before"))
			encoded, ok := bytes.CutPrefix(replied, []byte("before"))
			if !ok {
				t.Fatalf("what was there before became %q", replied)
			}
			m, malformed := unmarshal(message)
			if err != nil {
				want := codes.InvalidArgument
				if malformed != nil {
					want = codes.Internal
				}
				if status.Code(err) != want || len(encoded) > 0 || more {
					t.Errorf("error %v beside %q, %v", err, encoded, more)
				}
				break
			}
			out := &processingResponse{}
			if err := proto.Unmarshal(encoded, out); err != nil {
				t.Fatalf("the reply %q: %v", encoded, err)
			}
			if (len(encoded) == 0) != m.GetObservabilityMode() {
				t.Errorf("observability mode %v, reply %v", m.GetObservabilityMode(), out)
			}
			if len(encoded) > 0 {
				checkReply(t, m, out)
			}
			if out.GetDynamicMetadata() != nil {
				metadata++
			}
			if !more {
				break
			}
		}
		if decisions > 1 || metadata > decisions {
			t.Errorf("%d decisions, %d times metadata", decisions, metadata)
		}
	})
}

// delimited returns the next message of several, each behind its length.
func delimited(in *bytes.Reader) ([]byte, bool) {
	n, err := binary.ReadUvarint(in)
	if err != nil || n > uint64(in.Len()) {
		return nil, false
	}
	message := make([]byte, n)
	_, err = io.ReadFull(in, message)
	return message, err == nil
}
