package policy

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/growth"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// scale makes a set of n virtual hosts with a policy of m exact and m wildcard origins each.
func scale(hosts, origins int) Source {
	set := &corsprocv1.PolicySet{Policies: map[string]*corsprocv1.Policy{}}
	for h := range hosts {
		p := &corsprocv1.Policy{AllowMethods: []string{"PUT", "DELETE"}, AllowHeaders: []string{"Content-Type", "X-Custom-Header"}, AllowCredentials: true}
		for o := range origins {
			if o%2 == 0 {
				p.AllowOrigins = append(p.AllowOrigins, fmt.Sprintf("https://app%d.tenant%d.example.com", o, h))
			} else {
				p.AllowOrigins = append(p.AllowOrigins, fmt.Sprintf("https://*.app%d.tenant%d.example.com", o, h))
			}
		}
		name := fmt.Sprintf("tenant%d", h)
		set.Policies[name] = p
		set.VirtualHosts = append(set.VirtualHosts, &corsprocv1.VirtualHost{
			Name: name, Domains: []string{name + ".api.example.com", "*." + name + ".api.example.com"},
			Policies: &corsprocv1.PolicyList{Names: []string{name}},
			Routes:   []*corsprocv1.Route{{Path: "/healthz", Policies: &corsprocv1.PolicyList{Names: []string{"passthrough"}}}},
		})
	}
	return Source{Name: "scale.yaml", Set: set}
}

func mustCompile(t testing.TB, src Source) *Set {
	t.Helper()
	set, findings := Compile(src)
	if set == nil {
		t.Fatal(findings)
	}
	return set
}

// requests of a set made by scale: what the hot path sees.
func scaleRequests(hosts, origins int) map[string]*Request {
	host := fmt.Sprintf("tenant%d.api.example.com", hosts/2)
	exact := fmt.Sprintf("https://app%d.tenant%d.example.com", (origins-1)/2*2, hosts/2)
	wild := fmt.Sprintf("https://pr-7.app%d.tenant%d.example.com", max(origins/2*2-1, 1), hosts/2)
	with := func(r Request) *Request {
		r.Authority, r.Scheme, r.Path = host, "https", "/v1/orders?page=2"
		return &r
	}
	named := with(Request{Method: "GET", Origin: Line(exact)})
	named.VirtualHost = fmt.Sprintf("tenant%d", hosts/2)
	return map[string]*Request{
		"no-origin":  with(Request{Method: "GET"}),
		"exact":      with(Request{Method: "GET", Origin: Line(exact)}),
		"exact-name": named,
		"wildcard":   with(Request{Method: "GET", Origin: Line(wild)}),
		"refused":    with(Request{Method: "GET", Origin: Line("https://www.evil.example"), FetchSite: Line("cross-site")}),
		"malformed":  with(Request{Method: "GET", Origin: Line("https://www.evil.example/x y")}),
		"preflight":  with(Request{Method: "OPTIONS", Origin: Line(exact), RequestMethod: Line("PUT"), RequestHeaders: []string{"content-type,x-custom-header"}}),
		"named":      with(Request{Method: "GET", Origin: Line(exact), Named: Line(fmt.Sprintf("tenant0, tenant%d", hosts/2))}),
	}
}

// TestDecideAllocates asserts that no decision allocates, and that the requests of the benchmarks are what they are
// called.
func TestDecideAllocates(t *testing.T) {
	set := mustCompile(t, scale(20, 20))
	want := map[string]Reason{
		"no-origin": ReasonNotCORS, "exact": ReasonAllowed, "exact-name": ReasonAllowed, "wildcard": ReasonAllowed,
		"refused": ReasonOriginNotAllowed, "malformed": ReasonOriginMalformed, "preflight": ReasonAllowed, "named": ReasonAllowed,
	}
	for name, r := range scaleRequests(20, 20) {
		if d := set.Decide(r); d.Reason != want[name] {
			t.Errorf("%s: %v, want %v", name, d.Reason, want[name])
		}
		if n := testing.AllocsPerRun(100, func() { set.Decide(r) }); n != 0 {
			t.Errorf("%s: %v allocations per decision", name, n)
		}
	}
}

// TestEveryReasonAllocates asserts that no decision allocates, whatever its reason. What may is said at [Set.Decide].
func TestEveryReasonAllocates(t *testing.T) {
	list := func(names ...string) *corsprocv1.PolicyList { return &corsprocv1.PolicyList{Names: names} }
	regexes := growth.Many(growth.Regexes["class"], 20)
	set := mustCompile(t, Source{Name: "x", Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{
			"p": {
				AllowOrigins: []string{"https://a.example", "https://*.a.example", "https://*.b.example:*", "app://*", "https://pr-*.c.example", "https://*-x.c.example:*"}, DenyOrigins: []string{"https://no.a.example"},
				AllowMethods: []string{"PUT"}, AllowHeaders: []string{"X-One", "X-Two"}, AllowOriginRegexes: regexes,
			},
			"q":      {AllowOrigins: []string{"https://q.example"}, AllowOriginRegexes: []string{`https://few[0-9]\.example`}},
			"static": {AllowOrigins: []string{"*"}},
			"fixed":  {AllowOrigins: []string{"https://a.example"}, FixedOrigin: true},
		},
		VirtualHosts: []*corsprocv1.VirtualHost{
			{Name: "pass", Policies: list("passthrough"), Candidates: list("p")},
			{Name: "none", Policies: list("none")},
			{Name: "static", Policies: list("static")},
			{Name: "fixed", Policies: list("fixed")},
			{Name: "strict", Policies: list("p", "q"), Reject: corsprocv1.Reject_REJECT_ALWAYS, UnmatchedPreflights: corsprocv1.UnmatchedPreflights_UNMATCHED_PREFLIGHTS_REFUSE},
		},
		Default: &corsprocv1.DefaultPlace{Policies: list("p", "q"), Candidates: list("q")},
	}})
	get := func(origin string) Request {
		return Request{Method: "GET", Scheme: "https", Authority: "api.example:443", Path: "/v1/orders?page=2", Origin: Line(origin)}
	}
	preflight := func(origin, method string, headers ...string) Request {
		r := get(origin)
		r.Method, r.RequestMethod, r.RequestHeaders = "OPTIONS", Line(method), headers
		return r
	}
	in := func(host string, r Request) Request { r.VirtualHost = host; return r }
	named := func(names string, r Request) Request { r.Named = Line(names); return r }
	answered := func(r Request) Request { r.Answered = true; return r }
	seen := map[Reason]bool{}
	for _, c := range []struct {
		want Reason
		r    Request
	}{
		{ReasonNotCORS, Request{Method: "GET", Authority: "api.example", Path: "/"}},
		{ReasonSameOrigin, get("https://api.example")},
		{ReasonPassthrough, in("pass", get("https://a.example"))},
		{ReasonAllowed, get("https://a.example")},
		{ReasonAllowed, get("https://x.y.a.example")},
		{ReasonAllowed, get("https://x.b.example:81")},
		{ReasonAllowed, get("app://x")},
		{ReasonAllowed, get("https://pr-7-a.c.example")},
		{ReasonAllowed, get("https://pr-7-x.c.example:81")},
		{ReasonOriginNotAllowed, get("https://pr-.c.example")},
		{ReasonAllowed, get("https://x-1.tenant7.example.com:81")},
		{ReasonAllowed, get("https://few1.example")},
		{ReasonAllowed, in("static", get("null"))},
		{ReasonAllowed, in("fixed", get("https://a.example"))},
		{ReasonOriginNotAllowed, in("fixed", get("https://evil.example"))},
		{ReasonAllowed, preflight("https://q.example", "GET")},
		{ReasonAllowed, preflight("https://a.example", "PUT", "x-one, X-Two")},
		{ReasonAllowed, named("q , p", get("https://a.example"))},
		{ReasonOriginMalformed, get("https://A.example")},
		{ReasonOriginMalformed, in("static", preflight("https://a.example, b", "PUT", "x-one"))},
		{ReasonOriginNotAllowed, get("null")},
		{ReasonOriginNotAllowed, get("https://[2001:db8::1]:81")},
		{ReasonOriginNotAllowed, get("https://1.2.3.4")},
		{ReasonOriginNotAllowed, in("none", get("https://a.example"))},
		{ReasonOriginNotAllowed, in("strict", get("https://evil.example"))},
		{ReasonOriginNotAllowed, in("strict", preflight("https://evil.example", "PUT"))},
		{ReasonOriginDenied, get("https://no.a.example")},
		{ReasonMethodMalformed, preflight("https://a.example", "P T")},
		{ReasonMethodNotAllowed, preflight("https://a.example", "DELETE", "x-one")},
		{ReasonHeaderMalformed, preflight("https://a.example", "PUT", "x-one", "x two")},
		{ReasonHeaderMalformed, preflight("https://a.example", "PUT", strings.Repeat(",", 40))},
		{ReasonHeaderNotAllowed, in("strict", preflight("https://a.example", "PUT", "X-One,X-Three,authorization"))},
		{ReasonPolicyUnknown, named("p, nobody", get("https://a.example"))},
		{ReasonPreflightUnanswered, answered(preflight("https://a.example", "PUT"))},
	} {
		d := set.Decide(&c.r)
		seen[d.Reason] = true
		if d.Reason != c.want {
			t.Errorf("%+v: %v, want %v", c.r, d.Reason, c.want)
		}
		if n := testing.AllocsPerRun(100, func() { set.Decide(&c.r) }); n != 0 {
			t.Errorf("%v: %v allocations for %+v", c.want, n, c.r)
		}
	}
	for _, reason := range Reasons() {
		if !seen[reason] && reason != ReasonPathAmbiguous { // which looks for the place by other readings of the path
			t.Errorf("no request is decided with %v", reason)
		}
	}
}

// TestAnswerAllocates asserts that the headers of an answer that echoes no list of names cost nothing.
func TestAnswerAllocates(t *testing.T) {
	set := mustCompile(t, scale(20, 20))
	requests := scaleRequests(20, 20)
	dst := make([]Header, 0, 16)
	vary := []string{"Accept-Encoding"}
	preflight, actual := set.Decide(requests["preflight"]), set.Decide(requests["exact"])
	if n := testing.AllocsPerRun(100, func() { preflight.AppendImmediate(dst) }); n != 0 {
		t.Errorf("a preflight's answer allocates %v times", n)
	}
	merged := make([]byte, 0, 64)
	for _, lines := range [][]string{nil, vary} {
		if n := testing.AllocsPerRun(100, func() { actual.AppendFixed(dst); actual.AppendVary(merged, lines) }); n != 0 {
			t.Errorf("a response with Vary %q allocates %v times", lines, n)
		}
	}
}

// TestExposedAllocates asserts that merging what an upstream exposes costs nothing where there is room for it.
func TestExposedAllocates(t *testing.T) {
	set := mustCompile(t, Source{Name: "x", Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{"p": {AllowOrigins: []string{"https://a.example"}, ExposeHeaders: []string{"X-A"}, ExposeUpstream: true}},
		Default:  &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"p"}}},
	}})
	d := set.Decide(&Request{Method: "GET", Origin: Line("https://a.example")})
	dst, merged := make([]Header, 0, 16), make([]byte, 0, 256)
	lines := []string{"x-a, X-Request-Identifier-Of-The-Whole-Transaction", "x-request-identifier-of-the-whole-transactioN,*"}
	if n := testing.AllocsPerRun(100, func() { d.AppendFixed(dst); d.AppendExposed(merged, lines) }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

// raced says that the race detector runs, under which memory is another.
var raced bool

// TestLargeSet compiles 100,000 virtual hosts with 10 origins each and asserts what they cost to keep when the sources are
// gone: the set holds all the text that it needs.
func TestLargeSet(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("compiles a million origins")
	}
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()
	set := mustCompile(t, scale(100_000, 10))
	const limit = 200_000_000
	if used := live() - before; used > limit {
		t.Errorf("the set keeps %d MB", used/1e6)
	} else {
		t.Logf("the set keeps %d MB", used/1e6)
	}
	for name, r := range scaleRequests(100_000, 10) {
		if d := set.Decide(r); (d.Verdict == Allowed) != (name != "no-origin" && name != "refused" && name != "malformed") {
			t.Errorf("%s: %v", name, d.Reason)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, size := range []struct{ hosts, origins int }{{1, 1}, {1, 1_000}, {1, 1_000_000}, {1_000, 10}, {100_000, 10}} {
		set := mustCompile(b, scale(size.hosts, max(size.origins, 2)))
		for name, r := range scaleRequests(size.hosts, max(size.origins, 2)) {
			b.Run(fmt.Sprintf("hosts=%d/origins=%d/%s", size.hosts, size.origins, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					set.Decide(r)
				}
			})
		}
	}
}

// BenchmarkDecideSpread decides about requests to hosts all over a set, so that what grows with it is the misses of the
// processor's caches.
func BenchmarkDecideSpread(b *testing.B) {
	for _, hosts := range []int{1, 100, 10_000, 100_000} {
		set := mustCompile(b, scale(hosts, 10))
		random := rand.New(rand.NewPCG(1, 2))
		requests := make([]Request, 10_000)
		for i := range requests {
			tenant := random.IntN(hosts)
			requests[i] = Request{
				Method: "GET", Scheme: "https", Authority: fmt.Sprintf("tenant%d.api.example.com", tenant), Path: "/v1/orders?page=2",
				Origin: Line(fmt.Sprintf("https://app%d.tenant%d.example.com", 2*random.IntN(5), tenant)),
			}
		}
		b.Run(fmt.Sprintf("hosts=%d", hosts), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; i == len(requests) {
					i = 0
				}
				set.Decide(&requests[i])
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, size := range []struct {
		name           string
		hosts, origins int
		exact          bool // no wildcards: with credentials those are held against the public suffix list
	}{
		{"hosts=1/origins=1000", 1, 1_000, false},
		{"hosts=1/exact=1000", 1, 1_000, true},
		{"hosts=10000/origins=10", 10_000, 10, false},
		{"hosts=100000/origins=10", 100_000, 10, false},
	} {
		b.Run(size.name, func(b *testing.B) {
			src := scale(size.hosts, size.origins)
			for _, p := range src.Set.Policies {
				for i, o := range p.AllowOrigins {
					if size.exact {
						p.AllowOrigins[i] = strings.Replace(o, "*", "www", 1)
					}
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				mustCompile(b, src)
			}
		})
	}
}
