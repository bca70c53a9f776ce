package loop

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// relay carries a stream to the gRPC server beside us: reflection, a few streams of a few messages each.
type relay struct {
	messages chan []byte
	written  chan struct{} // told when an answer that waited is sent
	cancel   context.CancelFunc
	closed   bool // messages is
}

const (
	// maxRelays and maxAllRelays are how many streams are relayed at a time: of a connection, and of the process. Answers of
	// reflection are hundreds of times as large as its questions.
	maxRelays    = 4
	maxAllRelays = 16
	// maxRelayTime is how long each may last, so that its slot is not held for ever.
	maxRelayTime = time.Minute
	// maxRelayed is how many messages of a stream may wait for the gRPC server.
	maxRelayed = 16
	// maxRelayedBytes is how large each may be: they name a service or a file.
	maxRelayedBytes = 16 << 10
)

// relayTo begins to relay a stream.
func (c *conn) relayTo(s *stream, method string) {
	ctx, cancel := context.WithTimeout(context.Background(), maxRelayTime)
	r := &relay{messages: make(chan []byte, maxRelayed), written: make(chan struct{}, 1), cancel: cancel}
	s.relay = r
	c.relays++
	id := s.id
	go func() {
		defer c.server.recovered(c)
		defer func() {
			c.mu.Lock()
			c.relays--
			c.mu.Unlock()
			c.server.relays.Add(-1)
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
	cs, err := c.server.Others.NewStream(ctx, both, method, grpc.ForceCodecV2(Bytes{}))
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
		waits := false
		c.answer(r, id, func(s *stream) {
			c.send(s, append(prefix(len(m)), m...))
			waits = len(s.waiting) > 0
		})
		if !waits {
			continue
		}
		select { // a client that does not read gets no further answers
		case <-r.written:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err())
		}
	}
}

// wrote tells that nothing waits any more.
func (r *relay) wrote() {
	select {
	case r.written <- struct{}{}:
	default:
	}
}

// has reports whether the gRPC server beside us has a method.
func (s *Server) has(method string) bool {
	_, ok := s.Methods[method]
	return ok
}

// takeRelay takes one of the slots of the process.
func (s *Server) takeRelay() bool {
	if s.relays.Add(1) <= maxAllRelays {
		return true
	}
	s.relays.Add(-1)
	return false
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

// prefix returns what stands before a message of that many bytes.
func prefix(size int) []byte { return binary.BigEndian.AppendUint32([]byte{0}, uint32(size)) }
