package loop

// Tested by loop_test.go and limits_test.go.

import (
	"errors"
	"net"

	"golang.org/x/net/http2"
)

// fault is why we end a connection. Its reason goes into the log and into the debug data of GOAWAY (RFC 9113, section 6.8), so
// it holds no text of the client's.
type fault struct {
	code   http2.ErrCode
	reason string
}

func (f fault) Error() string { return f.code.String() + ": " + f.reason }

// misused is a fault of a client that does what HTTP/2 does not allow.
func misused(reason string) error { return fault{http2.ErrCodeProtocol, reason} }

// excessive is a fault of a client that wants more than it gets.
func excessive(reason string) error { return fault{http2.ErrCodeEnhanceYourCalm, reason} }

// faultOf returns the fault that an error is. It returns false if the client has just closed the connection.
func (c *conn) faultOf(err error) (fault, bool) {
	var f fault
	var ofConn http2.ConnectionError
	var ofStream http2.StreamError
	switch {
	case errors.As(err, &f):
		return f, true
	case errors.As(err, &ofConn):
		f.code = http2.ErrCode(ofConn)
	case errors.As(err, &ofStream):
		f.code = ofStream.Code
	case errors.Is(err, http2.ErrFrameTooLarge):
		f.code = http2.ErrCodeFrameSize
	default:
		return f, false
	}
	f.reason = "a frame is malformed"
	if detail := c.framer.ErrorDetail(); detail != nil {
		f.reason = detail.Error()
	}
	return f, true
}

// announce sends GOAWAY with the fault, if the client is still there, and remembers it for [Server.Ended].
func (c *conn) announce(err error) {
	f, ours := c.faultOf(err)
	if !ours {
		return
	}
	_ = c.framer.WriteGoAway(min(c.last, c.lastAllowed), f.code, []byte(f.reason))
	c.blame(f)
}

// blame remembers why we end the connection. The first reason counts.
func (c *conn) blame(f fault) {
	if c.fault == nil {
		c.fault = &f
	}
}

// Ended is a connection that we have ended, and not its client.
type Ended struct {
	// Client is where it came from.
	Client net.Addr
	// Code is what HTTP/2 calls the reason (RFC 9113, section 7).
	Code http2.ErrCode
	// Reason says it in words of ours.
	Reason string
	// Streams is how many streams were open.
	Streams int
}
