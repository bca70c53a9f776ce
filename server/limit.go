package server

import (
	"container/list"
	"net"
	"sync"
	"time"
)

// shortPatience is how long a connection may take for each step of its greeting while max/2 others or more are in theirs.
// An Envoy takes milliseconds.
const shortPatience = 2 * time.Second

// connLimit bounds the connections of several listeners together. There are max slots. A connection gets one when its
// greeting is over: the TLS handshake, if any, and HTTP/2's preface. Another max connections may be in their greeting.
//
// When one more comes, one that asks for nothing makes room for it: in the greeting the oldest that has said nothing, among
// those with a slot the oldest on which no stream was ever opened. So clients that only connect, or that lack a
// certificate, keep nobody out. When all slots have had streams, a new connection is accepted and closed at once. Left in
// the backlog, its client would wait and not learn why.
type connLimit struct {
	max       int
	refused   func() // called for every connection over the limit
	displaced func() // called for every connection that was closed to make room

	mu     sync.Mutex
	states [connStates]list.List // of *limitedConn, in the order in which they came into the state
}

// connState is how far a connection has come.
type connState int

const (
	connSilent   connState = iota // nothing was read from it
	connSpeaking                  // its greeting has begun
	connUnused                    // has a slot, and no stream was ever opened
	connUsed                      // has a slot; only its client or a stop ends it
	connStates                    // how many states there are
	connClosed   connState = -1
)

func newConnLimit(max int, refused, displaced func()) *connLimit {
	return &connLimit{max: max, refused: refused, displaced: displaced}
}

// wrap returns a listener whose connections count.
func (l *connLimit) wrap(inner net.Listener) net.Listener { return &limitedListener{inner, l} }

// slots returns how many slots are taken.
func (l *connLimit) slots() int64 { return l.count(connUnused, connUsed) }

// greeting returns how many connections are in their greeting.
func (l *connLimit) greeting() int64 { return l.count(connSilent, connSpeaking) }

func (l *connLimit) count(states ...connState) (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range states {
		n += int64(l.states[s].Len())
	}
	return n
}

// take begins the greeting of a new connection. It returns nil if all slots have had streams.
func (l *connLimit) take(nc net.Conn) *limitedConn {
	l.mu.Lock()
	if l.states[connUsed].Len() >= l.max {
		l.mu.Unlock()
		return nil
	}
	var gone []*limitedConn
	silent, speaking := &l.states[connSilent], &l.states[connSpeaking]
	if 2*(silent.Len()+speaking.Len()) >= l.max {
		for _, state := range []*list.List{silent, speaking} {
			for c := oldest(state); c != nil && time.Since(c.since) >= shortPatience; c = oldest(state) {
				gone = append(gone, c.move(connClosed))
			}
		}
	}
	if silent.Len()+speaking.Len() >= l.max {
		c := oldest(silent)
		if c == nil {
			c = oldest(speaking)
		}
		gone = append(gone, c.move(connClosed))
	}
	c := (&limitedConn{Conn: nc, limit: l, state: connClosed}).move(connSilent)
	l.mu.Unlock()
	l.displace(gone)
	return c
}

// oldest returns the connection that came into a state first, or nil.
func oldest(state *list.List) *limitedConn {
	if e := state.Front(); e != nil {
		return e.Value.(*limitedConn)
	}
	return nil
}

// displace closes connections that make room. It is called without the lock, because it logs, and logging may block.
func (l *connLimit) displace(gone []*limitedConn) {
	for _, c := range gone {
		c.Conn.Close()
		l.displaced()
	}
}

// greeted gives a connection that has said HTTP/2 its slot, and reports whether there was one.
func (l *connLimit) greeted(nc net.Conn) bool {
	c := limitedOf(nc)
	l.mu.Lock()
	if c.state == connClosed {
		l.mu.Unlock()
		return false
	}
	var gone []*limitedConn
	if unused := &l.states[connUnused]; unused.Len()+l.states[connUsed].Len() >= l.max {
		if unused.Len() == 0 {
			l.mu.Unlock()
			l.refused()
			return false
		}
		gone = append(gone, oldest(unused).move(connClosed))
	}
	c.move(connUnused)
	l.mu.Unlock()
	l.displace(gone)
	return true
}

// used notes that a stream was opened on a connection.
func (l *connLimit) used(nc net.Conn) {
	c := limitedOf(nc)
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.state != connClosed {
		c.move(connUsed)
	}
}

// limitedOf returns the limitedConn: nc itself, or the connection below its TLS.
func limitedOf(nc net.Conn) *limitedConn {
	if secured, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = secured.NetConn()
	}
	return nc.(*limitedConn)
}

type limitedListener struct {
	net.Listener
	limit *connLimit
}

func (l *limitedListener) Accept() (net.Conn, error) {
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

// limitedConn is a connection that counts.
type limitedConn struct {
	net.Conn
	limit *connLimit
	spoke bool // of the reading goroutine alone

	// Under the limit's lock:
	state connState
	since time.Time     // when it came into the state
	entry *list.Element // in the state's list
}

// move brings the connection into a state, and returns the connection. The lock is held.
func (c *limitedConn) move(to connState) *limitedConn {
	if c.state != connClosed {
		c.limit.states[c.state].Remove(c.entry)
	}
	if c.state, c.entry = to, nil; to != connClosed {
		c.since, c.entry = time.Now(), c.limit.states[to].PushBack(c)
	}
	return c
}

// Read notes the first thing that the client says.
func (c *limitedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.spoke {
		c.spoke = true
		c.limit.mu.Lock()
		if c.state == connSilent {
			c.move(connSpeaking)
		}
		c.limit.mu.Unlock()
	}
	return n, err
}

// Close closes the connection, which counts no more.
func (c *limitedConn) Close() error {
	c.limit.mu.Lock()
	c.move(connClosed)
	c.limit.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite tells the client that nothing more comes.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
