//go:build cgo

package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/corsproc/corsproc/envoy/module/fakeenvoy"
	"github.com/corsproc/corsproc/policy"
)

// crowded is a set in which every fact of a request matters somewhere.
const crowded = `
origin_sets:
  partners: [https://a.example, "https://*.b.example", https://c.example:8443]
policies:
  shop:
    allow_origins: [https://shop.example, "@partners"]
    deny_origins: [https://bad.b.example]
    allow_methods: [PUT, DELETE]
    allow_headers: [Content-Type, X-Token]
    expose_headers: [X-One, X-Two]
    expose_upstream: true
    allow_credentials: true
    max_age: 1h
  any: {allow_origins: ["*"], allow_methods: ["*"], allow_headers: ["*"], expose_upstream: true}
  echo: {allow_origins: [https://shop.example], allow_methods: ["*"], allow_headers: ["*"], allow_credentials: true, preflight_status: 200}
  private: {allow_origins: ["null", https://shop.example], allow_private_network: true}
virtual_hosts:
  - name: api
    policies: [shop, any]
    reject: WEBSOCKETS
    timing_allow_origins: [https://rum.example]
    routes:
      - {route_name: "named/*", policies: [echo], reject: UNSAFE_METHODS}
      - {prefix: /public/, policies: [any], reject: NEVER}
      - {path_separated_prefix: /strict, policies: [shop], reject: ALWAYS, unmatched_preflights: REFUSE}
      - {regex: "/v[0-9]+/.*", policies: [none]}
      - {path: /pass, policies: [passthrough], candidates: [shop]}
  - {domains: [flat.example, "*.flat.example"], policies: [private, echo], candidates: [any]}
  - {name: open, policies: [any]}
default: {policies: [shop]}
`

// world is what a request is made of: the more often the same is drawn, the more is kept.
var world = map[string][]string{
	":method":                                {"GET", "POST", "OPTIONS", "OPTIONS", "OPTIONS", "HEAD", "CONNECT", "put"},
	":scheme":                                {"http", "https"},
	":authority":                             {"api.example", "flat.example", "x.FLAT.example:8080", "shop.example"},
	":path":                                  {"/", "/?q", "/public/x", "/strict", "/strict/../public/", "/v1/x", "/pass", "/pass?a=/strict", "/%2e%2e/strict", "/a//b;c"},
	":protocol":                              {"websocket", "bytestream"},
	"origin":                                 {"https://shop.example", "https://x.b.example", "https://bad.b.example", "https://evil.example", "null", "", "https://shop.example,https://a.example", "HTTPS://shop.example", "https://c.example:8443", "https://\xff.example"},
	"access-control-request-method":          {"PUT", "GET", "PATCH", "", "p\x80"},
	"access-control-request-headers":         {"content-type", "x-token,content-type", "authorization", "a,,b", "*", "\x01", ""},
	"access-control-request-private-network": {"true", "false", ""},
	"upgrade":                                {"websocket", "h2c, WebSocket", ""},
	"sec-fetch-site":                         {"same-origin", "cross-site", ""},
	"content-type":                           {"application/json", "application/grpc", "application/grpc+proto"},
	"x-other":                                {"1"},
}

var responses = map[string][]string{
	"vary":                             {"Accept", "origin", "Accept-Encoding, ORIGIN", "*", "", " a ,\tB,, a", "\x01", "X-\xc3\x89, x-\xc3\xa9, ORIGI\xe2\x84\xaa", strings.Repeat("name,", 200)},
	"access-control-allow-origin":      {"*", "https://evil.example"},
	"access-control-allow-credentials": {"true"},
	"access-control-max-age":           {"1"},
	"access-control-expose-headers":    {"X-Cart", "*", "", " x-one ,\tX-Cart,, b a", "x-cart,X-CART\x01,\x00,\xc3\x89", "X-Two,X\xe2\x84\xaa", strings.Repeat(",", 300) + "x", strings.Repeat("a", 4090) + ",b,c,d"},
	"timing-allow-origin":              {"*"},
	"x-up":                             {"1", "2"},
}

// draw makes headers: each name of from once as a rule, and sometimes not at all or several times.
func draw(r *rand.Rand, from map[string][]string, least ...string) (headers []fakeenvoy.Header) {
	var names []string
	for name := range from {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		n := []int{0, 0, 0, 1, 1, 2, 3}[r.IntN(7)]
		switch {
		case name[0] == ':' && name != ":protocol":
			n = 1
		case slices.Contains(least, name) && n == 0:
			n = 1
		case r.IntN(200) == 0:
			n = 100
		}
		for range n {
			headers = append(headers, fakeenvoy.Header{Name: name, Value: from[name][r.IntN(len(from[name]))]})
		}
	}
	r.Shuffle(len(headers), func(i, j int) { headers[i], headers[j] = headers[j], headers[i] })
	return headers
}

func drawRequest(r *rand.Rand, perRoute []*fakeenvoy.PerRoute) *fakeenvoy.Request {
	q := &fakeenvoy.Request{Headers: draw(r, world, "origin")}
	if i := r.IntN(5); i < 4 {
		q.VirtualHost = &[]string{"api", "api", "open", "other"}[i]
		q.Route = &[]string{"", "", "", "named/1"}[r.IntN(4)]
	}
	switch r.IntN(12) {
	case 0:
		q.Metadata = []fakeenvoy.Metadata{{Key: "policies", Text: []string{"any", " shop , echo", "missing", ""}[r.IntN(4)]}}
	case 1:
		q.Metadata = []fakeenvoy.Metadata{{Key: "other", Text: "any"}, {Key: "policies", NoText: true}}
	case 2:
		for i := range 20 {
			q.Metadata = append(q.Metadata, fakeenvoy.Metadata{Key: fmt.Sprint("k", i), Text: "any"})
		}
	}
	if r.IntN(6) == 0 {
		q.PerRoute = perRoute[r.IntN(len(perRoute))]
	}
	return q
}

// perRouteTexts are what typed_per_filter_config may say.
var perRouteTexts = []string{"echo", "missing", "", "any,shop"}

// plain reads the facts of a request in the plainest way.
func plain(q *fakeenvoy.Request, named *string, answered bool) *policy.Request {
	r := &policy.Request{Answered: answered}
	if q.VirtualHost != nil {
		r.VirtualHost, r.Route = *q.VirtualHost, *q.Route
	}
	var upgrades, networks []string
	line := func(f *policy.Field, value string) {
		if f.Lines++; f.Lines == 1 {
			f.Value = value
		}
	}
	for _, h := range q.Headers {
		switch h.Name {
		case ":method":
			r.Method = h.Value
		case ":scheme":
			r.Scheme = h.Value
		case ":authority":
			r.Authority = h.Value
		case ":path":
			r.Path = h.Value
		case "origin":
			line(&r.Origin, h.Value)
		case "access-control-request-method":
			line(&r.RequestMethod, h.Value)
		case "sec-fetch-site":
			line(&r.FetchSite, h.Value)
		case "upgrade":
			upgrades = append(upgrades, h.Value)
		}
		if answered {
			continue // the rest is not told with a response
		}
		switch h.Name {
		case ":protocol":
			if r.Protocol == "" {
				r.Protocol = h.Value
			}
		case "access-control-request-headers":
			r.RequestHeaders = append(r.RequestHeaders, h.Value)
		case "access-control-request-private-network":
			networks = append(networks, h.Value)
		}
	}
	r.Upgrade, r.RequestPrivateNetwork = strings.Join(upgrades, ","), strings.Join(networks, ",")
	for _, m := range q.Metadata {
		if m.Key == "policies" {
			r.Named = policy.Line(m.Text)
			if m.NoText {
				r.Named.Value = "?"
			}
			return r
		}
	}
	if named != nil {
		r.Named = policy.Line(*named)
	}
	return r
}

// expected is what must become of a request, by the plainest use of the engine.
func expected(set *policy.Set, q *fakeenvoy.Request, named *string, answered bool, response []fakeenvoy.Header) (o fakeenvoy.Outcome) {
	d := set.Decide(plain(q, named, answered))
	for _, f := range d.AppendFacts(nil) {
		o.Metadata = append(o.Metadata, fakeenvoy.Header{Name: f.Name, Value: f.Text})
	}
	switch d.Action() {
	case policy.Pass:
		o.Response = response
	case policy.Adjust:
		var vary, exposed []string
		for _, h := range response {
			if h.Name == policy.HeaderVary {
				vary = append(vary, h.Value)
			}
			if h.Name == policy.HeaderExposed {
				exposed = append(exposed, h.Value)
			}
		}
		gone := slices.Clone(policy.ResponseHeaders[:])
		added := d.AppendResponse(nil, vary, exposed...)
		for _, h := range added {
			gone = append(gone, h.Name)
		}
		for _, h := range response {
			if !slices.Contains(gone, h.Name) {
				o.Response = append(o.Response, h)
			}
		}
		for _, h := range added {
			o.Response = append(o.Response, fakeenvoy.Header(h))
		}
	case policy.Respond:
		status, headers, body := d.AppendImmediate(nil)
		o.Ends = 1
		if isGRPC(q) {
			o.Sent = append(o.Sent, fakeenvoy.Header{Name: "grpc", Value: strconv.FormatBool(status == 403)})
			return o
		}
		o.Sent = append(o.Sent, fakeenvoy.Header{Name: ":status", Value: strconv.Itoa(status)})
		for _, h := range headers {
			o.Sent = append(o.Sent, fakeenvoy.Header(h))
		}
		if body != "" {
			o.Sent = append(o.Sent, fakeenvoy.Header{Name: "content-length", Value: strconv.Itoa(len(body))})
		}
		if values(q.Headers, ":method") != "HEAD" {
			o.Body = body
		}
	}
	return o
}

func isGRPC(q *fakeenvoy.Request) bool {
	return slices.ContainsFunc(q.Headers, func(h fakeenvoy.Header) bool {
		return h.Name == "content-type" && strings.HasPrefix(h.Value, "application/grpc")
	})
}

// checkRandom sends requests that a source of numbers makes, and holds what becomes of them against the engine.
func checkRandom(t *testing.T, c *fakeenvoy.Config, perRoute []*fakeenvoy.PerRoute, r *rand.Rand, requests int) {
	set := sources.at(0).current.Load().result.Set
	for range requests {
		q := drawRequest(r, perRoute)
		var named *string
		if q.PerRoute != nil {
			named = &perRouteTexts[slices.Index(perRoute, q.PerRoute)]
		}
		answered := r.IntN(4) == 0
		response := draw(r, responses)
		want := expected(set, q, named, answered, response)
		for _, kept := range []bool{false, true} {
			got := c.Do(q, answered, response)
			got.Raw = ""
			if len(got.Sent) > 0 && isGRPC(q) {
				got.Sent = []fakeenvoy.Header{{Name: "grpc", Value: strconv.FormatBool(values(got.Sent, "grpc-status") == "7")}}
			}
			sortLines(got.Response)
			sortLines(want.Response)
			if diff := difference(want, got); diff != "" {
				t.Fatalf("kept %v: of %q\nanswered %v, per route %v, response %q\n%s", kept, q.Headers, answered, named, response, diff)
			}
		}
	}
}

// difference says in what two outcomes differ; empty: in nothing. The comparison in words is slow, more so on the thread of a
// worker.
func difference(want, got fakeenvoy.Outcome) string {
	if slices.Equal(want.Sent, got.Sent) && want.Body == got.Body && want.Ends == got.Ends && slices.Equal(want.Response, got.Response) &&
		slices.Equal(want.Metadata, got.Metadata) && want.Raw == got.Raw {
		return ""
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

// sortLines sorts headers by their names: the order of different ones tells nothing.
func sortLines(headers []fakeenvoy.Header) {
	slices.SortStableFunc(headers, func(a, b fakeenvoy.Header) int { return strings.Compare(a.Name, b.Name) })
}

func loadCrowded(t testing.TB) (*fakeenvoy.Config, []*fakeenvoy.PerRoute) {
	var perRoute []*fakeenvoy.PerRoute
	for _, text := range perRouteTexts {
		p := fakeenvoy.NewPerRoute(text)
		t.Cleanup(p.Destroy)
		perRoute = append(perRoute, p)
	}
	return load(t, crowded), perRoute
}

// TestRandomRequests holds the hooks, and the decisions that are kept, against the engine.
func TestRandomRequests(t *testing.T) {
	c, perRoute := loadCrowded(t)
	checkRandom(t, c, perRoute, rand.New(rand.NewPCG(1, 2)), 2000)
}

// FuzzRequests is TestRandomRequests with other numbers, and texts of the fuzzer's.
func FuzzRequests(f *testing.F) {
	c, perRoute := loadCrowded(f)
	f.Add(uint64(1), "https://shop.example", "/strict", "x-token", "Accept")
	f.Fuzz(func(t *testing.T, seed uint64, origin, path, names, vary string) {
		set := sources.at(0).current.Load().result.Set
		r := rand.New(rand.NewPCG(seed, binary.LittleEndian.Uint64([]byte("corsproc"))))
		q := drawRequest(r, perRoute)
		q.PerRoute = nil
		for i := range q.Headers {
			switch h := &q.Headers[i]; h.Name {
			case "origin":
				h.Value = origin
			case ":path":
				h.Value = path
			case "access-control-request-headers":
				h.Value = names
			}
		}
		response := lines("vary: " + vary)
		want := expected(set, q, nil, false, response)
		for range 2 {
			got := c.Do(q, false, response)
			if len(got.Sent) > 0 && isGRPC(q) {
				got.Sent = []fakeenvoy.Header{{Name: "grpc", Value: strconv.FormatBool(values(got.Sent, "grpc-status") == "7")}}
			}
			got.Raw = ""
			sortLines(got.Response)
			sortLines(want.Response)
			if diff := difference(want, got); diff != "" {
				t.Fatalf("of %q\n%s", q.Headers, diff)
			}
		}
	})
}
