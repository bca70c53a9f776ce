//go:build cgo

package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/envoy/module/fakeenvoy"
)

// asWorker makes the test one of Envoy's workers, which has kept nothing of other tests.
func asWorker(t *testing.T) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

// crossings returns how often requests made the worker enter Go.
func crossings(c *fakeenvoy.Config, requests ...*fakeenvoy.Request) int {
	before := fakeenvoy.Crossings()
	for _, r := range requests {
		c.Do(r, false, lines("vary: Accept"))
	}
	return fakeenvoy.Crossings() - before
}

// TestCrossings: Go is entered once for a request, and not at all for one that is like an earlier one.
func TestCrossings(t *testing.T) {
	asWorker(t)
	_, config := writePolicies(t, shop+`
  - {name: flat, policies: [shop]}
  - {name: regex, policies: [shop], routes: [{regex: "/a[0-9]+", policies: [none]}]}
  - {name: long, policies: [shop], routes: [{prefix: /aaaaaaaaaaaaaaa, policies: [none]}]}
`)
	c := newConfig(t, config)
	defer c.Destroy()
	const n = 100
	paths := func(name, format string) (all []*fakeenvoy.Request) {
		for i := range n {
			r := request("GET", fmt.Sprintf(format, i), "origin: https://shop.example", "x-other: "+fmt.Sprint(i))
			r.VirtualHost = &name
			all = append(all, r)
		}
		return all
	}
	var lengths []*fakeenvoy.Request
	for i := range 8 {
		lengths = append(lengths, paths("long", "/"+strings.Repeat("a", i)+"-%d")...)
	}
	_, none := writePolicies(t, shop)
	for _, test := range []struct {
		name           string
		requests       []*fakeenvoy.Request
		first, further int
	}{
		{"no Origin", []*fakeenvoy.Request{request("GET", "/")}, 1, 0},
		{"actual", []*fakeenvoy.Request{request("GET", "/", "origin: https://shop.example")}, 1, 0},
		{"preflight", []*fakeenvoy.Request{request("OPTIONS", "/", "origin: https://shop.example", "access-control-request-method: PUT")}, 1, 0},
		{"refused", []*fakeenvoy.Request{request("GET", "/", "origin: https://evil.example")}, 1, 0},
		{"paths of one place", paths("api", "/a%d?q"), 1, 0},
		{"other queries", []*fakeenvoy.Request{request("GET", "/a1?other#x", "origin: https://shop.example")}, 0, 0},
		{"one byte of a fact", []*fakeenvoy.Request{request("GET", "/a1", "origin: https://shop.exampl")}, 1, 0},
		{"a fact more", []*fakeenvoy.Request{request("GET", "/a1", "origin: https://shop.example", "upgrade: ")}, 1, 0},
		{"paths of a route", paths("api", "/open/a%d?q"), 1, 0},
		{"paths where none matters", paths("flat", "/a%d?q"), 1, 0},
		{"odd paths where none matters", paths("flat", "/a%d;q"), 0, 0},
		{"paths of an expression", paths("regex", "/a%d?q"), n, 0},
		{"odd paths", paths("api", "/a%d/%%2e%%2e/?q"), n, 0},
		{"a path that is the beginning of a route's", paths("api", "/open?%d"), 1, 0},
		{"paths that leave a route's at so many places", lengths, 8, 0},
		{"and at one more", paths("long", "/"+strings.Repeat("a", 8)+"-%d"), n, 0},
	} {
		if test.first > 1 && test.name != "and at one more" {
			newConfig(t, none).Destroy() // everything is forgotten: of so many, some would have to make room for others
		}
		// No t.Run: that is another goroutine, on another thread.
		if got := crossings(c, test.requests...); got != test.first {
			t.Errorf("%s: %d crossings at first, want %d", test.name, got, test.first)
		}
		if got := crossings(c, test.requests...); got != test.further {
			t.Errorf("%s: %d crossings then, want %d", test.name, got, test.further)
		}
	}
	src := sources.byPath[strings.TrimSuffix(strings.TrimPrefix(config, `{"policies":"`), `"}`)]
	replace(t, src.path, shop)
	reads(t, c)
	if got := crossings(c, request("GET", "/")); got != 1 {
		t.Errorf("%d crossings after a reload", got)
	}
}

// TestKeptOfTwo: two filters with policies of their own do not take each other's place, nor each other's decisions.
func TestKeptOfTwo(t *testing.T) {
	asWorker(t)
	_, one := writePolicies(t, shop)
	_, other := writePolicies(t, strings.ReplaceAll(shop, "https://shop.example", "https://other.example"))
	a, b := newConfig(t, one), newConfig(t, other)
	defer a.Destroy()
	defer b.Destroy()
	for i := range 3 {
		before := fakeenvoy.Crossings()
		if !grants(a, "https://shop.example") || grants(b, "https://shop.example") || grants(a, "https://other.example") || !grants(b, "https://other.example") {
			t.Error("a filter decides by the policies of another")
		}
		if n := fakeenvoy.Crossings() - before; i > 0 && n != 0 {
			t.Errorf("%d crossings", n)
		}
	}
}

// TestKeptIsBounded: clients that make up requests fill no memory, and what is too large is decided anew.
func TestKeptIsBounded(t *testing.T) {
	asWorker(t)
	const most = 2 << 20
	long := strings.Repeat("X-Long-Name-Of-A-Header, ", 400)
	c := load(t, strings.Replace(shop, "allow_methods", "allow_headers: ["+strings.TrimSuffix(long, ", ")+"]\n    allow_methods", 1)+
		"      - {regex: /none}\n")
	largest := 0
	for i := range 6000 {
		r := request("OPTIONS", fmt.Sprintf("/%d/%s", i, strings.Repeat("x", i%1200)), "origin: https://shop.example", "access-control-request-method: PUT")
		c.Do(r, false, nil)
		largest = max(largest, fakeenvoy.Kept())
	}
	if largest > most || largest < most/2 {
		t.Errorf("up to %d bytes are kept", largest)
	}
	before := fakeenvoy.Kept()
	large := request("GET", "/", "origin: https://shop.example", "access-control-request-headers: "+strings.Repeat("x", 3<<10))
	if got := crossings(c, large, large); got != 2 || fakeenvoy.Kept() != before {
		t.Errorf("%d crossings of two large requests, %d bytes are kept instead of %d", got, fakeenvoy.Kept(), before)
	}
}

// TestAllocations: Go allocates nothing for a decision, whatever it is.
func TestAllocations(t *testing.T) {
	c := load(t, shop)
	// With so large a fact, which counts for preflights alone, nothing is kept: every request enters Go.
	large := "access-control-request-headers: " + strings.Repeat("x", 3<<10)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for name, r := range map[string]*fakeenvoy.Request{
		"actual":    request("GET", "/", "origin: https://shop.example", large),
		"no Origin": request("GET", "/", large),
		"refused":   request("GET", "/", "origin: https://evil.example", large),
		"rejected":  request("POST", "/guarded", "origin: https://evil.example", large),
		"preflight": request("OPTIONS", "/", "origin: https://shop.example", "access-control-request-method: PUT", large),
		"trial":     request("GET", "/trial", "origin: https://shop.example", large),
	} {
		t.Run(name, func(t *testing.T) {
			templates := []fakeenvoy.Template{{Request: r}}
			const n = 2000
			count := func() uint64 {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				c.Work(templates, 1, n)
				runtime.ReadMemStats(&after)
				return after.Mallocs - before.Mallocs
			}
			count() // the refusal is logged once
			if got := count(); got > n/20 {
				t.Errorf("%d allocations of %d decisions", got, n)
			}
		})
	}
}

// TestKeptPaths: whatever was asked about before, a path is decided as the engine decides it. Nothing but the path differs, and few
// letters make paths that are beginnings of each other.
func TestKeptPaths(t *testing.T) {
	asWorker(t)
	r := rand.New(rand.NewPCG(7, 8))
	text := func() string {
		s := "/"
		for range r.IntN(6) {
			s += []string{"a", "b", "c", "/", "a", "b", "c", "/", ".", "/../", "%2F", ";", "\\..\\", "?"}[r.IntN(14)]
		}
		return s
	}
	kept := 0
	const sets, requests = 12, 1500
	for range sets {
		content := "policies:\n  shop: {allow_origins: [https://shop.example]}\nvirtual_hosts:\n- name: api\n  policies: [shop]\n  routes:\n"
		routes := map[string]bool{}
		for range 1 + r.IntN(30) {
			path := "/"
			for range 1 + r.IntN(4) {
				path += []string{"a", "b", "a/", "b/"}[r.IntN(4)]
			}
			kind := []string{"path", "prefix", "path_separated_prefix", "regex"}[min(r.IntN(40)/10, r.IntN(10))]
			if kind == "path_separated_prefix" {
				path = strings.TrimSuffix(path, "/")
			}
			if routes[kind+path] {
				continue
			}
			routes[kind+path] = true
			content += fmt.Sprintf("  - {%s: %s, policies: [%s]}\n", kind, path, []string{"none", "passthrough", "shop"}[r.IntN(3)])
		}
		_, config := writePolicies(t, content)
		c := newConfig(t, config)
		src := sources.byPath[strings.TrimSuffix(strings.TrimPrefix(config, `{"policies":"`), `"}`)]
		set := src.current.Load().result.Set
		before := fakeenvoy.Crossings()
		for range requests {
			q := request("GET", text(), "origin: https://shop.example")
			want := expected(set, q, nil, false, nil)
			got := c.Do(q, false, nil)
			got.Raw = ""
			sortLines(got.Response)
			sortLines(want.Response)
			if diff := difference(want, got); diff != "" {
				t.Fatalf("of %q, with\n%s\n%s", q.Headers, content, diff)
			}
		}
		kept += requests - (fakeenvoy.Crossings() - before)
		c.Destroy()
	}
	if kept < sets*requests/4 {
		t.Errorf("only %d decisions of %d were kept ones", kept, sets*requests)
	}
}
