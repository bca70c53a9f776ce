package policy

import (
	"runtime"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/internal/match"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// hostilePaths are what paths are filled with that are as hard to read as can be.
var hostilePaths = map[string]string{
	"semicolons": "/;", "semicolons alone": ";", "parameters": "/a;b=c", "slashes": "/", "backslashes": `\`, "dots": "/.", "up": "/a/..", "only up": "/..",
	"escaped dots": "/%2e%2e", "escaped slashes": "%2f", "escaped semicolons": "%3b", "letters": "%61", "lower digits": "%c3%a9", "percent signs": "%",
	"nested": "%%32%65", "everything": `/a;%3b%2e%2e%2f..;/\%5c%61%c3//`,
}

// hostileRegexes are expressions of routes that such paths match nearly.
var hostileRegexes = []string{`(/?[a-z;%./]*)*x`, `/[^;]*;.*y`}

// hostilePlaces has many routes that such paths nearly match, and that do not decide alike.
func hostilePlaces(t testing.TB, regexes ...string) *Set {
	t.Helper()
	var routes []*corsprocv1.Route
	add := func(r *corsprocv1.Route) {
		r.Policies = &corsprocv1.PolicyList{Names: []string{[]string{"p", "q"}[len(routes)%2]}}
		routes = append(routes, r)
	}
	for i := range 10 {
		for _, piece := range hostilePaths {
			text := "/" + strings.Repeat(piece, i+1)
			add(&corsprocv1.Route{Path: text + "x"})
			add(&corsprocv1.Route{Prefix: text + "y"})
			add(&corsprocv1.Route{PathSeparatedPrefix: text + "z"})
		}
	}
	for _, text := range regexes {
		add(&corsprocv1.Route{Regex: text})
	}
	return mustCompile(t, Source{Name: "x", Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{"p": {AllowOrigins: []string{"https://a.example"}}, "q": {AllowOrigins: []string{"https://b.example"}}},
		Default:  &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"p"}}},
		VirtualHosts: []*corsprocv1.VirtualHost{{
			Domains: []string{"a"}, Routes: routes,
		}},
	}})
}

func hostileRequest(piece string, size int) *Request {
	return &Request{Method: "GET", Authority: "a", Path: "/" + strings.Repeat(piece, size/len(piece)), Origin: Line("https://a.example")}
}

// TestHostilePathsGrow asserts that a path of many pieces takes time in proportion to its length: sixteen times as long
// for sixteen times the path, and not sixteen times sixteen.
func TestHostilePathsGrow(t *testing.T) {
	const size, times = 1 << 10, 16
	set := hostilePlaces(t, hostileRegexes...)
	decide := func(r *Request) func() {
		return func() {
			for range 20 {
				set.Decide(r)
			}
		}
	}
	for name, piece := range hostilePaths {
		t.Run(name, func(t *testing.T) {
			growth.AtMost(t, 4*times, decide(hostileRequest(piece, size)), decide(hostileRequest(piece, size*times)))
		})
	}
}

// TestHostilePathsAllocate asserts that a path of 60 KiB costs a few allocations, and no more memory than its readings
// have. Expressions have memory of their own, which does not grow with paths.
func TestHostilePathsAllocate(t *testing.T) {
	const size = 60 << 10
	set := hostilePlaces(t)
	for name, piece := range hostilePaths {
		r := hostileRequest(piece, size)
		const most = match.MaxReadings + 8
		if n := testing.AllocsPerRun(5, func() { set.Decide(r) }); n > float64(most) {
			t.Errorf("%s: %v allocations", name, n)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		set.Decide(r)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(match.MaxReadings+3)*size { // sizes are rounded up

			t.Errorf("%s: %d KiB", name, used>>10)
		}
	}
}

// BenchmarkReadings decides about paths with one reading and with several.
func BenchmarkReadings(b *testing.B) {
	set := hostilePlaces(b, hostileRegexes...)
	for name, path := range map[string]string{"one": "/v1/orders", "escape": "/v1/caf%C3%A9", "slash": "/v1/group%2Fproject", "parameter": "/v1/a;b/c", "many": "/v1/..;/%2e%2e%2fa//b"} {
		r := &Request{Method: "GET", Authority: "a", Path: path, Origin: Line("https://a.example")}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.Decide(r)
			}
		})
	}
	for name, piece := range hostilePaths {
		r := hostileRequest(piece, 60<<10)
		b.Run("60 KiB of "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.Decide(r)
			}
		})
	}
}
