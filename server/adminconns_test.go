package server

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// TestAdminConnections opens more connections to the admin address than there may be, that say nothing, half of something,
// or keep one alive. The oldest make room for whoever comes, a probe for example.
func TestAdminConnections(t *testing.T) {
	r := start(t, somePolicies, nil)
	const half = "GET /-/ready HTTP/1.1\r\nHost: localhost\r\n"
	var open []net.Conn
	for i := range 2*adminMaxConns + 3 {
		c, err := net.Dial("tcp", r.admin)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
		switch i % 3 {
		case 0:
			continue
		case 1:
			_, err = io.WriteString(c, half)
		case 2:
			if _, err = io.WriteString(c, half+"\r\n"); err == nil {
				var resp *http.Response
				if resp, err = http.ReadResponse(bufio.NewReader(c), nil); err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
				}
			}
		}
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	if status, text := r.http("GET", "/-/ready"); status != 200 {
		t.Errorf("a probe beside them: %d %s", status, text)
	}
	// All but the last are closed, and no more than that: the probe's own took the place of one.
	for i, c := range open {
		closed := i < len(open)-adminMaxConns
		patience := patience
		if !closed {
			patience = time.Millisecond
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		_, err := c.Read(make([]byte, 1))
		if waits := errors.Is(err, os.ErrDeadlineExceeded); waits == closed && i != len(open)-adminMaxConns {
			t.Errorf("connection %d of %d: %v", i, len(open), err)
		}
	}
	if status, text := r.call("Status", "{}"); status != 200 {
		t.Errorf("a call: %d %s", status, text)
	}
}
