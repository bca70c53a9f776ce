package server

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// maxAdminConnections bounds the connections on the admin address: Prometheus, probes and a few browsers, whose every tab
// has up to six.
const maxAdminConnections = 256

// adminLimit bounds the connections on the admin address. A new one over the limit takes the place of the one on which
// longest no request was answered, whether it never sent one or is kept for the next. Where every one is being answered,
// the new one is closed at once.
type adminLimit struct {
	max     int
	refused func()

	mu   sync.Mutex
	open int
	idle list.List // of *adminConn that no request is answered on, the longest idle first
}

// wrap returns a listener whose connections count.
func (l *adminLimit) wrap(inner net.Listener) net.Listener { return &adminListener{inner, l} }

type adminListener struct {
	net.Listener
	limit *adminLimit
}

func (l *adminListener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.limit.take(nc); c != nil {
			return c, nil
		}
		nc.Close()
		l.limit.refused()
	}
}

// take takes a new connection in, or returns nil where there is no place.
func (l *adminLimit) take(nc net.Conn) *adminConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.max {
		longest := l.idle.Front()
		if longest == nil {
			return nil
		}
		c := longest.Value.(*adminConn)
		c.leave()
		c.Conn.Close()
	}
	c := &adminConn{Conn: nc, limit: l}
	c.entry = l.idle.PushBack(c)
	l.open++
	return c
}

// adminConn is a connection that counts.
type adminConn struct {
	net.Conn
	limit *adminLimit

	// Under the limit's lock:
	entry    *list.Element // in idle
	requests int           // that are being answered
	left     bool          // it counts no more
}

// leave counts the connection no more. The lock is held.
func (c *adminConn) leave() {
	if c.left {
		return
	}
	c.left = true
	c.limit.open--
	if c.entry != nil {
		c.limit.idle.Remove(c.entry)
		c.entry = nil
	}
}

// Close closes the connection.
func (c *adminConn) Close() error {
	c.limit.mu.Lock()
	c.leave()
	c.limit.mu.Unlock()
	return c.Conn.Close()
}

// answering notes that a request begins (1) or ends (-1).
func (c *adminConn) answering(change int) {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	c.requests += change
	switch {
	case c.left:
	case c.requests > 0 && c.entry != nil:
		c.limit.idle.Remove(c.entry)
		c.entry = nil
	case c.requests == 0:
		c.entry = c.limit.idle.PushBack(c)
	}
}

// adminConnKey is where a request's context has its connection.
type adminConnKey struct{}

// known puts a connection into the context of its requests (http.Server.ConnContext).
func (l *adminLimit) known(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, adminConnKey{}, nc)
}

// answers returns the handler, with connections known to be answered meanwhile.
func (l *adminLimit) answers(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := r.Context().Value(adminConnKey{}).(*adminConn)
		c.answering(1)
		defer c.answering(-1)
		h.ServeHTTP(w, r)
	})
}
