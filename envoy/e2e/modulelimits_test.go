//go:build unix

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// lines returns as many header lines, each with its number.
func lines(n int, format string) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}

// TestModuleLimits sends as many lines, and as long ones, as Envoy takes: the module decides as the service does up to the
// latter's largest message, and decides still where the service gives up.
func TestModuleLimits(t *testing.T) {
	policies := "policies:\n  shop:\n    allow_origins: [https://shop.example.com]\n    allow_methods: [PUT]\n    allow_headers: [" + strings.Join(lines(5000, "x-%d"), ", ") + "]\ndefault: {policies: [shop], reject: ALWAYS}\n"
	w := startTwins(t, setup{policies: policies, edit: func(c *bootstrap.Config) {
		c.Manager.MaxRequestHeadersKb = wrapperspb.UInt32(8192)
		c.Manager.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{MaxHeadersCount: wrapperspb.UInt32(6000)}
	}})
	const shop, evil = "Origin: https://shop.example.com", "Origin: https://evil.example"
	preflight := func(more ...string) wire {
		return wire{method: "OPTIONS", host: "api.example.com", path: "/", lines: append([]string{shop, "Access-Control-Request-Method: PUT"}, more...)}
	}
	for _, n := range []int{1, 16, 17, 64, 65, 100, 4999} {
		for _, version := range []string{"1.1", "2"} {
			r := preflight(lines(n, "access-control-request-headers: x-%d")...)
			r.version = version
			w.ask(r)
			r.lines = append(slices.Clone(r.lines), "access-control-request-headers: y-none")
			w.ask(r) // the last of many is not allowed
			w.ask(wire{method: "GET", host: "api.example.com", path: "/", version: version, lines: append(lines(n, "x-other-%d: y"), shop)})
			w.ask(wire{method: "GET", host: "api.example.com", path: "/", version: version, lines: append(lines(n, "x-other-%d: y"), evil)})
			w.ask(wire{method: "GET", host: "api.example.com", path: "/", version: version, lines: append(slices.Repeat([]string{evil}, n), shop)})
			w.ask(wire{method: "GET", host: "api.example.com", path: "/", version: version, lines: append(slices.Repeat([]string{"sec-fetch-site: same-origin"}, n), evil)})
			w.ask(preflight(slices.Repeat([]string{"access-control-request-method: PUT"}, n)...))
			w.ask(preflight(slices.Repeat([]string{"access-control-request-private-network: true"}, n)...))
		}
	}
	for _, n := range []int{325, 326, 327, 2 << 10, 4 << 10, 16 << 10, 64 << 10, 200 << 10} { // of 256 KiB, which the service takes
		long := strings.Repeat("a", n)
		w.ask(wire{method: "GET", host: "api.example.com", path: "/" + long, lines: []string{shop}})
		w.ask(wire{method: "GET", host: "api.example.com", path: "/", lines: []string{"Origin: https://" + long[len("https://"):]}})
		w.ask(wire{method: "GET", host: "api.example.com", path: "/", lines: []string{shop, "Sec-Fetch-Site: " + long}})
		w.ask(wire{method: "GET", host: long + ".example.com", path: "/", lines: []string{shop}})
		w.ask(preflight("Access-Control-Request-Headers: " + long))
		w.ask(preflight("Access-Control-Request-Headers: " + long[len(long)%4:len(long)/8*8/2] + "," + strings.Repeat("x-1,", n/8) + "x-2"))
	}
	for n := range 3 {
		w.ask(preflight("Access-Control-Request-Headers: x-1" + strings.Repeat(",", 31+n)))
	}

	// What upstreams answer.
	for i, answer := range [][]string{
		lines(64, "x-up-%d: y"), lines(65, "x-up-%d: y"), lines(90, "access-control-allow-origin: https://up%d.example"),
		lines(8, "Vary: x-%d"), lines(9, "Vary: x-%d"), lines(90, "Vary: x-%d"), lines(90, "Vary: "+strings.Repeat("x-same, ", 80)+"x-%d"), // as much as Envoy takes of one
		{"Vary: " + strings.Repeat("x", 511)}, {"Vary: " + strings.Repeat("x", 1023)}, {"Vary: " + strings.Repeat("x", 1024)}, {"Vary: " + strings.Repeat("x", 40<<10)},
		{"Vary: " + strings.Join(lines(60, "x-%d"), ", ")}, {"Vary: " + strings.Join(lines(4000, "x-%d"), ",")}, {"Vary: " + strings.Join(lines(4000, "x-%d"), ",") + ",origin"},
		{"Vary: " + strings.Repeat(",", 30_000)}, {"Vary: " + strings.Repeat("a,", 15_000)}, {"Vary: " + strings.Repeat("x, ", 200) + "*"}, {"Vary: x-\xff", "Vary: y"}, {"Vary:"}, {"Vary: *", "Vary: Origin"},
	} {
		name := fmt.Sprint("limit", i)
		w.upstream.answers(name, answer...)
		for _, origin := range []string{shop, "X-No-Origin: 1"} {
			w.ask(wire{method: "GET", host: "api.example.com", path: "/", lines: []string{origin, "X-Case: " + name}})
		}
	}

	// More than the service takes.
	for _, n := range []int{300 << 10, 900 << 10} {
		long := strings.Repeat("a", n)
		for _, c := range []struct {
			wire
			status  int
			granted string
		}{
			{wire{method: "GET", host: "api.example.com", path: "/" + long, lines: []string{shop}}, 200, "https://shop.example.com"},
			{wire{method: "GET", host: "api.example.com", path: "/" + long, lines: []string{evil}}, 403, ""},
			{wire{method: "GET", host: "api.example.com", path: "/", lines: []string{"Origin: https://" + long}}, 403, ""},
			{preflight("Access-Control-Request-Headers: " + strings.Repeat("x-1,", n/4) + "x-2"), 204, "https://shop.example.com"},
		} {
			a, err := c.send(w.module, "large")
			if err != nil || a.status != c.status || a.joined["access-control-allow-origin"] != c.granted {
				t.Errorf("%d bytes, %s %.20s %.60q: %d %.200v %v", n, c.method, c.path, c.lines, a.status, a.header, err)
			}
		}
	}
	w.compare(nil)
}
