//go:build unix

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// exchangeHTTP2 sends one request of header lines ("name: value", pseudo headers first) over HTTP/2 without TLS, on a
// connection of its own, and returns the answer. A request whose stream stays open (an extended CONNECT, a gRPC call) is
// over with the answer's headers.
func exchangeHTTP2(address string, open bool, lines ...string) (answer, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // on a connection that was just opened

	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, line := range lines {
		name, value, _ := strings.Cut(line[1:], ":") // not the colon of a pseudo header
		_ = encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(line[:1] + name), Value: strings.TrimPrefix(value, " ")})
	}
	var preface bytes.Buffer
	preface.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&preface, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	const window = 16 << 20 // so that nothing has to be said about what was read
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	_ = framer.WriteWindowUpdate(0, window)
	first := true
	for rest := block.Bytes(); first || len(rest) > 0; first = false {
		part := rest[:min(len(rest), 16<<10)]
		rest = rest[len(part):]
		if first {
			_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: part, EndStream: !open, EndHeaders: len(rest) == 0})
		} else {
			_ = framer.WriteContinuation(1, len(rest) == 0, part)
		}
	}
	if _, err := conn.Write(preface.Bytes()); err != nil {
		return answer{}, err
	}
	a := answer{header: http.Header{}, joined: map[string]string{}}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return a, err
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				if field.Name == ":status" {
					_, _ = fmt.Sscan(field.Value, &a.status)
					continue
				}
				a.header.Add(field.Name, field.Value)
			}
			if f.StreamEnded() || open {
				return a.join(), nil
			}
		case *http2.DataFrame:
			a.body += string(f.Data())
			if f.StreamEnded() {
				return a.join(), nil
			}
		case *http2.RSTStreamFrame:
			return a.join(), fmt.Errorf("the stream was reset: %s", f.ErrCode)
		case *http2.GoAwayFrame:
			return a.join(), fmt.Errorf("the connection is closed: %s", f.ErrCode)
		}
	}
}

// join fills joined.
func (a answer) join() answer {
	for name, values := range a.header {
		a.joined[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return a
}
