package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/growth"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// hostileCases are policies and requests that are as hard on a decision as can be: long names, near misses at their end,
// and as many patterns as possible that nearly match. What a decision costs is bounded by the length of the request and,
// for names of virtual hosts with stars and for expressions of routes, by the text of the virtual host's patterns.
func hostileCases() map[string]struct {
	set *corsprocv1.PolicySet
	r   *Request
} {
	const longest = 253 // a host
	label := strings.Repeat("a", longest-len(".example"))
	levels := strings.Repeat("a.", (longest-len("example"))/2) + "example"
	var nested, beside, endings, ports, headers []string
	for i := 2; i < len(levels)-len("example"); i += 2 {
		nested = append(nested, "https://*."+levels[i:]+":8443", "https://*."+levels[i:]+":8444")
	}
	for i := range 1000 {
		beside = append(beside, fmt.Sprintf("https://*.h%03d.example.com", i))
		endings = append(endings, fmt.Sprintf("https://%s%03d.example", label[3:], i))
		ports = append(ports, fmt.Sprintf("https://*.example.com:%d", 1000+i))
		headers = append(headers, fmt.Sprintf("x-header-%03d", i))
	}
	var inLabels []string
	for before := range 61 {
		for behind := range 61 - before {
			inLabels = append(inLabels, "https://a"+strings.Repeat("a", before)+"*"+strings.Repeat("b", behind)+".example")
		}
	}
	var domains []string
	for i := 1; i < len(levels); i++ {
		domains = append(domains, "*"+levels[i:])
	}
	routes := func(name, path string) (all []*corsprocv1.Route) {
		for i := range 200 {
			all = append(all,
				&corsprocv1.Route{Path: fmt.Sprint(path, i)}, &corsprocv1.Route{Prefix: fmt.Sprint(path, i, "/")},
				&corsprocv1.Route{PathSeparatedPrefix: fmt.Sprint(path, i)}, &corsprocv1.Route{RouteName: fmt.Sprint(name, "*", i)},
				&corsprocv1.Route{Regex: fmt.Sprint(path, i, "[a-z]+")})
		}
		return all
	}
	var names []*corsprocv1.VirtualHost
	for i := range 1000 {
		names = append(names, &corsprocv1.VirtualHost{Name: fmt.Sprintf("*/host%d", i)})
	}
	policy := func(p *corsprocv1.Policy) *corsprocv1.PolicySet {
		return &corsprocv1.PolicySet{
			Policies: map[string]*corsprocv1.Policy{"p": p},
			Default:  &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"p"}}},
		}
	}
	get := func(origin string) *Request {
		return &Request{Method: "GET", Authority: "api.example", Path: "/", Origin: Line(origin), FetchSite: Line("cross-site")}
	}
	preflight := func(headers string) *Request {
		r := get("https://a.example")
		r.Method, r.RequestMethod, r.RequestHeaders = "OPTIONS", Line("PUT"), []string{headers}
		return r
	}
	elsewhere := func(r Request) *Request { r.Method, r.Origin = "GET", Line("https://a.example"); return &r }
	listing := policy(&corsprocv1.Policy{AllowOrigins: []string{"https://a.example"}, AllowMethods: []string{"PUT"}, AllowHeaders: headers})
	text8k := func(s string) string { return strings.Repeat(s, 8<<10/len(s)) }
	type hostileCase = struct {
		set *corsprocv1.PolicySet
		r   *Request
	}
	return map[string]hostileCase{
		"origin of one label":             {policy(&corsprocv1.Policy{AllowOrigins: beside}), get("https://" + label + ".example")},
		"origin of 1 MiB":                 {policy(&corsprocv1.Policy{AllowOrigins: beside}), get("https://" + strings.Repeat("a.", 1<<19))},
		"wildcards at every level":        {policy(&corsprocv1.Policy{AllowOrigins: nested}), get("https://" + levels)},
		"stars in labels of every length": {policy(&corsprocv1.Policy{AllowOrigins: inLabels}), get("https://" + strings.Repeat("a", 62) + "_" + ".example")},
		"1000 wildcards on one suffix":    {policy(&corsprocv1.Policy{AllowOrigins: beside}), get("https://a.h1000.example.com")},
		"1000 ports of one wildcard":      {policy(&corsprocv1.Policy{AllowOrigins: ports}), get("https://a.example.com:999")},
		"near misses at the end":          {policy(&corsprocv1.Policy{AllowOrigins: endings}), get("https://" + label[3:] + "99x.example")},
		"1000 expressions":                {policy(&corsprocv1.Policy{AllowOriginRegexes: growth.Many(growth.Regexes["class"], 1000)}), get("https://pr-7.tenant5000.example.com")},
		"8 KiB of headers":                {listing, preflight(text8k("x-header-777,"))},
		"8 KiB of headers in capitals":    {listing, preflight(text8k("X-HEADER-777,"))},
		"32 empty headers in 8 KiB":       {listing, preflight(strings.Repeat(" ,", 32) + text8k("x-header-777,"))},
		"60 KiB of commas":                {listing, preflight(strings.Repeat(",", 60<<10))},
		"domains of every length":         {&corsprocv1.PolicySet{VirtualHosts: []*corsprocv1.VirtualHost{{Domains: domains}}}, elsewhere(Request{Authority: strings.Repeat("b", longest), Path: "/"})},
		"authority of 60 KiB":             {&corsprocv1.PolicySet{VirtualHosts: []*corsprocv1.VirtualHost{{Domains: domains}}}, elsewhere(Request{Authority: strings.Repeat("b", 60<<10), Path: "/"})},
		"1000 names with stars":           {&corsprocv1.PolicySet{VirtualHosts: names}, elsewhere(Request{VirtualHost: strings.Repeat("a/", 100) + "host", Authority: "a", Path: "/"})},
		"1000 routes and a path of 8 K":   {&corsprocv1.PolicySet{VirtualHosts: []*corsprocv1.VirtualHost{{Domains: []string{"a"}, Routes: routes("r", "/service")}}}, elsewhere(Request{Authority: "a", Route: "r", Path: "/service" + text8k("abc/")})},
		"a path of 8 K of segments":       {&corsprocv1.PolicySet{VirtualHosts: []*corsprocv1.VirtualHost{{Domains: []string{"a"}, Routes: routes("r", "/")}}}, elsewhere(Request{Authority: "a", Path: text8k("/a.b")})},
	}
}

func BenchmarkHostile(b *testing.B) {
	for name, c := range hostileCases() {
		set := mustCompile(b, Source{Name: "x", Set: c.set})
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.Decide(c.r)
			}
		})
	}
}

// TestHostileAllocates asserts that what is hard to decide takes time at most, and no memory.
func TestHostileAllocates(t *testing.T) {
	if raced {
		t.Skip("the race detector empties pools, those of expressions too")
	}
	for name, c := range hostileCases() {
		set := mustCompile(t, Source{Name: "x", Set: c.set})
		if n := testing.AllocsPerRun(10, func() { set.Decide(c.r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
