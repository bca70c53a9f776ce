//go:build unix

package main

import (
	"strings"
	"testing"
)

func TestConsole(t *testing.T) {
	for _, c := range []struct{ name, log, want string }{
		{"an allowed request",
			`{"method":"GET","authority":"localhost:8080","path":"/hello","origin":"http://localhost:8081","status":200,"cors_verdict":"allowed","cors_reason":"allowed","cors_policy":"shop"}`,
			"200 GET     localhost:8080/hello  from http://localhost:8081  cors: allowed by shop"},
		{"a refused one",
			`{"method":"OPTIONS","authority":"a","path":"/","origin":"null","status":403,"cors_verdict":"refused","cors_reason":"origin_not_allowed","cors_policy":null}`,
			"403 OPTIONS a/  from null  cors: refused (origin_not_allowed)"},
		{"one that corsproc was not asked about",
			`{"method":"GET","authority":"a","path":"/","origin":null,"status":200,"cors_verdict":null}`,
			"200 GET     a/  cors: not asked"},
		{"a record of corsproc",
			`{"time":"2026-01-02T03:04:05Z","level":"WARN","msg":"refused","method":"GET","origin":"http://a","n":3}`,
			"WARN refused method=GET origin=http://a n=3"},
		{"no JSON", `[warning] something`, "[warning] something"},
		{"JSON of something else", `{"a":1}`, `{"a":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			w := newConsole(&out, "it")
			for _, part := range []string{c.log[:len(c.log)/2], c.log[len(c.log)/2:], "\n"} { // programs write in pieces
				if _, err := w.Write([]byte(part)); err != nil {
					t.Fatal(err)
				}
			}
			if want := "it       | " + c.want + "\n"; out.String() != want {
				t.Errorf("got  %q\nwant %q", out.String(), want)
			}
		})
	}
}
