package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/corsproc/corsproc/policy/verify"
)

// recorder notes what a gateway is sent.
type recorder struct {
	http.Handler
	mu  sync.Mutex
	all []*http.Request
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.all = append(r.all, request)
	r.mu.Unlock()
	r.Handler.ServeHTTP(w, request)
}

// prepare writes the policies into the test's folder and returns a gateway that does what they say.
func prepare(t *testing.T) *testGateway {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", verifyPolicies)
	return &testGateway{set: setOf(t, verifyPolicies)}
}

// TestVerifySends holds what is sent: nothing but what the contract has.
func TestVerifySends(t *testing.T) {
	r := &recorder{Handler: prepare(t)}
	server := serveGateway(t, r)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	for _, c := range []struct{ args, methods string }{
		{"http://api.test", "GET OPTIONS"},
		{"--method HEAD http://api.test", "HEAD OPTIONS"},
		{"--preflights-only http://api.test", "OPTIONS"},
		{"http://api.test//public/a%2fb;c?x=1&y", "GET OPTIONS"},
	} {
		r.all = nil
		args := append(strings.Fields(c.args), "-H", "Cookie: session=1", "-H", "X-A: 1", "-H", "X-A: 2")
		if v, status, stderr := verifyIn(t, server, args...); status != exitOK {
			t.Fatalf("%s: status %d, %s, %s", c.args, status, v.codes(), stderr)
		}
		known := []string{"User-Agent", "Cookie", "X-A", "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}
		methods := map[string]bool{}
		for _, request := range r.all {
			methods[request.Method] = true
			for name := range request.Header {
				if !slices.Contains(known, name) {
					t.Errorf("%s: %s: %q is sent", c.args, name, request.Header[name])
				}
			}
			if agent := request.UserAgent(); !strings.HasPrefix(agent, "corsproc-verify/") || strings.ContainsAny(agent, "() ") {
				t.Errorf("the user agent is %q", agent)
			}
			if request.Host != "api.test" || request.ContentLength != 0 || len(request.TransferEncoding) > 0 || !slices.Equal(request.Header["X-A"], []string{"1", "2"}) {
				t.Errorf("%s: %s %d %v %v", c.args, request.Host, request.ContentLength, request.TransferEncoding, request.Header)
			}
			if strings.Contains(c.args, "?") && request.RequestURI != "//public/a%2fb;c?x=1&y" {
				t.Errorf("the path is %s", request.RequestURI)
			}
		}
		var got []string
		for method := range methods {
			got = append(got, method)
		}
		if slices.Sort(got); strings.Join(got, " ") != c.methods {
			t.Errorf("%s: methods %v", c.args, got)
		}
	}
}

// TestVerifyFollowsNothing: a redirect leads nowhere.
func TestVerifyFollowsNothing(t *testing.T) {
	g := prepare(t)
	other := &testGateway{set: g.set}
	elsewhere := serveGateway(t, other)
	g.wrong = func(w http.ResponseWriter, r *http.Request, status int) int {
		w.Header().Set("Location", elsewhere.URL)
		w.Header().Add("Set-Cookie", "a=b")
		return 302
	}
	r := &recorder{Handler: g}
	v, status, _ := verifyIn(t, serveGateway(t, r), "http://api.test")
	if status != exitFailure || !strings.Contains(v.codes(), "[redirected]") || other.requests.Load() > 0 {
		t.Errorf("status %d, %s, %d requests elsewhere", status, v.codes(), other.requests.Load())
	}
	for _, request := range r.all {
		if request.Header.Get("Cookie") != "" || request.Referer() != "" {
			t.Errorf("%v", request.Header)
		}
	}
}

// TestVerifyBudget: of few requests every place gets its first before any gets its second, and what is left out is told.
func TestVerifyBudget(t *testing.T) {
	r := &recorder{Handler: prepare(t)}
	server := serveGateway(t, r)
	all, _, _ := verifyIn(t, server, "http://api.test")
	for _, c := range []struct {
		args     string
		requests int
		repeat   int
	}{{"--max-requests 1", 1, 1}, {"--max-requests 3", 3, 1}, {"--max-requests 7", 7, 1}, {"--max-requests 7 --repeat 3", 7, 3}, {"--max-requests 1 --repeat 3", 1, 3}} {
		r.all = nil
		v, status, _ := verifyIn(t, server, append(strings.Fields(c.args), "http://api.test")...)
		if status != exitOK || !v.Agrees || v.Requests != c.requests || len(r.all) != c.requests || v.Skipped != all.Requests*c.repeat-c.requests {
			t.Errorf("%s: status %d, %d requests, %d came, %d skipped of %d", c.args, status, v.Requests, len(r.all), v.Skipped, all.Requests*c.repeat)
		}
		paths := map[string]int{}
		for _, request := range r.all {
			paths[request.RequestURI]++
		}
		if c.requests >= 3 && c.repeat == 1 && len(paths) != 3 {
			t.Errorf("%s: %v", c.args, paths)
		}
	}
}

// breaking breaks the connection of requests that it says, counted from 1.
func breaking(g http.Handler, breaks func(n int64) bool) (handler http.Handler, came *atomic.Int64) {
	came = new(atomic.Int64)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := came.Add(1); breaks(n) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
			return
		}
		g.ServeHTTP(w, r)
	}), came
}

// TestVerifyRetries: a broken connection is made up for once, and that counts.
func TestVerifyRetries(t *testing.T) {
	g := prepare(t)
	whole, _, _ := verifyIn(t, serveGateway(t, g), "http://api.test")

	handler, came := breaking(g, func(n int64) bool { return n == 1 || n == 20 || n == 40 })
	v, status, stderr := verifyIn(t, serveGateway(t, handler), "http://api.test")
	if status != exitOK || v.Requests != whole.Requests+3 || int64(v.Requests) != came.Load() || v.Skipped != 0 {
		t.Errorf("status %d, %d requests, %d came, %s", status, v.Requests, came.Load(), stderr)
	}
	handler, came = breaking(g, func(int64) bool { return true })
	v, status, _ = verifyIn(t, serveGateway(t, handler), "http://api.test")
	if status != exitUsage || v.codes() != "[unreachable]" || int64(v.Requests) != came.Load() || v.Requests != 2*v.Unanswered || v.Unanswered < maxSilence || v.Unanswered > maxSilence+maxConnections {
		t.Errorf("status %d, %s, %d requests, %d came, %d unanswered", status, v.codes(), v.Requests, came.Load(), v.Unanswered)
	}
	handler, came = breaking(g, func(n int64) bool { return n == 1 })
	if v, _, _ = verifyIn(t, serveGateway(t, handler), "--max-requests", "5", "http://api.test"); v.Requests != 5 || came.Load() != 5 {
		t.Errorf("%d requests, %d came", v.Requests, came.Load())
	}
}

// TestVerifyUnanswered: what has no answer is told, with the reason in words, and exits with 2 unless something differs.
func TestVerifyUnanswered(t *testing.T) {
	g := prepare(t)
	release := make(chan struct{})
	slow := serveGateway(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { close(release) })
	closed := httptest.NewServer(g)
	closed.Close()
	endless := serveGateway(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.Write([]byte("HTTP/1.1 200 OK\r\n"))
		line := []byte("X-Filler: " + strings.Repeat("x", 60<<10) + "\r\n")
		for range 100 {
			if _, err := conn.Write(line); err != nil {
				return
			}
		}
	}))
	informing := serveGateway(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		for range 100_000 {
			if _, err := conn.Write([]byte("HTTP/1.1 103 Early Hints\r\nLink: <" + strings.Repeat("x", 1000) + ">\r\n\r\n")); err != nil {
				return
			}
		}
	}))
	secure := httptest.NewUnstartedServer(g)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for _, c := range []struct {
		name   string
		server *httptest.Server
		args   string
		codes  string
		words  string
	}{
		{"slow", slow, "--timeout 100ms http://api.test", "[timeout]", "in time"},
		{"refused", closed, "http://api.test", "[unreachable]", "http://api.test: the connection was refused"},
		{"headers without end", endless, "http://api.test", "[unreachable]", "more than 262144 bytes of headers"},
		{"informing without end", informing, "http://api.test", "[unreachable]", "http://api.test: "},
		{"no TLS", slow, "https://api.test", "[unreachable]", "TLS"},
		{"a certificate of another host", secure, "https://api.test", "[unreachable]", "its certificate is for other names"},
		{"TLS that nobody speaks", secure, "http://api.test", "[not-attached][max-age][missing-header][missing-vary][other-status][keeps_out]", "No preflight"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, status, _ := verifyIn(t, c.server, strings.Fields(c.args)...)
			wrong := len(v.Differences)+len(v.Findings) > 0
			if v.codes() != c.codes || v.Agrees || (status == exitFailure) != wrong || (status == exitUsage) == wrong || (v.Unanswered > 0) == wrong {
				t.Fatalf("status %d, %s, %d unanswered", status, v.codes(), v.Unanswered)
			}
			if c.name == "refused" && v.Requests != 0 {
				t.Errorf("%d requests were sent to nobody", v.Requests)
			}
			if !strings.Contains(v.Diagnoses[0].Message, c.words) {
				t.Errorf("%s", v.Diagnoses[0].Message)
			}
		})
	}
}

// TestVerifyTLS: whom to trust, and HTTP/2 where it is offered.
func TestVerifyTLS(t *testing.T) {
	r := &recorder{Handler: prepare(t)}
	server := httptest.NewUnstartedServer(r)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	text := strings.ReplaceAll(verifyPolicies, "api.test", "example.com") // which the certificate is for
	write(t, "policies.yaml", text)
	r.Handler = &testGateway{set: setOf(t, text)}
	for _, flag := range []string{"--insecure", "--ca=ca.pem"} {
		r.all = nil
		v, status, stderr := verifyIn(t, server, flag, "--repeat", "2", "https://example.com")
		if status != exitOK || v.Requests != len(r.all) {
			t.Errorf("%s: status %d, %s, %d requests, %d came, %s", flag, status, v.codes(), v.Requests, len(r.all), stderr)
		}
		for _, request := range r.all {
			if request.ProtoMajor != 2 || request.TLS.ServerName != "example.com" || request.Host != "example.com" {
				t.Fatalf("%s %s %s", request.Proto, request.TLS.ServerName, request.Host)
			}
		}
	}
	if v, status, _ := verifyIn(t, server, "https://example.com"); status != exitUsage || v.codes() != "[unreachable]" || !strings.Contains(v.Diagnoses[0].Message, "not trusted (--ca") {
		t.Errorf("status %d, %v", status, v.Diagnoses)
	}
}

// TestVerifyFailures holds the words for what keeps answers away.
func TestVerifyFailures(t *testing.T) {
	a := &asker{settings: &verifySettings{timeout: time.Second}}
	for _, c := range []struct {
		err  error
		kind verify.FailureKind
		why  string
	}{
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}, verify.Unreachable, "DNS: there is no such host"},
		{&net.DNSError{Err: "server misbehaving", Name: "x"}, verify.Unreachable, "DNS: the host's address cannot be found: server misbehaving"},
		{&net.DNSError{Err: "timeout", Name: "x", IsTimeout: true}, verify.Timeout, "no answer within 1s"},
		{context.DeadlineExceeded, verify.Timeout, "no answer within 1s"},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, verify.Unreachable, "the connection was refused: nobody listens there"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, verify.Unreachable, "the connection was broken before there was an answer"},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, verify.Unreachable, "its certificate is for other names"},
		{tls.AlertError(116), verify.Unreachable, "TLS: the gateway refuses: tls: certificate required"},
		{errors.New("odd \x1b[31m"), verify.Unreachable, `odd \x1b[31m`},
	} {
		if got := a.failureOf(fmt.Errorf("asking: %w", c.err)); got.Kind != c.kind || got.Why != c.why && !strings.HasSuffix(got.Why, c.why) {
			t.Errorf("%v: %+v", c.err, got)
		}
	}
}

// TestVerifyPace: requests are evenly spaced, also after a pause, and no more are sent than may be.
func TestVerifyPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pace{interval: 20 * time.Millisecond, most: 6}
		start := time.Now()
		var at []time.Duration
		for i := range 8 {
			if i == 3 {
				time.Sleep(time.Second)
			}
			err := p.wait(t.Context())
			if (err == errBudget) != (i >= 6) {
				t.Fatal(i, err)
			}
			if err == nil {
				at = append(at, time.Since(start)/time.Millisecond)
			}
		}
		if !slices.Equal(at, []time.Duration{0, 20, 40, 1040, 1060, 1080}) {
			t.Errorf("sent at %v ms", at)
		}
		ctx, cancel := context.WithCancel(t.Context())
		p.most = 10
		if err := p.wait(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if err := p.wait(ctx); !errors.Is(err, context.Canceled) || p.spent != 7 {
			t.Errorf("%v, %d spent", err, p.spent)
		}
	})
}

// TestVerifyInterrupted: Ctrl-C prints what is known.
func TestVerifyInterrupted(t *testing.T) {
	g := prepare(t)
	var interrupt atomic.Pointer[context.CancelFunc]
	server := serveGateway(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.ServeHTTP(w, r)
		if g.requests.Load() == 10 {
			(*interrupt.Load())()
		}
	}))
	for _, format := range []string{"text", "json", "junit"} {
		g.requests.Store(0)
		ctx, cancel := context.WithCancel(t.Context())
		interrupt.Store(&cancel)
		var stdout, stderr bytes.Buffer
		status := run(ctx, []string{"verify", "--policies", "policies.yaml", "--connect", server.Listener.Addr().String(), "--rate", "200", "--format", format, "http://api.test"},
			strings.NewReader(""), &stdout, &stderr)
		cancel()
		if status != exitInterrupted || stdout.Len() == 0 || stderr.Len() > 0 {
			t.Errorf("%s: status %d, %s%s", format, status, stdout.String(), stderr.String())
		}
		var v verified
		if format == "json" && (json.Unmarshal(stdout.Bytes(), &v) != nil || v.Requests < 9 || v.Requests > 30 || v.Skipped < 40 || v.Unanswered > 0 || len(v.Diagnoses) > 0) {
			t.Errorf("%s", stdout.String())
		}
	}
}
