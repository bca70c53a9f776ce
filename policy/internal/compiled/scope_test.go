package compiled

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/internal/match"
)

// TestPathScope: of random routes, every path that begins as PathScope says finds the same, with an index and without one.
func TestPathScope(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	text := func(most int) string {
		s := "/"
		for range r.IntN(most) {
			s += []string{"a", "b", "ab", "/", "c"}[r.IntN(5)]
		}
		return s
	}
	plain := func(path string) bool {
		return !slices.ContainsFunc([]string{"%", "\\", ";", "//", "/."}, func(mark string) bool { return strings.Contains(path, mark) })
	}
	scoped, whole, shared := 0, 0, 0
	for round := range 3000 {
		h := randomHost(r, func() string { return text(5) })
		if round%2 == 0 { // beside expressions little is shared
			h.Routes = slices.DeleteFunc(h.Routes, func(t Route) bool { return t.Kind == RouteRegex })
			h.Routes = append(h.Routes, h.Routes...)[:manyRoutes]
		}
		indexed := h
		indexed.Index = IndexRoutes(h.Routes)
		for range 10 {
			name, path := []string{"", "/a", "/ab"}[r.IntN(3)], text(8)
			n, ok := h.PathScope(name, path)
			if m, also := indexed.PathScope(name, path); m != n || also != ok {
				t.Fatalf("name %q, path %q: %d, %v with an index, %d, %v without one, of %+v", name, path, m, also, n, ok, h.Routes)
			}
			if !ok {
				whole++
				continue
			}
			scoped++
			want, _ := h.Find(name, path)
			for range 10 {
				other := path[:n] + text(8)[1:]
				if !plain(other) {
					continue
				}
				shared++
				if match.IsTwofold(other) {
					t.Fatalf("%q can be read in more than one way", other)
				}
				if got, _ := h.Find(name, other); got != want {
					t.Fatalf("name %q, path %q: %q decides, but %q finds something else, of %+v", name, path, path[:n], other, h.Routes)
				}
			}
		}
	}
	if scoped < 5000 || whole < 5000 || shared < 20000 {
		t.Errorf("%d paths share what they find with others, %d do not; %d others", scoped, whole, shared)
	}
}
