package compiled

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
	found := map[RouteKind]int{}
	for range 3000 {
		h := randomHost(r, text)
		indexed := h
		indexed.Index = IndexRoutes(h.Routes)
		for range 30 {
			name, path := "", text()
			if r.IntN(2) == 0 {
				name = text()
			}
			want := h.RouteOf(name, path)
			if got := indexed.RouteOf(name, path); got != want {
				t.Fatalf("name %q, path %q: route %d, want %d, of %+v", name, path, got, want, h.Routes)
			}
			if want >= 0 {
				found[h.Routes[want].Kind]++
			}
		}
	}
	for kind := range RouteRegex + 1 {
		if found[kind] < 100 {
			t.Errorf("only %d requests belong to a route by %v", found[kind], kind)
		}
	}
}

// randomHost returns a virtual host with as many routes as have an index.
func randomHost(r *rand.Rand, text func() string) VirtualHost {
	h := VirtualHost{Routes: make([]Route, manyRoutes)}
	for i := range h.Routes {
		t := Route{Kind: RouteKind(r.IntN(5)), Text: text()}
		switch t.Kind {
		case RouteName:
			t.Text = strings.Replace(t.Text, "b", []string{"b", "*"}[r.IntN(2)], 1)
		case RouteSegments:
			t.Text = "/a" + strings.TrimRight(t.Text, "/")
		case RouteRegex:
			t.Text += "[ab]+"
			t.Pattern = regexp.MustCompile(`\A(?:` + t.Text + `)\z`)
		}
		h.Routes[i] = t
	}
	return h
}

// BenchmarkRoutes looks for the place of a request among many routes.
func BenchmarkRoutes(b *testing.B) {
	for _, kind := range []RouteKind{RouteName, RoutePath, RoutePrefix, RouteSegments, RouteRegex} {
		for _, n := range []int{10, 1_000} {
			h := VirtualHost{Routes: make([]Route, n)}
			for i := range h.Routes {
				h.Routes[i] = Route{Kind: kind, Text: fmt.Sprintf("/service%d/v1", i)}
				if kind == RouteRegex {
					h.Routes[i].Pattern = regexp.MustCompile(`\A(?:` + h.Routes[i].Text + `/[a-z]+)\z`)
				}
			}
			h.Index = IndexRoutes(h.Routes)
			for _, length := range []int{20, 8_000} {
				path := fmt.Sprintf("/service%d/v2/", n-1)
				path += strings.Repeat("a", length)
				b.Run(fmt.Sprintf("%v/routes=%d/path=%d", kind, n, length), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						h.RouteOf("/service0/v2", path)
					}
				})
			}
		}
	}
}
