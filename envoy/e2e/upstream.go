//go:build unix

package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Upstream is the server behind Envoy. It answers what the test says and remembers what it was asked.
type Upstream struct {
	Addr string // host:port

	mu     sync.Mutex
	answer http.HandlerFunc
	seen   []Seen
}

// Seen is a request that reached the upstream.
type Seen struct {
	Method, Host, Path string
	Header             http.Header
}

func startUpstream(t testing.TB) *Upstream {
	u := &Upstream{}
	u.Respond(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(u.serve))
	t.Cleanup(server.Close)
	u.Addr = server.Listener.Addr().String()
	return u
}

// Respond sets the answer to every request from now on: a status and header lines, "Name: value", a repeated name sent
// as several lines.
func (u *Upstream) Respond(status int, lines ...string) {
	u.Handle(func(w http.ResponseWriter, _ *http.Request) {
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ":")
			w.Header().Add(name, strings.TrimSpace(value))
		}
		w.WriteHeader(status)
	})
}

// Handle sets the answer to every request from now on.
func (u *Upstream) Handle(answer http.HandlerFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer = answer
}

// Seen returns the requests that have arrived since the last call of Seen.
func (u *Upstream) Seen() []Seen {
	u.mu.Lock()
	defer u.mu.Unlock()
	seen := u.seen
	u.seen = nil
	return seen
}

func (u *Upstream) serve(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.seen = append(u.seen, Seen{r.Method, r.Host, r.URL.RequestURI(), r.Header.Clone()})
	answer := u.answer
	u.mu.Unlock()
	answer(w, r)
}
