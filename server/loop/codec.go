package loop

// Tested by relay_test.go and server/transports_test.go.

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Bytes is the codec of messages that are bytes already, each a *[]byte, for gRPC clients and servers that take them apart
// themselves. Other messages are protobuf's, as everywhere.
type Bytes struct{}

var _ encoding.CodecV2 = Bytes{}

// Name is what content types call it.
func (Bytes) Name() string { return proto.Name }

// Marshal returns the bytes themselves, which must not change any more.
func (Bytes) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(*[]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
	}
	return encoding.GetCodecV2(proto.Name).Marshal(v)
}

// Unmarshal returns a copy.
func (Bytes) Unmarshal(data mem.BufferSlice, v any) error {
	if b, ok := v.(*[]byte); ok {
		*b = data.Materialize()
		return nil
	}
	return encoding.GetCodecV2(proto.Name).Unmarshal(data, v)
}
