package policy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rs/cors"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// besidePolicies are written once and given to both, the engine and the middleware of github.com/rs/cors.
var besidePolicies = []struct {
	name    string
	origins []string
	page    string // an origin that is allowed
}{
	{"1 origin", []string{"https://shop.example.com"}, "https://shop.example.com"},
	{"1000 origins", numbered("https://app%d.example.com", 1000), "https://app999.example.com"},
	{"1 wildcard", []string{"https://*.shop.example.com"}, "https://pr-7.shop.example.com"},
	{"1000 wildcards", numbered("https://*.app%d.example.com", 1000), "https://pr-7.app999.example.com"},
}

func numbered(format string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}

// besideRequests are what is asked of both, and whether the answer lets the page read.
var besideRequests = []struct {
	name, method, origin string // the origin "page" is the policy's
	preflight            bool
	allowed              bool
}{
	{"actual", "GET", "page", false, true},
	{"refused", "GET", "https://www.evil.example", false, false},
	{"preflight", "OPTIONS", "page", true, true},
	{"no Origin", "GET", "", false, false},
}

// contender decides on a request and makes the answer's headers. Both keep what they make until the next call.
type contender struct {
	name    string
	answer  func()
	granted func() string // the Access-Control-Allow-Origin of the last answer
}

// BenchmarkBeside measures a decision with the headers that come of it. The engine finds the place too, by its domain
// among two, while the middleware has one policy for everything; but the middleware works on net/http's requests, which
// the engine's caller has to read first.
func BenchmarkBeside(b *testing.B) {
	eachBeside(b, func(c contender) func(b *testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.answer()
			}
		}
	})
}

// TestBeside holds both to grant the same, so that the benchmark compares like with like.
func TestBeside(t *testing.T) {
	eachBeside(t, func(c contender) func(t *testing.T) { return func(*testing.T) {} })
}

// eachBeside runs something for each policy, request and contender, after holding the contender to the right answer.
func eachBeside[T interface {
	testing.TB
	Run(string, func(T)) bool
}](t T, run func(c contender) func(T)) {
	for _, p := range besidePolicies {
		engine, middleware := engineWith(t, p.origins), middlewareWith(p.origins)
		for _, r := range besideRequests {
			origin := strings.Replace(r.origin, "page", p.page, 1)
			for _, c := range []contender{engine(r.method, origin, r.preflight), middleware(r.method, origin, r.preflight)} {
				c.answer()
				want := ""
				if r.allowed {
					want = origin
				}
				if got := c.granted(); got != want {
					t.Errorf("%s, %s: %s grants %q, want %q", p.name, r.name, c.name, got, want)
				}
				t.Run(fmt.Sprintf("%s/%s/%s", p.name, r.name, c.name), run(c))
			}
		}
	}
}

var (
	besideMethods = []string{"PUT", "DELETE"}
	besideHeaders = []string{"Content-Type", "X-Custom-Header"}
	besideExposed = []string{"X-Request-Id"}
)

func engineWith(t testing.TB, origins []string) func(method, origin string, preflight bool) contender {
	maxAge := "2h"
	set := mustCompile(t, Source{Name: "beside.yaml", Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{"p": {AllowOrigins: origins, AllowMethods: besideMethods, AllowHeaders: besideHeaders,
			ExposeHeaders: besideExposed, AllowCredentials: true, MaxAge: &maxAge}},
		VirtualHosts: []*corsprocv1.VirtualHost{
			{Domains: []string{"api.example.com"}, Policies: &corsprocv1.PolicyList{Names: []string{"p"}}},
			{Domains: []string{"other.example.com"}, Policies: &corsprocv1.PolicyList{Names: []string{"none"}}},
		},
	}})
	return func(method, origin string, preflight bool) contender {
		r := &Request{Method: method, Scheme: "https", Authority: "api.example.com", Path: "/v1/orders?page=2"}
		if origin != "" {
			r.Origin = Line(origin)
		}
		if preflight {
			r.RequestMethod, r.RequestHeaders = Line("PUT"), []string{"content-type,x-custom-header"}
		}
		headers := make([]Header, 0, 16)
		return contender{"corsproc", func() {
			d := set.Decide(r)
			if d.Action() == Respond {
				_, headers, _ = d.AppendImmediate(headers[:0])
			} else {
				headers = d.AppendResponse(headers[:0], nil)
			}
		}, func() string {
			i := slices.IndexFunc(headers, func(h Header) bool { return h.Name == "access-control-allow-origin" })
			if i < 0 {
				return ""
			}
			return headers[i].Value
		}}
	}
}

func middlewareWith(origins []string) func(method, origin string, preflight bool) contender {
	c := cors.New(cors.Options{AllowedOrigins: origins, AllowedMethods: append([]string{"GET", "HEAD", "POST"}, besideMethods...),
		AllowedHeaders: besideHeaders, ExposedHeaders: besideExposed, AllowCredentials: true, MaxAge: 7200})
	return func(method, origin string, preflight bool) contender {
		r, err := http.NewRequest(method, "https://api.example.com/v1/orders?page=2", nil)
		if err != nil {
			panic(err) // the URL is above
		}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if preflight {
			r.Header.Set("Access-Control-Request-Method", "PUT")
			r.Header.Set("Access-Control-Request-Headers", "content-type,x-custom-header")
		}
		w := headerWriter{}
		return contender{"rs-cors", func() {
			clear(w)
			c.HandlerFunc(w, r)
		}, func() string { return http.Header(w).Get("Access-Control-Allow-Origin") }}
	}
}

// headerWriter keeps the headers of an answer, and nothing else.
type headerWriter http.Header

func (w headerWriter) Header() http.Header       { return http.Header(w) }
func (headerWriter) WriteHeader(int)             {}
func (headerWriter) Write(p []byte) (int, error) { return len(p), nil }
