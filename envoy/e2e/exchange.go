//go:build unix

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Request is written to the wire as it stands, also where no library would: repeated, empty and malformed lines included.
type Request struct {
	Method string   // default GET
	Host   string   // default api.example.com
	Path   string   // default /
	Header []string // lines, "Name: value"
	Body   string
}

// Preflight is the preflight of a browser on a page of that origin; headers may be empty.
func Preflight(origin, method, headers string) Request {
	r := Request{Method: http.MethodOptions, Header: []string{"Origin: " + origin, "Access-Control-Request-Method: " + method}}
	if headers != "" {
		r.Header = append(r.Header, "Access-Control-Request-Headers: "+headers)
	}
	return r
}

// Get is a request of a script on a page of that origin.
func Get(origin, path string) Request {
	return Request{Path: path, Header: []string{"Origin: " + origin}}
}

// At returns the request with another host and path.
func (r Request) At(host, path string) Request {
	r.Host, r.Path = host, path
	return r
}

// With returns the request with further header lines.
func (r Request) With(lines ...string) Request {
	r.Header = append(append([]string(nil), r.Header...), lines...)
	return r
}

// Response is what came back.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// exchangePatience is how long one answer may take.
const exchangePatience = 15 * time.Second

// Do sends a request to Envoy over a connection of its own.
func (s *Stack) Do(t testing.TB, r Request) Response {
	t.Helper()
	response, err := Exchange(s.Envoy.Listener, r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Path, err)
	}
	return response
}

// Exchange sends a request to an address over a connection of its own and reads the answer. Of an upgrade, only the head
// of the answer is read.
func Exchange(addr string, r Request) (Response, error) {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Host == "" {
		r.Host = "api.example.com"
	}
	if r.Path == "" {
		r.Path = "/"
	}
	conn, err := net.DialTimeout("tcp", addr, exchangePatience)
	if err != nil {
		return Response{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(exchangePatience)); err != nil {
		return Response{}, err
	}
	var wire strings.Builder
	fmt.Fprintf(&wire, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Path, r.Host)
	for _, line := range r.Header {
		wire.WriteString(line + "\r\n")
	}
	if r.Body != "" {
		fmt.Fprintf(&wire, "Content-Length: %d\r\n", len(r.Body))
	}
	wire.WriteString("\r\n" + r.Body)
	if _, err := io.WriteString(conn, wire.String()); err != nil {
		return Response{}, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
	if err != nil {
		return Response{}, err
	}
	defer response.Body.Close()
	out := Response{Status: response.StatusCode, Header: response.Header}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return out, nil
	}
	body, err := io.ReadAll(response.Body)
	out.Body = string(body)
	return out, err
}
