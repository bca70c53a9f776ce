package loop

// Tested by loop_test.go and work_test.go.

import (
	"errors"
	"maps"
	"net"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/corsproc/corsproc/server/extproc"
)

// Server serves connections. Its fields are set before the first [Server.Serve] and stay as they are.
type Server struct {
	// Process answers the streams of Path.
	Process *extproc.Server
	// Path is the one gRPC method that is answered here.
	Path string
	// Others is where streams of Methods are relayed to. Streams of any other method end with UNIMPLEMENTED.
	Others *grpc.ClientConn
	// Methods are the full names of methods that Others has.
	Methods map[string]struct{}
	// HealthServices are the names that health is answered for.
	HealthServices []string
	// MaxMessageBytes bounds a gRPC message. One that is larger ends its stream with RESOURCE_EXHAUSTED.
	MaxMessageBytes int
	// MaxConcurrentStreams bounds the open streams of a connection; more are refused with REFUSED_STREAM, which clients
	// may try again. 0: no limit.
	MaxConcurrentStreams uint32
	// HandshakeTimeout is how long a new connection may take to say HTTP/2.
	HandshakeTimeout time.Duration
	// Greeted is told of a connection that has said HTTP/2, and says whether it may stay. It may be nil.
	Greeted func(net.Conn) bool
	// Used is told of a connection on which the first stream is opened. It may be nil.
	Used func(net.Conn)
	// Panicked is told of a bug of ours: what was recovered, and the stack it came from. It may be nil.
	Panicked func(recovered any, stack []byte)
	// Ended is told of a connection that we have ended because of what its client did. It may be nil.
	Ended func(Ended)

	healthy   atomic.Bool  // what health says
	relays    atomic.Int64 // streams that are relayed
	cut       atomic.Bool  // Stop was called
	mu        sync.Mutex
	conns     map[*conn]struct{}
	listeners map[net.Listener]struct{}
	stopping  bool
	serving   sync.WaitGroup // connections
}

// ErrStopped is returned by [Server.Serve] once the server is stopped.
var ErrStopped = errors.New("the server is stopped")

// Serve accepts connections until the server is stopped, when it returns [ErrStopped], or until the listener fails.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		l.Close()
		return ErrStopped
	}
	if s.conns == nil {
		s.conns, s.listeners = map[*conn]struct{}{}, map[net.Listener]struct{}{}
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.isStopping() {
				return ErrStopped
			}
			if isTemporary(err) {
				time.Sleep(acceptPause)
				continue
			}
			return err
		}
		if c := s.take(nc); c != nil {
			go s.serve(c)
		} else {
			nc.Close()
		}
	}
}

// serve serves a connection until it ends. A bug of ours costs that connection, not the process.
func (s *Server) serve(c *conn) {
	defer s.release(c)
	defer s.recovered(c)
	c.serve()
}

// recovered closes the connection if one of its goroutines panics. It is deferred directly.
func (s *Server) recovered(c *conn) {
	r := recover()
	if r == nil {
		return
	}
	c.net.Close()
	if s.Panicked != nil {
		s.Panicked(r, debug.Stack())
	}
}

// acceptPause is how long nothing is accepted when the process has no file descriptor left for a connection.
const acceptPause = 50 * time.Millisecond

// isTemporary reports whether accepting may succeed later: the connection was at fault, or a resource has run out.
func isTemporary(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

func (s *Server) take(nc net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	s.serving.Add(1)
	return c
}

func (s *Server) release(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.serving.Done()
}

// closeListeners lets no connection come any more, and returns those that are there.
func (s *Server) closeListeners() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for l := range s.listeners {
		l.Close()
	}
	return slices.Collect(maps.Keys(s.conns))
}

// connections returns the connections that are there.
func (s *Server) connections() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.conns))
}

// GracefulStop closes the listeners, tells every client to open no further stream, and returns when those that are open
// have ended.
func (s *Server) GracefulStop() {
	for _, c := range s.closeListeners() {
		go func() {
			defer s.recovered(c)
			c.drain() // which waits for a client that is slow to read
		}()
	}
	s.serving.Wait()
}

// Stop closes the listeners and all connections, and returns when nothing is served any more.
func (s *Server) Stop() {
	s.cut.Store(true)
	for _, c := range s.closeListeners() {
		c.net.Close()
	}
	s.serving.Wait()
}
