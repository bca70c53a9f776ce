//go:build cgo

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/corsproc/corsproc/envoy/module/fakeenvoy"
)

func repeat(n int, line string) (all []string) {
	for range n {
		all = append(all, line)
	}
	return all
}

// numbered returns lines that differ, of which %d is the number.
func numbered(n int, line string) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(line, i))
	}
	return all
}

// TestLimits: at and above every number for which the module or the service has room, what is answered is what the engine says:
// nothing is cut off, and nothing is forgotten.
func TestLimits(t *testing.T) {
	c, _ := loadCrowded(t)
	set := sources.at(0).current.Load().result.Set
	const shop = "origin: https://shop.example"
	preflight := []string{shop, "access-control-request-method: PUT"}
	origin := func(n int) string { return "origin: https://" + strings.Repeat("a", n-len("https://")) }
	type test struct {
		name     string
		method   string
		request  []string
		response []string
	}
	var tests []test
	for _, n := range []int{1, 3, 4, 5, 8, 9, 16, 17, 63, 64, 65, 1000} {
		tests = append(tests,
			test{fmt.Sprint(n, " lines of names"), "OPTIONS", append(repeat(n-1, "access-control-request-headers: content-type"), append(preflight, "access-control-request-headers: nope")...), nil},
			test{fmt.Sprint(n, " request headers before the Origin"), "GET", append(numbered(n, "x-%d: 1"), shop), nil},
			test{fmt.Sprint(n, " Origins"), "GET", repeat(n, shop), nil},
			test{fmt.Sprint(n, " lines of Upgrade"), "GET", append(repeat(n-1, "upgrade: h2c"), "upgrade: websocket", "origin: https://evil.example"), nil},
			test{fmt.Sprint(n, " lines of Vary"), "GET", []string{shop}, numbered(n, "vary: X-%d")},
			test{fmt.Sprint(n, " lines of Vary, the last is Origin"), "GET", []string{shop}, append(numbered(n-1, "vary: X-%d"), "vary: origin")},
			test{fmt.Sprint(n, " response headers before a grant"), "GET", []string{"origin: https://evil.example"}, append(numbered(n, "x-%d: 1"), "access-control-allow-origin: *")},
			test{fmt.Sprint(n, " grants of the upstream"), "GET", []string{shop}, repeat(n, "access-control-allow-origin: *")},
			test{fmt.Sprint(n, " lines of exposed names"), "GET", []string{shop}, numbered(n, "access-control-expose-headers: X-%d")},
			test{fmt.Sprint(n, " bytes of Vary"), "GET", []string{shop}, []string{"vary: " + strings.Repeat("a", n)}},
			test{fmt.Sprint(n, " names in Vary, twice"), "GET", []string{shop}, repeat(2, "vary: "+strings.Join(numbered(n, "Name-%d"), ","))},
		)
	}
	for _, n := range []int{31, 32, 33, 1000} {
		tests = append(tests, test{fmt.Sprint(n, " empty elements"), "OPTIONS", append(preflight, "access-control-request-headers: "+strings.Repeat(",", n-1)), nil})
	}
	for _, n := range []int{255, 256, 257, 5000} {
		tests = append(tests,
			test{fmt.Sprint(n, " exposed elements"), "GET", []string{shop}, []string{"access-control-expose-headers: " + strings.Repeat(",", n-1) + "last"}},
			test{fmt.Sprint(n, " exposed names"), "GET", []string{shop}, numbered(n, "access-control-expose-headers: a%d")})
	}
	for _, n := range []int{4093, 4094, 4095, 4096, 70_000} {
		tests = append(tests, test{fmt.Sprint(n, " bytes of an exposed name"), "GET", []string{shop}, []string{"access-control-expose-headers: " + strings.Repeat("a", n) + ",b"}})
	}
	for _, n := range []int{325, 326, 327, 70_000} {
		tests = append(tests, test{fmt.Sprint(n, " bytes of Origin"), "GET", []string{origin(n)}, nil})
	}
	for _, n := range []int{510, 511, 512, 513, 1024, 4096, 65536, 300_000} {
		tests = append(tests,
			test{fmt.Sprint(n, " bytes of names"), "OPTIONS", append(preflight, "access-control-request-headers: x-token"+strings.Repeat(",x-token", n/8)), nil},
			test{fmt.Sprint(n, " bytes of Vary, the last twice"), "GET", []string{shop}, []string{"vary: " + strings.Repeat("a", n) + ",b", "vary: B"}})
	}
	for _, test := range tests {
		q := request(test.method, "/", test.request...)
		response := lines(test.response...)
		want := expected(set, q, nil, false, response)
		sortLines(want.Response)
		for _, kept := range []bool{false, true} {
			got := c.Do(q, false, response)
			got.Raw = ""
			sortLines(got.Response)
			if !cmp.Equal(want, got, cmpopts.EquateEmpty()) {
				t.Errorf("%s, kept %v: it is not as the engine says", test.name, kept)
			}
		}
	}
	for _, n := range []int{7, 8, 9, 1000} {
		q := request("GET", "/", shop)
		for i := range n - 1 {
			q.Metadata = append(q.Metadata, fakeenvoy.Metadata{Key: fmt.Sprint(i), Text: "any"})
		}
		q.Metadata = append(q.Metadata, fakeenvoy.Metadata{Key: "policies", Text: "any"})
		if got := c.Do(q, false, nil); values(got.Response, "access-control-allow-origin") != "*" {
			t.Errorf("%d keys of metadata: the policies are not seen", n)
		}
	}
}
