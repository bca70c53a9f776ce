package match

import (
	"slices"
	"testing"
)

// TestReadings says what is made of paths. The naive reading of naive_paths_test.go holds all of it; this is for people.
func TestReadings(t *testing.T) {
	for path, want := range map[string][]string{
		"/public/..;/orders": {"/public/../orders", "/orders"},
		"/admin;v=1/x":       {"/admin/x"},
		"/%61dmin":           {"/admin"},
		"/caf%c3%a9/":        {"/caf%C3%A9/"},
		"/a%2Fb":             {"/a/b"},
		"/a%5C..%5Cb":        {`/a\..\b`, "/b"},
		"/a//../b":           {"/a/b", "/a/../b", "/b"},
		"/a/%2e%2e%3b/b":     {"/a/..%3b/b", "/a/%2e%2e/b", "/a/%2E%2E%3B/b", "/b"},
		`/..\..\x`:           {"/../../x", "/x"},
		"/;/;/x":             {"///x", "/x"},
		"/..":                {"/"},
		"//":                 {"/"},
		"/a/.":               {"/a/"},
		"a//../..":           {"a/", "a/../.."},
		"/%%32fx":            {"/%2fx", "/x"}, // what decoding makes is an escape to the next step
		"/a b%20%C3%A9%zz%":  nil,
		"/a.b/..c/.well":     nil,
	} {
		var got []string
		for read := range OtherReadings(path) {
			got = append(got, read)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q is read as %q, want %q", path, got, want)
		}
		if IsTwofold(path) != (len(want) > 0) {
			t.Errorf("%q: two readings: %t", path, IsTwofold(path))
		}
	}
}
