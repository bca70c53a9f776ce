package loop

import (
	"context"
	"encoding/binary"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// relay carries a stream to the gRPC server beside us: health and reflection, a few streams of a few messages each.
type relay struct {
	messages chan []byte
	cancel   context.CancelFunc
	closed   bool // messages is
}

const (
	// maxRelays is how many streams of a connection are relayed at a time.
	maxRelays = 100
	// maxRelayed is how many messages of a stream may wait for the gRPC server.
	maxRelayed = 16
	// maxRelayedBytes is how large each may be: they name a service or a file.
	maxRelayedBytes = 16 << 10
)

// relayTo begins to relay a stream.
func (c *conn) relayTo(s *stream, method string) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &relay{messages: make(chan []byte, maxRelayed), cancel: cancel}
	s.relay = r
	c.relays++
	id := s.id
	go func() {
		defer c.server.recovered(c)
		defer func() {
			c.mu.Lock()
			c.relays--
			c.mu.Unlock()
		}()
		defer cancel()
		var sending sync.WaitGroup
		st := c.relayed(ctx, r, id, method, &sending)
		c.answer(r, id, func(s *stream) { c.end(s, st) })
		sending.Wait() // until the stream is forgotten
	}()
}

// relayed relays until the stream has ended, and returns its status. What it sends goes on until r.messages is closed.
func (c *conn) relayed(ctx context.Context, r *relay, id uint32, method string, sending *sync.WaitGroup) *status.Status {
	both := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	cs, err := c.server.Others.NewStream(ctx, both, method, grpc.ForceCodecV2(asIs{}))
	if err != nil {
		return status.Convert(err)
	}
	sending.Go(func() {
		defer c.server.recovered(c)
		for m := range r.messages {
			if cs.SendMsg(&m) != nil {
				return // RecvMsg tells why
			}
		}
		_ = cs.CloseSend()
	})
	for {
		var m []byte
		if err := cs.RecvMsg(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return status.Convert(err)
		}
		c.answer(r, id, func(s *stream) { c.send(s, append(prefix(len(m)), m...)) })
	}
}

// answer answers on a relayed stream, if it is still open.
func (c *conn) answer(r *relay, id uint32, write func(*stream)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[id]
	if c.failed || s == nil || s.relay != r {
		return
	}
	write(s)
	c.write()
	if c.finished() {
		c.wake()
	}
}

// send hands a message over. It reports whether there was room.
func (r *relay) send(message []byte) bool {
	if len(message) > maxRelayedBytes {
		return false
	}
	select {
	case r.messages <- append([]byte(nil), message...):
		return true
	default:
		return false
	}
}

func (r *relay) closeSend() {
	if !r.closed {
		r.closed = true
		close(r.messages)
	}
}

func (r *relay) stop() {
	r.cancel()
	r.closeSend()
}

// asIs is the codec of messages that are bytes.
type asIs struct{}

var _ encoding.CodecV2 = asIs{}

func (asIs) Name() string { return "proto" }

func (asIs) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (asIs) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// prefix returns what stands before a message of that many bytes.
func prefix(size int) []byte { return binary.BigEndian.AppendUint32([]byte{0}, uint32(size)) }
