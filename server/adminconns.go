package server

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// adminConns bounds the connections to the admin address. When there is one too many, the oldest idle one is closed: one on
// which no request is being answered. So clients that say nothing, or very slowly, keep nobody out, and no probe.
type adminConns struct {
	most int

	mu   sync.Mutex
	open []*adminConn // in the order in which they came
}

type adminConn struct {
	net.Conn
	conns *adminConns
	busy  int // requests that are being answered
}

type adminConnKey struct{}

// watch bounds the connections of a server.
func (c *adminConns) watch(s *http.Server) {
	next := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := r.Context().Value(adminConnKey{}).(*adminConn)
		conn.add(1)
		defer conn.add(-1)
		next.ServeHTTP(w, r)
	})
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, adminConnKey{}, c.opened(conn))
	}
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			c.closed(conn)
		}
	}
}

func (c *adminConn) add(requests int) {
	c.conns.mu.Lock()
	defer c.conns.mu.Unlock()
	c.busy += requests
}

// opened takes note of a new connection. If there are too many, it closes the oldest idle one, which may be this one.
func (c *adminConns) opened(conn net.Conn) *adminConn {
	now := &adminConn{Conn: conn, conns: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, now)
	if len(c.open) <= c.most {
		return now
	}
	for i, old := range c.open {
		if old.busy == 0 {
			old.Close()
			c.open = append(c.open[:i], c.open[i+1:]...)
			break
		}
	}
	return now
}

func (c *adminConns) closed(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, old := range c.open {
		if old.Conn == conn {
			c.open = append(c.open[:i], c.open[i+1:]...)
			return
		}
	}
}
