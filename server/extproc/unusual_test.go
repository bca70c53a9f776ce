package extproc

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/corsproc/corsproc/policy"
)

// asEnvoy encodes a message with bytes in its attributes that are no UTF-8, which Go's encoder refuses and Envoy's does
// not: every ~ stands for one.
func asEnvoy(t testing.TB, m *processingRequest) []byte {
	t.Helper()
	return bytes.ReplaceAll(encode(t, m), []byte("~"), []byte("\xff"))
}

func TestWhatIsNoUTF8(t *testing.T) {
	usual := with(responseMessage(":status: 200", "vary: ~"), filterName, attrs{
		"xds.virtual_host_name":     "é",
		"request.path":              "/~",
		"request.headers['origin']": "https://~shop.example~",
	})
	unusual := proto.CloneOf(usual)
	unusual.GetResponseHeaders().Headers.Headers[0].Key = ":Status"
	for _, m := range []*processingRequest{usual, unusual} {
		got := read(t, asEnvoy(t, m))
		if got.usual != (m == usual) {
			t.Errorf("%v: usual %v", m, got.usual)
		}
		r := got.request
		if r.VirtualHost != "é" || r.Path != "/\x7f" || r.Origin != policy.Line("https://\x7fshop.example\x7f") {
			t.Errorf("read %+v", r)
		}
		if len(got.upstream.vary) != 1 || got.upstream.vary[0] != "\xff" {
			t.Errorf("Vary %q; headers are bytes and stay what they are", got.upstream.vary)
		}
	}
}

// Nesting costs the sender four bytes a level and must not cost us a stack frame.
func TestRepairBoundsNesting(t *testing.T) {
	v := structpb.NewStringValue("~")
	for range deepest {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	m := responseMessage(":status: 200")
	m.Attributes = map[string]*structpb.Struct{filterName: {Fields: map[string]*structpb.Value{"a": v}}}
	if _, err := tryRead(asEnvoy(t, m)); err == nil {
		t.Error("repaired a text at any depth")
	}
}
