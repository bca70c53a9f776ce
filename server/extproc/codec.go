package extproc

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// frame is a message as it travels.
type frame struct{ bytes []byte }

// Codec returns the codec that a gRPC server of this service needs (grpc.ForceServerCodecV2): it leaves the messages of
// streams encoded, and is the stock one for every other.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2(proto.Name)} }

type codec struct{ encoding.CodecV2 }

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	f.bytes = append(f.bytes[:0], make([]byte, data.Len())...)
	data.CopyTo(f.bytes)
	return nil
}

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	// A copy, because grpc may send it after Send has returned.
	return mem.BufferSlice{mem.Copy(f.bytes, mem.DefaultBufferPool())}, nil
}
