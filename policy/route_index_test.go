package policy

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// TestRouteIndex holds the index of many routes against trying one after the other.
func TestRouteIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	text := func() string {
		s := "/"
		for range r.IntN(4) {
			s += []string{"a", "b", "ab", "/", "a/b"}[r.IntN(5)]
		}
		return s
	}
	found := map[routeKind]int{}
	for range 3000 {
		h := virtualHost{routes: make([]route, manyRoutes)}
		for i := range h.routes {
			t := route{kind: routeKind(r.IntN(5)), text: text()}
			switch t.kind {
			case routeName:
				t.text = strings.Replace(t.text, "b", []string{"b", "*"}[r.IntN(2)], 1)
			case routeSegments:
				t.text = "/a" + strings.TrimRight(t.text, "/")
			case routeRegex:
				t.text += "[ab]+"
				t.pattern = regexp.MustCompile(`\A(?:` + t.text + `)\z`)
			}
			h.routes[i] = t
		}
		indexed := h
		indexed.index = indexRoutes(h.routes)
		for range 30 {
			name, path := "", text()
			if r.IntN(2) == 0 {
				name = text()
			}
			want := h.route(name, path)
			if got := indexed.route(name, path); got != want {
				t.Fatalf("name %q, path %q: route %d, want %d, of %+v", name, path, got, want, h.routes)
			}
			if want >= 0 {
				found[h.routes[want].kind]++
			}
		}
	}
	for kind := range routeRegex + 1 {
		if found[kind] < 100 {
			t.Errorf("only %d requests belong to a route by %v", found[kind], kind)
		}
	}
}

// BenchmarkRoutes looks for the place of a request among many routes.
func BenchmarkRoutes(b *testing.B) {
	for _, kind := range []routeKind{routeName, routePath, routePrefix, routeSegments, routeRegex} {
		for _, n := range []int{10, 1_000} {
			h := virtualHost{routes: make([]route, n)}
			for i := range h.routes {
				h.routes[i] = route{kind: kind, text: fmt.Sprintf("/service%d/v1", i)}
				if kind == routeRegex {
					h.routes[i].pattern = regexp.MustCompile(`\A(?:` + h.routes[i].text + `/[a-z]+)\z`)
				}
			}
			h.index = indexRoutes(h.routes)
			for _, length := range []int{20, 8_000} {
				path := fmt.Sprintf("/service%d/v2/", n-1)
				path += strings.Repeat("a", length)
				b.Run(fmt.Sprintf("%v/routes=%d/path=%d", kind, n, length), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						h.route("/service0/v2", path)
					}
				})
			}
		}
	}
}
