package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func TestAdminLimit(t *testing.T) {
	refused := 0
	l := &adminLimit{max: 3, refused: func() { refused++ }}
	come := func() *adminConn {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { ours.Close(); theirs.Close() })
		return l.take(ours)
	}
	open := func(c *adminConn) bool {
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
		_, err := c.Conn.Read(make([]byte, 1))
		return errors.Is(err, os.ErrDeadlineExceeded)
	}
	first, second, third := come(), come(), come()
	first.answering(1)
	first.answering(1) // HTTP/2 has several
	if fourth := come(); fourth == nil || open(second) || !open(first) || !open(third) {
		t.Errorf("a fourth: %v %v %v %v", fourth, open(first), open(second), open(third))
	}
	third.answering(1)
	third.answering(-1) // it is the last now that makes room
	first.answering(-1)
	fifth := come()
	if fifth == nil || !open(third) || !open(first) {
		t.Errorf("a fifth: %v %v %v", fifth, open(first), open(third))
	}
	third.answering(1)
	fifth.answering(1)
	if come() != nil {
		t.Error("one more is taken while all are answered")
	}
	for _, c := range []*adminConn{first, second, third, fifth, first} {
		c.Close()
	}
	third.answering(-1) // what was on its way
	if l.open != 0 || l.idle.Len() != 0 {
		t.Errorf("%d are open, %d of them idle", l.open, l.idle.Len())
	}
}

// TestSilentAdminConnections has more clients than may connect to the admin address, which say nothing, or half a request,
// or keep a connection on which they were answered. The oldest goes, and others are answered beside them.
func TestSilentAdminConnections(t *testing.T) {
	const whole = "GET /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, said := range []string{"", "G", "GET / HTTP/1.1\r\nHost: local", whole} {
		t.Run(fmt.Sprintf("%d bytes", len(said)), func(t *testing.T) {
			r := start(t, somePolicies, nil)
			var first net.Conn
			for range maxAdminConnections + 50 {
				nc, err := net.Dial("tcp", r.admin)
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				if first == nil {
					first = nc
				}
				_, _ = nc.Write([]byte(said))
				if said != whole {
					continue
				}
				_ = nc.SetReadDeadline(time.Now().Add(patience))
				if _, err := io.ReadFull(nc, make([]byte, 15)); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				if status, body := r.http("GET", "/-/ready"); status != 200 {
					t.Errorf("%d %s", status, body)
				}
			}
			_ = first.SetReadDeadline(time.Now().Add(adminReadTimeout / 2)) // before its own time is over
			if _, err := io.Copy(io.Discard, first); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the oldest is still open")
			}
		})
	}
}
