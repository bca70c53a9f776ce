package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/printable"
	"github.com/corsproc/corsproc/policy/verify"
)

// Limits of what a gateway can make us read. Bodies are not read at all.
const (
	maxAnswerHeaders = 256 << 10 // of one answer, informational ones before it included
	maxTransports    = 8
	maxConnections   = 16 // at a time to one address, of each transport
)

// An asker sends questions.
type asker struct {
	settings   *verifySettings
	transports []*http.Transport // a question that is repeated goes over several connections: there may be several gateways
	pace       pace
	sent       atomic.Int64
	agent      string
	http1      sync.Map // scheme and authority of a gateway that speaks HTTP/1.1 -> true
}

func newAsker(s *verifySettings, config *tls.Config) *asker {
	a := &asker{
		settings: s, agent: "corsproc-verify/" + strings.Trim(buildVersion().GetVersion(), "()"), // Go says (devel), which is no token
		pace: pace{interval: time.Duration(float64(time.Second) / s.rate), most: s.Most},
	}
	dialer := &net.Dialer{Timeout: s.timeout}
	for range min(s.Repeat, maxTransports) {
		a.transports = append(a.transports, &http.Transport{
			// No proxy: what is asked is the gateway that the URL names, or --connect.
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, dialAddress(s.connect, addr))
			},
			TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true, TLSHandshakeTimeout: s.timeout,
			DisableCompression: true, MaxConnsPerHost: maxConnections, MaxIdleConnsPerHost: maxConnections, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: maxAnswerHeaders,
		})
	}
	return a
}

func (a *asker) close() {
	for _, t := range a.transports {
		t.CloseIdleConnections()
	}
}

// dialAddress returns where a connection goes. Names below localhost are this machine, as browsers and curl have it, also
// where no resolver knows them (RFC 6761, section 6.3).
func dialAddress(connect, addr string) string {
	if connect != "" {
		return connect
	}
	host, port, err := net.SplitHostPort(addr)
	if err == nil && strings.HasSuffix(strings.TrimSuffix(host, "."), ".localhost") {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}

// errBudget says that no more requests may be sent.
var errBudget = errors.New("no more requests may be sent")

// ask sends a question, and once more if the connection breaks. nth is how often it was asked before.
func (a *asker) ask(ctx context.Context, q *verify.Question, index, nth int) (*browser.Answer, error) {
	transport := a.transports[0]
	if n := len(a.transports); n > 1 {
		// Neither always the same connection, nor each in its turn: gateways, too, take turns at what is behind them.
		transport = a.transports[(index*2654435761>>7+nth*(index%n+1))%n]
	}
	answer, attempts, err := a.try(ctx, transport, q)
	if err != nil && attempts < 2 && isBroken(err) {
		answer, _, err = a.try(ctx, transport, q)
	}
	return answer, err
}

// try sends a question once. attempts is how often that was really done: a library that repeats a request by itself is
// counted.
func (a *asker) try(ctx context.Context, transport *http.Transport, q *verify.Question) (answer *browser.Answer, attempts int, err error) {
	if err := a.pace.wait(ctx); err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.settings.timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if attempts++; attempts > 1 {
			a.pace.spend()
		}
	}})
	request := a.request(ctx, q)
	response, err := transport.RoundTrip(request)
	a.sent.Add(int64(attempts)) // none where there was no connection
	if err != nil {
		return nil, attempts, err
	}
	response.Body.Close() // unread
	if response.ProtoMajor == 1 {
		a.http1.Store(request.URL.Scheme+request.URL.Host, true)
	}
	answer = &browser.Answer{Status: response.StatusCode}
	for name, values := range response.Header {
		if lower := strings.ToLower(name); verify.Relevant(lower) {
			for _, value := range values {
				answer.Headers = append(answer.Headers, policy.Header{Name: lower, Value: value})
			}
		}
	}
	return answer, attempts, nil
}

// request makes the request of a question.
func (a *asker) request(ctx context.Context, q *verify.Question) *http.Request {
	t := q.Place.Site.Target
	request := (&http.Request{
		Method: q.Method, URL: urlOf(t, q.Place.Path), Host: t.Authority(),
		Header: http.Header{"User-Agent": {a.agent}},
	}).WithContext(ctx)
	for _, h := range a.settings.lines {
		if name := http.CanonicalHeaderKey(h.Name); name == "User-Agent" {
			request.Header.Set(name, h.Value)
		} else {
			request.Header.Add(name, h.Value)
		}
	}
	for _, h := range q.Headers() {
		request.Header.Set(h.Name, h.Value)
	}
	if _, old := a.http1.Load(t.Scheme + t.Authority()); old || t.Scheme == "http" {
		request.Body = io.NopCloser(strings.NewReader("")) // keeps net/http from repeating a request by itself
	}
	return request
}

// urlOf returns the URL of a path, which is sent as it is written.
func urlOf(t browser.Target, path string) *url.URL {
	path, query, _ := strings.Cut(path, "?")
	u := &url.URL{Scheme: t.Scheme, Host: t.Authority(), RawPath: path, RawQuery: query}
	var err error
	if u.Path, err = url.PathUnescape(path); err != nil || u.EscapedPath() != path {
		u.Path, u.RawPath, u.Opaque = "", "", path // Go would write it otherwise
	}
	return u
}

// isBroken reports whether a connection ended before there was an answer, so that another one may do better.
func isBroken(err error) bool {
	var opened *net.OpError
	if errors.As(err, &opened) && opened.Op == "dial" {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		strings.Contains(err.Error(), "server closed idle connection") || strings.Contains(err.Error(), "transport connection broken") ||
		strings.Contains(err.Error(), "http2: server sent GOAWAY") || strings.Contains(err.Error(), "http2: client connection lost") ||
		strings.Contains(err.Error(), "http2: client conn") || strings.Contains(err.Error(), "stream error")
}

// failureOf says in words why there is no answer.
func (a *asker) failureOf(err error) verify.Failure {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var timeout net.Error
	why := ""
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		why = "DNS: there is no such host"
	case errors.As(err, &dns) && !dns.IsTimeout:
		why = "DNS: the host's address cannot be found: " + dns.Err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return verify.Failure{Kind: verify.Timeout, Why: "no answer within " + a.settings.timeout.String()}
	case errors.Is(err, syscall.ECONNREFUSED):
		why = "the connection was refused: nobody listens there"
	case errors.As(err, &authority):
		why = "its certificate is of an authority that is not trusted (--ca names one)"
	case errors.As(err, &name):
		why = "its certificate is for other names"
	case errors.As(err, &invalid), errors.As(err, &verification):
		why = "its certificate is not valid: " + err.Error()
	case errors.As(err, &record):
		why = "TLS: what answers there does not speak it"
	case errors.As(err, &alert):
		why = "TLS: the gateway refuses: " + alert.Error()
	case strings.Contains(err.Error(), "response headers exceeded"), strings.Contains(err.Error(), "headers exceeds"), strings.Contains(err.Error(), "header list larger"):
		why = fmt.Sprintf("its answer has more than %d bytes of headers", maxAnswerHeaders)
	case isBroken(err):
		why = "the connection was broken before there was an answer"
	default:
		why = err.Error()
	}
	return verify.Failure{Kind: verify.Unreachable, Why: printable.Cut(why)}
}

// A pace spaces requests evenly, without a burst after a pause, and counts how many may be sent.
type pace struct {
	mu       sync.Mutex
	interval time.Duration
	next     time.Time
	spent    int
	most     int
}

// wait waits until another request may be sent. Whoever waits keeps all others waiting, so that two are never closer than the
// interval.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spent >= p.most {
		return errBudget
	}
	if delay := time.Until(p.next); delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p.spent++
	p.next = time.Now().Add(p.interval)
	return nil
}

// spend counts a request that was sent without asking.
func (p *pace) spend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spent++
}
