package extproc

import (
	"unicode/utf8"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Codec returns the codec that a gRPC server of this service needs (grpc.ForceServerCodecV2). It is the stock one for
// every message but Envoy's.
//
// Envoy copies header values into attributes as they are, also those that are no UTF-8, which the stock codec refuses:
// one byte in an Origin would end the stream with an error, and where Envoy fails open, a request that was to be stopped
// would go on, or an answer keep the upstream's CORS headers. In such a message every byte that is no UTF-8 is read as a
// DEL, which nothing of HTTP's allows either: an origin with one is malformed. Headers are bytes and stay what they are.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2(proto.Name)} }

type codec struct{ encoding.CodecV2 }

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	err := c.CodecV2.Unmarshal(data, v)
	m, ok := v.(*message)
	if err == nil || !ok {
		return err
	}
	wire := data.Materialize()
	repair(wire, m.ProtoReflect().Descriptor(), 0)
	return pb.Unmarshal(wire, m)
}

// deepest bounds the nesting that is repaired. An attribute's text is at depth 4; what forwarded metadata nests is up
// to Envoy's configuration, and deeper than any is an attack on the stack.
const deepest = 64

// repair makes UTF-8 of the string fields of an encoded message, in place. It leaves alone what it cannot read.
func repair(wire []byte, d protoreflect.MessageDescriptor, depth int) {
	for len(wire) > 0 && depth < deepest {
		number, typ, size := protowire.ConsumeTag(wire)
		if size < 0 {
			return
		}
		wire = wire[size:]
		if size = protowire.ConsumeFieldValue(number, typ, wire); size < 0 {
			return
		}
		if f := d.Fields().ByNumber(number); f != nil && typ == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(wire)
			switch f.Kind() {
			case protoreflect.StringKind:
				repairText(value)
			case protoreflect.MessageKind:
				repair(value, f.Message(), depth+1)
			}
		}
		wire = wire[size:]
	}
}

func repairText(text []byte) {
	const del = 0x7f
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			text[i] = del
		}
		i += size
	}
}
