//go:build cgo

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/envoy/module/fakeenvoy"
)

// TestKeptBounds reaches each bound of what a worker keeps: how many decisions, of how many facts, with how large an answer.
func TestKeptBounds(t *testing.T) {
	asWorker(t)
	answer := func(bytes int) string { // what a policy exposes is in its answers
		const name = "X-Name-%06d"
		return "[" + strings.Join(numbered(bytes/len("X-Name-000000, "), name), ", ") + "]"
	}
	c := load(t, `
policies:
  shops: {allow_origins: ["https://*.shop.example"]}
  below: {allow_origins: ["https://*.shop.example"], expose_headers: `+answer(15<<10)+`}
  above: {allow_origins: ["https://*.shop.example"], expose_headers: `+answer(17<<10)+`}
virtual_hosts:
- {name: api, policies: [shops]}
- {name: below, policies: [below]}
- {name: above, policies: [above]}
`)
	again := func(r *fakeenvoy.Request) int {
		crossings(c, r)
		return crossings(c, r)
	}
	const most, asked = 1024, 2048
	var all []*fakeenvoy.Request
	for i := range asked {
		all = append(all, request("GET", "/", fmt.Sprintf("origin: https://%d.shop.example", i)))
	}
	some := all[:most/4]
	crossings(c, some...)
	if n := crossings(c, some...); n > len(some)/10 { // a few may share a place with more others than it has room for
		t.Errorf("of %d decisions %d are not kept", len(some), n)
	}
	crossings(c, all...)
	if kept := asked - crossings(c, all...); kept > most {
		t.Errorf("%d decisions are kept", kept)
	}
	for _, test := range []struct {
		bytes, again int // of a header that counts
	}{{1 << 10, 0}, {3 << 9, 0}, {2 << 10, 1}, {60 << 10, 1}} {
		if n := again(request("GET", "/", "origin: https://a.shop.example", "access-control-request-headers: "+strings.Repeat("x", test.bytes))); n != test.again {
			t.Errorf("%d bytes of facts: %d crossings, want %d", test.bytes, n, test.again)
		}
	}
	for host, want := range map[string]int{"below": 0, "above": 1} {
		r := request("GET", "/", "origin: https://a.shop.example")
		r.VirtualHost = &host
		if n := again(r); n != want {
			t.Errorf("an answer %s the bound: %d crossings, want %d", host, n, want)
		}
	}
}
