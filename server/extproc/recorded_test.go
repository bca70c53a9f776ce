package extproc

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// recorded returns messages of a real Envoy 1.40 with envoy.yaml, as it wrote them: requests with and without Origin,
// preflights, two Origin lines, and the answers of an upstream and of Envoy itself.
func recorded(t testing.TB) (messages [][]byte) {
	t.Helper()
	files, err := filepath.Glob("testdata/envoy/*.bin")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d messages of Envoy: %v", len(files), err)
	}
	for _, name := range files {
		message, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, message)
	}
	return messages
}

// Whatever a real Envoy writes is read without the generated types, and means what they say.
func TestRecorded(t *testing.T) {
	for _, message := range recorded(t) {
		var m processingRequest
		if err := proto.Unmarshal(message, &m); err != nil {
			t.Fatal(err)
		}
		if got := read(t, message); !got.usual {
			t.Errorf("unusual: %v", &m)
		}
	}
}

// raced says that the race detector is on, under which pools lose things on purpose.
var raced bool

// A message of Envoy's costs no allocation, nor does the reply.
func TestStepAllocations(t *testing.T) {
	if raced {
		t.Skip("pools lose things under the race detector")
	}
	s := New(always(compiled(t, shopPolicies())), Hooks{})
	for _, exchange := range exchanges(t) {
		out := make([]byte, 0, 4096)
		allocations := testing.AllocsPerRun(100, func() {
			st := s.Begin("", "")
			for _, message := range exchange.messages {
				var err error
				if out, _, err = st.Step(message, out[:0]); err != nil {
					t.Fatal(err)
				}
			}
			st.End(codes.OK)
		})
		if allocations > exchange.allocations {
			t.Errorf("%s: %v allocations, want at most %v", exchange.name, allocations, exchange.allocations)
		}
	}
}

// BenchmarkStep is the price of whole streams: reading, deciding and writing, without anything of gRPC.
func BenchmarkStep(b *testing.B) {
	s := New(always(compiled(b, shopPolicies())), Hooks{})
	for _, exchange := range exchanges(b) {
		b.Run(exchange.name, func(b *testing.B) {
			b.ReportAllocs()
			out := make([]byte, 0, 4096)
			for b.Loop() {
				st := s.Begin("", "")
				for _, message := range exchange.messages {
					out, _, _ = st.Step(message, out[:0])
				}
				st.End(codes.OK)
			}
		})
	}
}

type costly struct {
	name        string
	messages    [][]byte
	allocations float64
}

// exchanges are the streams of everyday requests, written as Envoy does.
func exchanges(t testing.TB) []costly {
	place := attrs{"xds.virtual_host_name": "api", "xds.route_name": "orders"}
	of := func(method string, more ...string) []byte {
		m := with(requestMessage(request(method, "/orders/7?full", more...)...), filterName, place)
		return encode(t, m)
	}
	ok := encode(t, with(responseMessage(":status: 200", "vary: Accept-Encoding, Accept"), filterName, place))
	answered := encode(t, with(responseMessage(":status: 200"), filterName, attrs{
		"xds.virtual_host_name": "api", "xds.route_name": "orders", "request.method": "GET", "request.scheme": "https",
		"request.host": "api.example", "request.path": "/orders/7?full", "request.headers['origin']": "https://shop.example",
		"request.headers['sec-fetch-site']": "cross-site",
	}))
	const shop, other = "origin: https://shop.example", "origin: https://other.example"
	return []costly{
		{"no Origin", [][]byte{of("GET"), ok}, 0},
		{"allowed", [][]byte{of("GET", shop), ok}, 0},
		{"refused", [][]byte{of("GET", other), ok}, 0},
		{"preflight", [][]byte{of("OPTIONS", shop, "access-control-request-method: PUT", "access-control-request-headers: x-token")}, 0},
		{"response phase only", [][]byte{answered}, 0},
	}
}
