package extproc

import (
	"bytes"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
)

// seeds are sequences to start fuzzing from.
func seeds() [][]*message {
	allowed := with(requestMessage(request("GET", "/", "origin: https://shop.example")...), filterName, attrs{
		"xds.virtual_host_name": "api", "xds.route_metadata.filter_metadata['corsproc']['policies']": "shop, public",
	})
	relayed := requestMessage(request("PUT", "/", "Origin: https://shop.example", "upgrade: a", "upgrade: b")...)
	relayed.ProtocolConfig = &extprocv3.ProtocolConfiguration{RequestBodyMode: modev3.ProcessingMode_FULL_DUPLEX_STREAMED}
	watched := responseMessage(":status: 200")
	watched.ObservabilityMode = true
	return [][]*message{
		{allowed, responseMessage(":status: 200", "vary: a, b", "vary: *")},
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

// FuzzFacts holds the reading of facts against the plainest way to count lines.
func FuzzFacts(f *testing.F) {
	for _, sequence := range seeds() {
		for _, m := range sequence {
			f.Add(asEnvoy(f, m))
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		m, stock := &message{}, &message{}
		err := Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, m)
		if proto.Unmarshal(wire, stock) == nil && (err != nil || !proto.Equal(m, stock)) {
			t.Errorf("read %v, %v; the stock codec reads %v", m, err, stock)
		}
		if err != nil {
			return
		}
		var answered policy.Request
		readAnswered(m, &answered)
		if !answered.Answered || answered.Protocol != "" || answered.RequestHeaders != nil {
			t.Errorf("facts that no attribute holds: %+v", answered)
		}

		var r policy.Request
		readRequest(m, &r)
		lines := func(name string) (values []string) {
			for _, h := range m.GetRequestHeaders().GetHeaders().GetHeaders() {
				if plainName(h) == name {
					values = append(values, plainValue(h))
				}
			}
			return values
		}
		for name, got := range map[string]policy.Field{
			"origin": r.Origin, "access-control-request-method": r.RequestMethod, "sec-fetch-site": r.FetchSite,
		} {
			want := lines(name)
			if got.Lines != len(want) || len(want) > 0 && got.Value != want[0] {
				t.Errorf("%s: %+v, want %q", name, got, want)
			}
		}
		for name, got := range map[string]string{
			"upgrade": r.Upgrade, "access-control-request-private-network": r.RequestPrivateNetwork,
			"access-control-request-headers": strings.Join(r.RequestHeaders, ","),
		} {
			if want := strings.Join(lines(name), ","); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if r.Named != answered.Named || r.VirtualHost != answered.VirtualHost || r.Route != answered.Route {
			t.Errorf("the place depends on the phase: %+v, %+v", r, answered)
		}
	})
}

func plainName(h *corev3.HeaderValue) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + ' '
		}
		return c
	}, h.GetKey())
}

func plainValue(h *corev3.HeaderValue) string {
	if len(h.GetRawValue()) == 0 {
		return h.GetValue()
	}
	return string(h.GetRawValue())
}

// FuzzStream sends any messages in any order: each gets a sound reply of its own kind, or the stream a status.
func FuzzStream(f *testing.F) {
	for _, sequence := range seeds() {
		var wire bytes.Buffer
		for _, m := range sequence {
			if _, err := protodelim.MarshalTo(&wire, m); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(wire.Bytes())
	}
	prepared := prepare(f, shopPolicies())
	f.Fuzz(func(t *testing.T, wire []byte) {
		decisions, metadata := 0, 0
		s := stream{prepared: prepared, decided: func(*Prepared, *policy.Request, *policy.Decision, time.Duration) { decisions++ }}
		for in := bytes.NewReader(wire); ; {
			m := &message{}
			if protodelim.UnmarshalFrom(in, m) != nil {
				break
			}
			out, next, err := s.step(m)
			if err != nil {
				if status.Code(err) != codes.InvalidArgument || out != nil || next != end {
					t.Errorf("error %v beside %v, %v", err, out, next)
				}
				break
			}
			if (out == nil) != m.GetObservabilityMode() {
				t.Errorf("observability mode %v, reply %v", m.GetObservabilityMode(), out)
			}
			if out != nil {
				checkReply(t, m, out)
			}
			if out.GetDynamicMetadata() != nil {
				metadata++
			}
			if next == end {
				break
			}
		}
		if decisions > 1 || metadata > decisions {
			t.Errorf("%d decisions, %d times metadata", decisions, metadata)
		}
	})
}
