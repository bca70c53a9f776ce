package browser

import (
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// TestExposeUpstreamNote: what the upstream exposes is not known here, and it is said where that makes a difference.
func TestExposeUpstreamNote(t *testing.T) {
	content := policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: []byte(`policies:
  merged: {allow_origins: [https://shop.example], expose_headers: [X-A], expose_upstream: true, allow_methods: [PUT]}
  all: {allow_origins: ["*"], expose_headers: ["*"], expose_upstream: true}
  own: {allow_origins: [https://shop.example]}
virtual_hosts:
  - {domains: [merged.example], policies: [merged]}
  - {domains: [all.example], policies: [all]}
  - {domains: [own.example], policies: [own]}
`)}}}
	set := content.Compile().Set
	for _, c := range []struct {
		fetch Fetch
		want  bool
	}{
		{Fetch{Origin: "https://shop.example", URL: "https://merged.example/"}, true},
		{Fetch{Origin: "https://shop.example", URL: "https://merged.example/", Method: "PUT"}, true},
		{Fetch{Origin: "https://shop.example", URL: "https://merged.example/", WebSocket: true}, false},
		{Fetch{Origin: "https://evil.example", URL: "https://merged.example/"}, false},
		{Fetch{Origin: "https://merged.example", URL: "https://merged.example/"}, false},
		{Fetch{Origin: "https://shop.example", URL: "https://all.example/"}, false},
		{Fetch{Origin: "https://shop.example", URL: "https://own.example/"}, false},
	} {
		r, err := Do(set, c.fetch)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "expose_upstream") }); got != c.want {
			t.Errorf("%+v: the notes are %q", c.fetch, r.Notes)
		}
		if c.want && !slices.Equal(r.Exposed.Names, []string{"X-A"}) {
			t.Errorf("%+v exposes %v", c.fetch, r.Exposed)
		}
	}
}
