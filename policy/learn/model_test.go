package learn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/learn"
)

// A model is an upstream by chance: what each origin may do at each place, and whether it may at each of its routes.
type model struct {
	everybody bool // answers *
	origins   map[string]*modelGrant
}

type modelGrant struct {
	routes      map[string]bool // where it may read
	methods     []string
	headers     []string
	exposed     []string
	credentials bool
	maxAge      string
}

var (
	modelPlaces  = []string{"api", "files", "admin"}
	modelRoutes  = []string{"/a", "/b", "/c"}
	modelOrigins = []string{"https://shop.example.com", "https://www.example.com", "https://partner.test", "https://evil.test", "https://localhost:3000", "chrome-extension://abc"}
	modelMethods = []string{"GET", "PUT", "DELETE", "patch"}
	modelHeaders = []string{"content-type", "x-a", "authorization"}
)

func some(r *rand.Rand, list []string) (out []string) {
	for _, s := range list {
		if r.IntN(2) == 0 {
			out = append(out, s)
		}
	}
	return out
}

func newModel(r *rand.Rand) *model {
	m := &model{everybody: r.IntN(4) == 0, origins: map[string]*modelGrant{}}
	all := &modelGrant{methods: some(r, modelMethods), headers: some(r, modelHeaders), exposed: some(r, []string{"x-total", "x-id"})}
	split := r.IntN(2) == 0
	for _, origin := range modelOrigins {
		g := &modelGrant{
			routes: map[string]bool{}, methods: some(r, modelMethods), headers: some(r, modelHeaders), exposed: some(r, []string{"x-total", "x-id"}),
			credentials: r.IntN(2) == 0, maxAge: []string{"", "60", "600"}[r.IntN(3)],
		}
		may := r.IntN(3) > 0
		for _, route := range modelRoutes {
			g.routes[route] = may && (!split || r.IntN(2) == 0)
		}
		if m.everybody {
			*g = *all
			g.routes = map[string]bool{"/a": true, "/b": true, "/c": true}
		}
		m.origins[origin] = g
	}
	return m
}

// fact is something that an origin asked for.
type fact struct{ place, route, origin, kind, name string }

// TestModel lets pages ask upstreams that are made by chance, learns from the log, and asks the engine: whoever asked gets
// what he was granted, and nobody gets what he was not.
func TestModel(t *testing.T) {
	for seed := range uint64(80) {
		checkModel(t, seed)
		if t.Failed() {
			return
		}
	}
}

func checkModel(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	models := map[string]*model{}
	for _, place := range modelPlaces {
		models[place] = newModel(r)
	}
	granted := map[fact]bool{} // what was asked for, and whether it was granted
	var log bytes.Buffer
	for range 150 {
		place, route, origin := pick(r, modelPlaces), pick(r, modelRoutes), pick(r, modelOrigins)
		m := models[place]
		g := m.origins[origin]
		may := g.routes[route]
		line := map[string]any{"virtual_host": place, "authority": place + ".example.org", "path": route + "/x", "origin": origin, "status": 200, "vary": "Origin", "allow_origin": nil}
		f := fact{place: place, route: route, origin: origin}
		note := func(kind, name string, ok bool) {
			f.kind, f.name = kind, name
			granted[f] = ok
		}
		if may {
			line["allow_origin"] = origin
			if m.everybody {
				line["allow_origin"] = "*"
			}
			if g.credentials {
				line["allow_credentials"] = "true"
			}
		}
		if r.IntN(2) == 0 {
			method, headers := pick(r, modelMethods), some(r, modelHeaders)
			line["method"], line["request_method"], line["request_headers"] = "OPTIONS", method, strings.Join(headers, ",")
			if may {
				line["allow_methods"], line["allow_headers"], line["max_age"] = strings.Join(g.methods, ", "), strings.Join(g.headers, ", "), g.maxAge
			}
			note("preflight", "", may)
			note("method", method, may && (method == "GET" || slices.Contains(g.methods, method)))
			for _, h := range headers {
				note("header", h, may && slices.Contains(g.headers, h))
			}
		} else {
			line["method"] = "GET"
			if may {
				line["expose_headers"] = strings.Join(g.exposed, ",")
			}
			note("read", "", may)
		}
		data, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(append(data, '\n'))
	}
	l := learn.New(learn.Options{})
	if err := l.Read(context.Background(), "log", bytes.NewReader(log.Bytes())); err != nil {
		t.Fatal(err)
	}
	learned := l.Learn(false)
	text := learned.File.Bytes()
	set := passes(t, text, learned.TestFile())
	again := learn.New(learn.Options{Policies: set})
	if err := again.Read(context.Background(), "log", bytes.NewReader(log.Bytes())); err != nil {
		t.Fatal(err)
	}
	report, _ := again.Report()
	for _, e := range slices.Concat(report.GetLose(), report.GetGain()) {
		// The answer to a preflight alone says nothing of credentials.
		if e.GetWhat() != "credentials" || !onlyPreflighted(granted, e.GetPlace(), e.GetOrigin()) {
			t.Errorf("seed %d: with what was learned nothing should change, and does: %v\n%s", seed, e, text)
		}
	}
	fail := func(f fact, what string) {
		t.Errorf("seed %d: %v: %s\n%s", seed, f, what, text)
	}

	reads := map[fact]bool{} // by place and origin: granted reading somewhere
	for f, ok := range granted {
		if f.kind == "read" && ok {
			reads[fact{place: f.place, origin: f.origin}] = true
		}
	}
	for _, place := range modelPlaces {
		for _, origin := range append(slices.Clone(modelOrigins), "https://stranger.test", "null") {
			for _, route := range modelRoutes {
				holdFacts(models[place], set, granted, reads, fact{place: place, route: route, origin: origin}, fail)
			}
		}
	}
}

// holdFacts asks about all that an origin may want under a route.
func holdFacts(m *model, set *policy.Set, granted, reads map[fact]bool, f fact, fail func(fact, string)) {
	g := m.origins[f.origin]
	ask := func(method string, headers ...string) policy.Decision {
		q := policy.Request{VirtualHost: f.place, Authority: f.place + ".example.org", Path: f.route + "/x", Method: "GET", Origin: policy.Line(f.origin)}
		if method != "" {
			q.Method, q.RequestMethod, q.RequestHeaders = "OPTIONS", policy.Line(method), headers
		}
		return set.Decide(&q)
	}
	read := fact{f.place, f.route, f.origin, "read", ""}
	d := ask("")
	allowed := d.Verdict == policy.Allowed
	switch was, asked := granted[read]; {
	case d.Reason == policy.ReasonPassthrough:
		if asked {
			fail(read, "it is passed through, where there is evidence")
		}
		return
	case asked && was != allowed:
		fail(read, fmt.Sprintf("it was granted: %t, and now is %s", was, d.Reason))
	case allowed && !m.everybody && !reads[fact{place: f.place, origin: f.origin}] && !preflighted(granted, f):
		fail(read, "nothing was granted, and now it is")
	}
	if !allowed {
		return
	}
	if g == nil { // a stranger, whom everybody's answer is for too
		if !m.everybody {
			fail(read, "a stranger gets in")
		}
		for _, other := range m.origins {
			g = other
			break
		}
	}
	if hasCredentials(&d) && !g.credentials {
		fail(read, "with credentials, which were not granted")
	}
	was, asked := granted[read]
	if asked && was && g.credentials && !hasCredentials(&d) && !m.everybody {
		fail(read, "without credentials, which were granted")
	}
	for _, method := range append(slices.Clone(modelMethods), "TEAPOT") {
		f := fact{f.place, f.route, f.origin, "method", method}
		now := ask(method).Verdict == policy.Allowed
		if was, asked := granted[f]; asked && was && !now {
			fail(f, "it was granted, and is not")
		}
		if now && method != "GET" && !slices.Contains(g.methods, method) {
			fail(f, "it was not granted, and is")
		}
	}
	for _, header := range append(slices.Clone(modelHeaders), "x-other") {
		f := fact{f.place, f.route, f.origin, "header", header}
		now := ask("GET", header).Verdict == policy.Allowed
		if was, asked := granted[f]; asked && was && !now {
			fail(f, "it was granted, and is not")
		}
		if now && !slices.Contains(g.headers, header) {
			fail(f, "it was not granted, and is")
		}
	}
}

// preflighted reports whether an origin was granted a preflight somewhere at the place.
func preflighted(granted map[fact]bool, f fact) bool {
	for other, ok := range granted {
		if ok && other.place == f.place && other.origin == f.origin && other.kind == "preflight" {
			return true
		}
	}
	return false
}

// onlyPreflighted reports whether no request of an origin was answered under some route, and a preflight was.
func onlyPreflighted(granted map[fact]bool, place, origin string) bool {
	for f := range granted {
		if f.place == place && f.origin == origin && f.kind == "preflight" {
			if _, asked := granted[fact{place, f.route, origin, "read", ""}]; !asked {
				return true
			}
		}
	}
	return false
}

func hasCredentials(d *policy.Decision) bool {
	for _, h := range d.AppendFixed(nil) {
		if h.Name == "access-control-allow-credentials" {
			return h.Value == "true"
		}
	}
	return false
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }
