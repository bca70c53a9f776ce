//go:build linux

package main

// Tested by bench_test.go.

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// client is a keep-alive connection that sends one request after the other and checks each answer.
//
// It shares the cores with what it measures, so it does no more than that takes: bytes made ahead, one write, mostly one
// read, and a search for the lines that have to be there. net/http's client, and load generators that measure in more
// detail, cost several times as much per request, and every microsecond of theirs delays what is measured.
type client struct {
	conn  net.Conn
	buf   []byte
	want  expectation
	lines [][]byte // want.lines as they stand in an answer

	requests [][]byte
	next     int // of them
}

// loadPatience is how long a connection may live; no load takes as long.
const loadPatience = 5 * time.Minute

func dial(address string, want expectation) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, startPatience)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(loadPatience)); err != nil { // once: it costs a system call's worth
		conn.Close()
		return nil, err
	}
	c := &client{conn: conn, buf: make([]byte, 16<<10), want: want}
	for _, line := range want.lines {
		c.lines = append(c.lines, []byte("\r\n"+line+"\r\n"))
	}
	return c, nil
}

var (
	endOfHead     = []byte("\r\n\r\n")
	contentLength = []byte("\r\ncontent-length: ") // Envoy writes names in lower case
	allowOrigin   = []byte("\r\naccess-control-allow-origin:")
)

// do sends the next request and reads its answer to the end. An answer that is not as it has to be is an error.
func (c *client) do() error {
	request := c.requests[c.next]
	if c.next++; c.next == len(c.requests) {
		c.next = 0
	}
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	n, whole := 0, 0
	for whole == 0 || n < whole {
		if n == len(c.buf) {
			return errors.New("an answer too long to be right")
		}
		m, err := c.conn.Read(c.buf[n:])
		if err != nil {
			return err
		}
		n += m
		if whole == 0 {
			if whole, err = length(c.buf[:n]); err != nil {
				return err
			}
		}
	}
	if n > whole {
		return fmt.Errorf("%d bytes too many", n-whole)
	}
	return c.check(c.buf[:n])
}

// length returns how long the answer is that begins with these bytes; 0: its head is not there yet.
func length(b []byte) (int, error) {
	end := bytes.Index(b, endOfHead)
	if end < 0 {
		return 0, nil
	}
	head, end := b[:end+2], end+len(endOfHead)
	at := bytes.Index(head, contentLength)
	if at < 0 {
		if bytes.HasPrefix(b, []byte("HTTP/1.1 204")) {
			return end, nil
		}
		return 0, fmt.Errorf("an answer of unknown length:\n%s", head)
	}
	digits, _, _ := bytes.Cut(head[at+len(contentLength):], []byte("\r"))
	body, err := strconv.Atoi(string(digits))
	return end + body, err
}

func (c *client) check(answer []byte) error {
	if string(answer[9:12]) != c.want.status { // "HTTP/1.1 200": Envoy wrote it
		return fmt.Errorf("want status %s, got:\n%s", c.want.status, answer)
	}
	for _, line := range c.lines {
		if !bytes.Contains(answer, line) {
			return fmt.Errorf("want the line %q, got:\n%s", bytes.TrimSpace(line), answer)
		}
	}
	if !c.want.granted && bytes.Contains(answer, allowOrigin) {
		return fmt.Errorf("want no grant, got:\n%s", answer)
	}
	return nil
}
