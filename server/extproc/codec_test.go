package extproc

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/corsproc/corsproc/policy"
)

// asEnvoy encodes a message with bytes in its attributes that are no UTF-8, which Go's encoder refuses and Envoy's does
// not: every ~ stands for one.
func asEnvoy(t testing.TB, m *message) []byte {
	t.Helper()
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(wire, []byte("~"), []byte("\xff"))
}

func TestCodecReadsWhatIsNoUTF8(t *testing.T) {
	m := with(responseMessage(":status: 200", "vary: ~"), filterName, attrs{
		"xds.virtual_host_name":     "é",
		"request.path":              "/~",
		"request.headers['origin']": "https://~shop.example~",
	})
	var got message
	if err := Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(asEnvoy(t, m))}, &got); err != nil {
		t.Fatal(err)
	}
	var r policy.Request
	readAnswered(&got, &r)
	if r.VirtualHost != "é" || r.Path != "/\x7f" || r.Origin != policy.Line("https://\x7fshop.example\x7f") {
		t.Errorf("read %+v", r)
	}
	if lines := varyLines(&got); len(lines) != 1 || lines[0] != "\xff" {
		t.Errorf("Vary %q; headers are bytes and stay what they are", lines)
	}
}

func TestCodecLeavesTheRestToTheStockOne(t *testing.T) {
	c := Codec()
	if c.Name() != "proto" {
		t.Errorf("is called %q", c.Name())
	}
	var text structpb.Value
	if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer("\x1a\x01\xff")}, &text); err == nil {
		t.Error("another message with a string that is no UTF-8 was read")
	}
	in := requestMessage(":method: GET")
	wire, err := c.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out message
	if err := c.Unmarshal(wire, &out); err != nil || !proto.Equal(in, &out) {
		t.Errorf("%v became %v, %v", in, &out, err)
	}
}

// Nesting costs the sender four bytes a level and must not cost us a stack frame.
func TestCodecBoundsNesting(t *testing.T) {
	v := structpb.NewStringValue("~")
	for range deepest {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	m := responseMessage(":status: 200")
	m.Attributes = map[string]*structpb.Struct{filterName: {Fields: map[string]*structpb.Value{"a": v}}}
	var got message
	if err := Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(asEnvoy(t, m))}, &got); err == nil {
		t.Error("repaired a text at any depth")
	}
}
