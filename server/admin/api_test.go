package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/policydir"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
	"github.com/corsproc/corsproc/server/logs"
)

const service = "/corsproc.v1.AdminService/"

// ask sends a call as curl does. It returns the status and the answer's JSON.
func ask(h http.Handler, call, message string, header ...string) (int, string) {
	r := httptest.NewRequest("POST", service+call, strings.NewReader(message))
	r.Host = "localhost:9003"
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// answerOf asks for an answer that has to be good.
func answerOf[M proto.Message](t *testing.T, h http.Handler, call, message string, answer M) M {
	t.Helper()
	status, text := ask(h, call, message)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", call, message, status, text)
	}
	if err := protojson.Unmarshal([]byte(text), answer); err != nil {
		t.Fatalf("%s: %v in %s", call, err, text)
	}
	return answer
}

func TestExplain(t *testing.T) {
	source := newSource(t, policydir.Attempt{})
	h := Handler(source)
	now := source.Status().InForce
	for _, c := range []struct {
		message string
		fetch   browser.Fetch
	}{
		{`{"origin": "https://shop.example.com", "url": "https://api.example.com/orders"}`,
			browser.Fetch{Origin: "https://shop.example.com", URL: "https://api.example.com/orders"}},
		{`{"origin": "https://x.example", "url": "https://api.example.com/", "method": "PUT", "credentials": "include", "headers": {"X-B": "2", "X-A": "1"}}`,
			browser.Fetch{Origin: "https://x.example", URL: "https://api.example.com/", Method: "PUT", Credentials: browser.Include,
				Headers: []policy.Header{{Name: "X-A", Value: "1"}, {Name: "X-B", Value: "2"}}}},
		{`{"origin": "null", "url": "wss://other.example/", "websocket": true, "virtualHost": "api<b>", "route_name": "r"}`,
			browser.Fetch{Origin: "null", URL: "wss://other.example/", WebSocket: true, VirtualHost: "api<b>", Route: "r"}},
	} {
		r, err := browser.Do(now.Set, c.fetch)
		if err != nil {
			t.Fatal(err)
		}
		got := answerOf(t, h, "Explain", c.message, new(corsprocv1.Explanation))
		if diff := cmp.Diff(r.Explanation(now.Location), got, protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", c.message, diff)
		}
	}
}

func TestInvalidArguments(t *testing.T) {
	h := Handler(newSource(t, policydir.Attempt{}))
	for _, c := range []struct{ call, message, want string }{
		{"Explain", `{}`, "no browser sends the origin \"\": an origin is scheme://host[:port], as a browser writes it, or null\nthe URL \"\": is not absolute; write https://host/path"},
		{"Explain", `{"origin": "https://A.example/", "url": "https://b.example"}`, `no browser sends the origin "https://A.example/": an origin has no path and is lower-case; write https://a.example`},
		{"Explain", `{"origin": "https://a.example", "url": "https://b.example", "credentials": "some"}`, `"some" is no credentials mode; write omit, same-origin, include`},
		{"Explain", `{"origin": "https://a.example", "url": "https://b.example", "headers": {"Cookie": "a=b"}}`, "scripts cannot set the header cookie: only the browser does"},
		{"Explain", `{"origin": "https://a.example", "url": "https://b.example", "page": 1}`, ""}, // the library's words
		{"LogDecisions", `{}`, "say whose decisions to log: a virtual_host, an origin, or both"},
		{"LogDecisions", `{"virtualHost": "nobody"}`, `the policies in force have no virtual host "nobody"`},
		{"LogDecisions", `{"origin": "https://a.example:443"}`, `no browser sends the origin "https://a.example:443": an origin leaves the default port out; write https://a.example`},
		{"LogDecisions", `{"origin": "https://a.example", "duration": "601s"}`, "decisions are logged for 10 minutes at most; write 600s or less"},
		{"LogDecisions", `{"origin": "https://a.example", "duration": "600.000000001s"}`, "decisions are logged for 10 minutes at most; write 600s or less"},
		{"LogDecisions", `{"origin": "https://a.example", "duration": "-1s"}`, "a duration is not negative; 0s ends what is being logged"},
	} {
		status, text := ask(h, c.call, c.message)
		var got struct{ Code, Message string }
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s %s: %d %q", c.call, c.message, status, text)
			continue
		}
		if status != 400 || got.Code != "invalid_argument" || c.want != "" && got.Message != c.want {
			t.Errorf("%s %s: %d %+v, want %q", c.call, c.message, status, got, c.want)
		}
	}
}

func TestLogDecisions(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	var asked []string
	var failure error
	s.LogDecisions = func(host, origin string, d time.Duration) error {
		asked = append(asked, fmt.Sprint(host, " ", origin, " ", d))
		return failure
	}
	h := Handler(s)
	for _, c := range []struct{ message, want string }{
		{`{"virtualHost": "default"}`, "default  1m0s"},
		{`{"virtual_host": "api<b>", "origin": "null", "duration": "600s"}`, "api<b> null 10m0s"},
		{`{"origin": "https://a.example", "duration": "0.5s"}`, " https://a.example 500ms"},
		{`{"virtualHost": "gone", "duration": "0s"}`, "gone  0s"}, // what a reload has removed can be ended
	} {
		asked = nil
		if status, text := ask(h, "LogDecisions", c.message); status != 200 || strings.Join(asked, "|") != c.want {
			t.Errorf("%s: %d %s, asked for %q", c.message, status, text, asked)
		}
	}
	failure = logs.ErrTooMany
	if status, text := ask(h, "LogDecisions", `{"virtualHost": "default"}`); status != 429 || !strings.Contains(text, `"resource_exhausted"`) {
		t.Errorf("too many: %d %s", status, text)
	}
}

// A page of another origin can ask without asking first for: GET, and POST with the content type of a form. Neither may
// reach the service, nor may a page under a name that is not ours.
func TestAPIFences(t *testing.T) {
	h := Handler(newSource(t, policydir.Attempt{}))
	const get = "?connect=v1&encoding=json&message=%7B%7D"
	grpc := []string{"Content-Type", "application/grpc", "Te", "trailers"}
	for _, path := range []string{
		service + "Explain", service + "Status", service + "LogDecisions", service + "Nothing",
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	} {
		for _, c := range []struct {
			name, method, host, query string
			header                    []string
			refused                   func(status int) bool
		}{
			{"GET", "GET", "localhost:9003", get, nil, notAllowed},
			{"GET from another origin", "GET", "localhost:9003", get, []string{"Sec-Fetch-Site", "cross-site"}, forbidden},
			{"HEAD", "HEAD", "localhost:9003", get, nil, notAllowed},
			{"preflight", "OPTIONS", "localhost:9003", "", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, notAllowed},
			{"another name", "POST", "evil.example:9003", "", nil, forbidden},
			{"another name, gRPC", "POST", "evil.example:9003", "", grpc, forbidden},
			{"another name, GET", "GET", "evil.example:9003", get, nil, forbidden},
			{"another origin", "POST", "localhost:9003", "", []string{"Origin", "https://evil.example"}, forbidden},
			{"the same host on another port", "POST", "localhost:9003", "", []string{"Origin", "http://localhost:8081"}, forbidden},
			{"an opaque origin", "POST", "localhost:9003", "", []string{"Origin", "null", "Content-Type", "text/plain"}, forbidden},
			{"another site without Origin", "POST", "localhost:9003", "", []string{"Sec-Fetch-Site", "cross-site"}, forbidden},
			{"another origin, gRPC-Web", "POST", "localhost:9003", "", []string{"Origin", "https://evil.example", "Content-Type", "application/grpc-web+proto"}, forbidden},
			{"a form's content type", "POST", "localhost:9003", "", []string{"Content-Type", "text/plain"}, func(status int) bool { return status == 415 || notAllowed(status) }},
		} {
			r := do(h, c.method, path+c.query, c.host, c.header...)
			if !c.refused(r.StatusCode) {
				t.Errorf("%s, %s: %s %s", path, c.name, r.Status, body(r))
			}
			for name := range r.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s, %s: the answer has %s", path, c.name, name)
				}
			}
		}
	}
	if status, text := ask(h, "Status", "{}", "Origin", "http://localhost:9003", "Sec-Fetch-Site", "same-origin"); status != 200 {
		t.Errorf("our own page: %d %s", status, text)
	}
}

func notAllowed(status int) bool { return status == 404 || status == 405 || status == 505 } // 505: only over HTTP/2
func forbidden(status int) bool  { return status == 403 }

func TestLargeMessages(t *testing.T) {
	h := Handler(newSource(t, policydir.Attempt{}))
	large := fmt.Sprintf(`{"known_hash": %q}`, strings.Repeat("x", maxRequestBytes))
	if status, text := ask(h, "Status", large); status != 429 || !strings.Contains(text, `"resource_exhausted"`) {
		t.Errorf("%d %.200s", status, text)
	}
}
