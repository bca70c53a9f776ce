package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/corsproc/corsproc/server/tlstest"
)

// counted is a limit that counts what it does.
type counted struct {
	*connLimit
	refused, displaced atomic.Int64
}

func newCounted(max int) *counted {
	c := new(counted)
	c.connLimit = newConnLimit(max, func() { c.refused.Add(1) }, func() { c.displaced.Add(1) })
	return c
}

// come is a new connection that has come so far; nil: it was refused.
func (l *counted) come(t *testing.T, to connState) *limitedConn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	c := l.take(ours)
	if c == nil {
		return nil
	}
	if to >= connSpeaking {
		go func() { _, _ = theirs.Write([]byte("P")) }()
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if to >= connUnused && !l.greeted(c) {
		return nil
	}
	if to >= connUsed {
		l.used(c)
	}
	return c
}

// open reports whether a connection was not closed.
func (c *limitedConn) open() bool {
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	_, err := c.Conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func TestConnectionLimit(t *testing.T) {
	for _, test := range []struct {
		name   string
		before []connState // who is there, the oldest at first; two may have a place
		comes  connState
		closed int // which of them makes room; -1: none
		taken  bool
	}{
		{"the oldest that says nothing", []connState{connSpeaking, connSilent, connUsed}, connSilent, 1, true},
		{"the oldest of several", []connState{connSilent, connSilent}, connSilent, 0, true},
		{"the oldest in its greeting where all speak", []connState{connSpeaking, connSpeaking}, connSilent, 0, true},
		{"nobody while there is room", []connState{connSilent, connUsed}, connUsed, -1, true},
		{"who is silent for who says HTTP/2", []connState{connSilent, connSilent, connUnused}, connUsed, 0, true},
		{"who uses nothing for who has a certificate", []connState{connUsed, connUnused}, connUsed, 1, true},
		{"the oldest that uses nothing", []connState{connUnused, connUnused}, connUnused, 0, true},
		{"nobody where all is used", []connState{connUsed, connUsed}, connSilent, -1, false},
		{"not who is in its greeting, where all is used", []connState{connSpeaking, connUsed, connUsed}, connUsed, -1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newCounted(2)
			var all []*limitedConn
			for _, state := range test.before {
				all = append(all, l.come(t, state))
			}
			if taken := l.come(t, test.comes) != nil; taken != test.taken {
				t.Errorf("taken: %v", taken)
			}
			for i, c := range all {
				if open := c.open(); open == (i == test.closed) {
					t.Errorf("connection %d is open: %v", i, open)
				}
			}
			if l.slots() > 2 || l.greeting() > 2 || (l.displaced.Load() > 0) != (test.closed >= 0) {
				t.Errorf("%d with a slot, %d in their greeting, %d displaced", l.slots(), l.greeting(), l.displaced.Load())
			}
			for range 2 {
				for _, c := range all {
					c.Close() // a place is given back once
				}
			}
			if n := l.slots() + l.greeting(); n > 1 {
				t.Errorf("%d are left", n)
			}
		})
	}
}

// A place that was used and one that nobody had are told apart by who is refused: at once, before any handshake.
func TestConnectionLimitRefuses(t *testing.T) {
	l := newCounted(1)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := l.wrap(inner)
	defer listener.Close()
	if l.come(t, connUsed) == nil {
		t.Fatal("the first is refused")
	}
	go func() { _, _ = listener.Accept() }()
	nc, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection over the limit: %v, want EOF at once", err)
	}
	eventually(t, func() error {
		if n := l.refused.Load(); n != 1 {
			return fmt.Errorf("%d refused", n)
		}
		return nil
	})
}

// Under pressure who takes too long for a step goes, also where there is room.
func TestConnectionLimitPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newCounted(10)
		silent, speaking, used := l.come(t, connSilent), l.come(t, connSpeaking), l.come(t, connUsed)
		time.Sleep(time.Hour)
		l.come(t, connSilent)
		l.come(t, connSilent)
		if !silent.open() || !speaking.open() {
			t.Error("closed without need")
		}
		l.come(t, connSilent)
		time.Sleep(shortPatience - time.Nanosecond)
		late := l.come(t, connSilent)
		if silent.open() || speaking.open() || l.greeting() != 4 {
			t.Errorf("open: %v %v; %d in their greeting", silent.open(), speaking.open(), l.greeting())
		}
		time.Sleep(time.Nanosecond)
		l.come(t, connSilent)
		l.come(t, connSilent)
		if l.greeting() != 3 || !late.open() || !used.open() {
			t.Errorf("%d in their greeting; open: %v %v", l.greeting(), late.open(), used.open())
		}
	})
}

// TestSilentConnections has more clients than there are places that connect and go no further than they get. Whoever has the
// right certificate, or where there is no TLS speaks HTTP/2, is served beside them, at once and also on a new connection.
func TestSilentConnections(t *testing.T) { onEach(t, testSilentConnections) }

func testSilentConnections(t *testing.T, transport Transport) {
	const many, places = 1100, 1024
	clients, servers := tlstest.NewCA(t, "clients"), tlstest.NewCA(t, "servers")
	cert, key := servers.Issue(tlstest.Leaf{Names: []string{"127.0.0.1"}}).Write(t, t.TempDir(), "s")
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	for _, kind := range []struct {
		name   string
		mutual bool
		said   []string
	}{
		{"mutual TLS", true, []string{"", "\x16", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET / HTTP/1.1\r\n"}},
		{"plaintext", false, []string{"", "P", http2.ClientPreface, http2.ClientPreface + settings}},
	} {
		for _, said := range kind.said {
			t.Run(fmt.Sprintf("%s/%d bytes", kind.name, len(said)), func(t *testing.T) {
				creds := insecure.NewCredentials()
				r := start(t, somePolicies, func(s *Settings) {
					s.Transport, s.MaxConnections = transport, places
					if kind.mutual {
						s.TLSCert, s.TLSKey, s.TLSClientCA = cert, key, tlstest.WriteFile(t, t.TempDir(), "ca", clients.PEM)
					}
				})
				if kind.mutual {
					leaf := clients.Issue(tlstest.Leaf{Names: []string{"envoy"}})
					creds = credentials.NewTLS(&tls.Config{RootCAs: servers.Pool(), Certificates: []tls.Certificate{leaf.TLS(t)}})
				}
				for range many {
					nc, err := net.Dial("tcp", r.listen)
					if err != nil {
						t.Fatal(err)
					}
					defer nc.Close()
					_, _ = nc.Write([]byte(said))
				}
				for i := range 3 {
					if err := healthOver(t, r.listen, creds); err != nil {
						t.Fatalf("beside %d clients that say %q, connection %d: %v", many, said, i, err)
					}
				}
				_, metrics := r.http("GET", "/metrics")
				for _, name := range []string{"corsproc_connections_active", "corsproc_connections_greeting"} {
					i := strings.Index(metrics, "\n"+name+" ")
					var n int
					if _, err := fmt.Sscanf(metrics[i+len(name)+2:], "%d", &n); i < 0 || err != nil || n > places {
						t.Errorf("%s: %d, %v", name, n, err)
					}
				}
			})
		}
	}
}
