//go:build cgo

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/envoy/module/fakeenvoy"
	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/logs"
)

const workers = 2

func TestMain(m *testing.M) {
	if version := fakeenvoy.Load(workers); version == "" {
		panic("the module refuses the fake Envoy")
	}
	os.Exit(m.Run())
}

// TestProcs: each worker has a P, and reloads have two.
func TestProcs(t *testing.T) {
	if n := runtime.GOMAXPROCS(0); n < workers+2 {
		t.Errorf("%d Ps", n)
	}
}

// writePolicies writes policies, and returns the filter_config that names them.
func writePolicies(t testing.TB, content string) (path, config string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "policies.yaml")
	replace(t, path, content)
	return path, configOf(path)
}

func replace(t testing.TB, path, content string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func configOf(path string) string {
	text, err := json.Marshal(map[string]any{"policies": path})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// load loads policies into a filter. In the end, nothing may be left of it.
func load(t testing.TB, content string) *fakeenvoy.Config {
	t.Helper()
	_, config := writePolicies(t, content)
	fakeenvoy.Logged()
	c := fakeenvoy.NewConfig(config)
	if c == nil {
		t.Fatalf("rejected: %v", fakeenvoy.Logged())
	}
	t.Cleanup(func() {
		c.Destroy()
		if n := fakeenvoy.Schedulers(); n != 0 {
			t.Errorf("%d schedulers are left", n)
		}
		if n := len(sources.byPath); n != 0 {
			t.Errorf("%d sources are left", n)
		}
	})
	return c
}

// lines makes headers of "name: value" lines.
func lines(all ...string) (headers []fakeenvoy.Header) {
	for _, line := range all {
		i := strings.Index(line[1:], ":") + 1 // the name of a pseudo header begins with a colon
		headers = append(headers, fakeenvoy.Header{Name: line[:i], Value: strings.TrimPrefix(line[i+1:], " ")})
	}
	return headers
}

func request(method, path string, headers ...string) *fakeenvoy.Request {
	api := "api"
	all := append([]string{":method: " + method, ":scheme: https", ":authority: api.example.com", ":path: " + path}, headers...)
	return &fakeenvoy.Request{Headers: lines(all...), VirtualHost: &api, Route: new(string)}
}

// values returns the values of a header's lines, joined.
func values(headers []fakeenvoy.Header, name string) string {
	var all []string
	for _, h := range headers {
		if h.Name == name {
			all = append(all, h.Value)
		}
	}
	return strings.Join(all, " | ")
}

const shop = `
policies:
  shop:
    allow_origins: [https://shop.example]
    allow_methods: [PUT]
    expose_headers: [X-One]
    max_age: 1h
virtual_hosts:
  - name: api
    policies: [shop]
    routes:
      - {prefix: /guarded, reject: ALWAYS}
      - {prefix: /open, policies: [passthrough]}
      - {prefix: /trial, candidates: [none]}
`

// TestOwnAnswers: an answer of ours is whole, and what follows the request's headers goes nowhere.
func TestOwnAnswers(t *testing.T) {
	c := load(t, shop)
	const evil = "origin: https://evil.example"
	body := "This request was refused: pages of its origin may not send it here.\n"
	for _, test := range []struct {
		name    string
		request *fakeenvoy.Request
		want    []string
		body    string
	}{
		{"preflight", request("OPTIONS", "/", "origin: https://shop.example", "access-control-request-method: PUT"), []string{
			":status: 204", "access-control-allow-origin: https://shop.example", "access-control-expose-headers: X-One",
			"access-control-allow-methods: PUT", "access-control-max-age: 3600",
			"vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}, ""},
		{"refused preflight", request("OPTIONS", "/", evil, "access-control-request-method: PUT"), []string{
			":status: 403", "vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers", "cache-control: no-store"}, ""},
		{"rejected", request("POST", "/guarded", evil), []string{
			":status: 403", "content-type: text/plain; charset=utf-8", "vary: Origin", "cache-control: no-store", "content-length: 68"}, body},
		{"rejected HEAD", request("HEAD", "/guarded", evil), []string{
			":status: 403", "content-type: text/plain; charset=utf-8", "vary: Origin", "cache-control: no-store", "content-length: 68"}, ""},
		{"rejected gRPC", request("POST", "/guarded", evil, "content-type: application/grpc+proto"), []string{
			":status: 200", "content-type: application/grpc", "grpc-status: 7",
			"grpc-message: This request was refused: pages of its origin may not send it here.%0A", "vary: Origin", "cache-control: no-store"}, ""},
		{"refused preflight of gRPC", request("OPTIONS", "/", evil, "access-control-request-method: PUT", "content-type: application/grpc"), []string{
			":status: 200", "content-type: application/grpc", "grpc-status: 7",
			"vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers", "cache-control: no-store"}, ""},
		{"not gRPC", request("POST", "/guarded", evil, "content-type: application/grpc-web"), []string{
			":status: 403", "content-type: text/plain; charset=utf-8", "vary: Origin", "cache-control: no-store", "content-length: 68"}, body},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, kept := range []bool{false, true} {
				s := c.NewStream(test.request)
				if s.OnRequest() {
					t.Fatal("the request goes on")
				}
				got := s.Outcome()
				s.Destroy()
				if want := lines(test.want...); !slices.Equal(got.Sent, want) {
					t.Errorf("kept %v: sent\n%v, want\n%v", kept, got.Sent, want)
				}
				if got.Body != test.body || got.Ends != 1 {
					t.Errorf("kept %v: body %q, ended %d times", kept, got.Body, got.Ends)
				}
			}
		})
	}
}

// TestEnds: whatever of a stream comes, and in which order, its memory is given back, which the sanitizers of
// sanitize_test.go see.
func TestEnds(t *testing.T) {
	c := load(t, shop)
	preflight := request("OPTIONS", "/", "origin: https://shop.example", "access-control-request-method: PUT")
	rejected := request("POST", "/guarded", "origin: https://evil.example")
	actual := request("GET", "/", "origin: https://shop.example")

	c.NewStream(actual).Destroy() // Envoy never asked for a filter

	s := c.NewStream(actual)
	if !s.OnRequest() {
		t.Error("an actual request does not go on")
	}
	if request, response := s.OnRest(); !request || !response {
		t.Error("a body does not go on")
	}
	s.Destroy() // the client went away before the upstream answered

	s = c.NewStream(actual)
	if request, response := s.OnRest(); !request || !response {
		t.Error("a body without headers does not go on")
	}
	s.Destroy()

	for _, r := range []*fakeenvoy.Request{preflight, rejected} {
		s = c.NewStream(r)
		s.GoneAtHeaders()
		if s.OnRequest() {
			t.Error("a request goes on that was answered")
		}
		if got := s.Outcome(); got.Body != "" {
			t.Errorf("%q is sent to nobody", got.Body)
		}
		s.Destroy()
	}

	s = c.NewStream(actual)
	s.OnRequest()
	s.OnResponse(lines(":status: 200", "access-control-allow-origin: *"))
	s.OnRequest()
	s.OnResponse(nil)
	if got := values(s.Outcome().Response, "access-control-allow-origin"); got != "https://shop.example" {
		t.Errorf("after hooks that come twice: %q", got)
	}
	s.Destroy()
}

// TestReplies: of a reply that Envoy or an earlier filter made, the request is known as well.
func TestReplies(t *testing.T) {
	c := load(t, shop)
	for _, test := range []struct {
		name   string
		origin string
		want   string
		reason string
	}{
		{"allowed", "https://shop.example", "https://shop.example", "allowed"},
		{"refused", "https://evil.example", "", "origin_not_allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := c.Do(request("GET", "/guarded", "origin: "+test.origin), true, lines(":status: 429", "access-control-allow-origin: *", "vary: Accept"))
			if value := values(got.Response, "access-control-allow-origin"); value != test.want {
				t.Errorf("grants %q", value)
			}
			if vary := values(got.Response, "vary"); vary != "Accept, Origin" {
				t.Errorf("vary %q", vary)
			}
			if reason := values(got.Metadata, "reason"); reason != test.reason {
				t.Errorf("reason %q", reason)
			}
		})
	}
	got := c.Do(request("OPTIONS", "/", "origin: https://shop.example", "access-control-request-method: PUT"), true, lines(":status: 401"))
	if reason := values(got.Metadata, "reason"); reason != "preflight_unanswered" {
		t.Errorf("an answered preflight: reason %q", reason)
	}
}

// TestNothingKnown: Envoy may have no host, no place, no path and no header.
func TestNothingKnown(t *testing.T) {
	c := load(t, "default: {policies: [none]}\n")
	for _, answered := range []bool{false, true} {
		got := c.Do(&fakeenvoy.Request{}, answered, lines("access-control-allow-origin: *"))
		if values(got.Metadata, "reason") != "not_cors" || values(got.Response, "access-control-allow-origin") != "" {
			t.Errorf("%+v", got)
		}
	}
}

// TestUnreadable: what Envoy does not tell, or what there is no memory for, grants nothing. Where the response is not known, caches
// are told that it depends on everything.
func TestUnreadable(t *testing.T) {
	c := load(t, shop)
	r := request("GET", "/", "origin: https://shop.example")
	named := *r
	named.Metadata = []fakeenvoy.Metadata{{Key: "other", Text: "x"}}
	response := lines(":status: 200", "vary: Accept")
	for _, name := range policy.ResponseHeaders {
		response = append(response, fakeenvoy.Header{Name: name, Value: "*"})
	}
	for _, test := range []struct {
		name string
		what uint
		r    *fakeenvoy.Request
		vary string
	}{
		{"request", fakeenvoy.RequestHeaders, r, "Accept, Origin"},
		{"response", fakeenvoy.ResponseHeaders, r, "*"},
		{"keys", fakeenvoy.MetadataKeys, &named, "Accept, Origin"},
	} {
		for _, answered := range []bool{false, true} {
			s := c.NewStream(test.r)
			s.Unreadable(test.what)
			if !answered && !s.OnRequest() {
				t.Errorf("%s: the request does not go on", test.name)
			}
			s.OnResponse(response)
			if got, want := s.Outcome().Response, lines(":status: 200", "vary: "+test.vary); !slices.Equal(got, want) {
				t.Errorf("%s, answered %t: got %v, want %v", test.name, answered, got, want)
			}
			s.Destroy()
		}
	}
}

// TestStatistics: what is counted, and with which labels.
func TestStatistics(t *testing.T) {
	c := load(t, shop)
	for range 3 {
		c.Do(request("GET", "/trial", "origin: https://shop.example"), false, nil)
	}
	c.Do(request("GET", "/trial"), false, nil)
	c.Do(request("GET", "/open", "origin: https://shop.example"), false, nil)
	c.Do(request("OPTIONS", "/", "origin: https://shop.example", "access-control-request-method: DELETE"), false, nil)
	for _, test := range []struct {
		want   int
		name   string
		labels []string
	}{
		{3, "decisions", []string{"actual", "allowed"}},
		{1, "decisions", []string{"not_cors", "not_cors"}},
		{1, "decisions", []string{"actual", "passthrough"}},
		{1, "decisions", []string{"preflight", "method_not_allowed"}},
		{3, "candidates", []string{"allowed", "refused", "origin_not_allowed"}},
		{1, "candidates", []string{"none", "none", "not_cors"}},
		{-1, "panics", nil},
		{1, "policy_reloads", []string{"success"}},
		{0, "policy_reloads", []string{"failure"}},
		{1, "policy_last_reload_successful", nil},
	} {
		if got := c.Stat(test.name, test.labels...); got != test.want {
			t.Errorf("%s%v is %d, want %d", test.name, test.labels, got, test.want)
		}
	}
	hash := sources.at(0).current.Load().result.Hash
	if got := c.Stat("policy_hash"); uint64(got) != hash48(hash) || got>>48 != 0 || got == 0 {
		t.Errorf("policy_hash is %x of %s", got, hash)
	}
}

// TestResponseHeaders: the headers that C takes away are those that the engine names.
func TestResponseHeaders(t *testing.T) {
	c := load(t, shop)
	response := lines(":status: 200", "x-other: 1", "access-control-other: 1", "access-control-allow-origins: 1")
	others := len(response)
	for _, name := range policy.ResponseHeaders {
		response = append(response, fakeenvoy.Header{Name: name, Value: "1"}, fakeenvoy.Header{Name: name, Value: "2"})
	}
	got := c.Do(request("GET", "/", "origin: https://evil.example"), false, response)
	if want := append(response[:others], lines("vary: Origin")...); !slices.Equal(got.Response, want) {
		t.Errorf("got %v, want %v", got.Response, want)
	}
}

// TestPanic: a fault of ours grants nothing and stops nothing.
func TestPanic(t *testing.T) {
	c := load(t, shop)
	src := sources.at(0)
	good := src.current.Load()
	src.current.Store(nil) // whoever decides now meets a nil pointer
	defer src.current.Store(good)
	fakeenvoy.Logged()
	panics = logs.Throttle{Interval: panics.Interval} // an earlier test may have been logged just now
	for _, r := range []*fakeenvoy.Request{
		request("GET", "/", "origin: https://shop.example"),
		request("POST", "/guarded", "origin: https://evil.example"),
		request("OPTIONS", "/", "origin: https://shop.example", "access-control-request-method: PUT"),
	} {
		for _, answered := range []bool{false, true} {
			got := c.Do(r, answered, lines(":status: 200", "access-control-allow-origin: *", "access-control-allow-credentials: true", "vary: Accept"))
			if want := lines(":status: 200", "vary: Accept, Origin"); !slices.Equal(got.Response, want) {
				t.Errorf("got %v, want %v", got.Response, want)
			}
		}
	}
	if got := c.Stat("panics"); got != 6 {
		t.Errorf("%d panics are counted", got)
	}
	logged := fakeenvoy.Logged()
	if len(logged) != 1 || logged[0].Level != fakeenvoy.Error || !strings.Contains(logged[0].Text, "internal error") || strings.Contains(logged[0].Text, "\n") {
		t.Errorf("logged %v", logged)
	}
	src.current.Store(good)
	if got := c.Do(request("GET", "/", "origin: https://shop.example"), false, nil); values(got.Response, "access-control-allow-origin") == "" {
		t.Error("a decision that was a fault is kept")
	}
}
