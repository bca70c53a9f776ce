package browser

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// blockedCase is a case of testdata/blocked.yaml.
type blockedCase struct {
	Origin      string   `yaml:"origin"`
	URL         string   `yaml:"url"`
	Method      string   `yaml:"method"`
	Credentials string   `yaml:"credentials"`
	WebSocket   bool     `yaml:"websocket"`
	Reason      string   `yaml:"reason"`
	Notes       []string `yaml:"notes"`
	Chromium    *bool    `yaml:"chromium"`
}

func (c *blockedCase) String() string {
	return strings.TrimSpace(fmt.Sprint(c.Origin, " to ", c.URL, " ", c.Method, " ", c.Credentials))
}

func (c *blockedCase) fetch(t *testing.T) Fetch {
	t.Helper()
	f := Fetch{Origin: c.Origin, URL: c.URL, Method: c.Method, WebSocket: c.WebSocket}
	if c.Credentials != "" {
		var err error
		if f.Credentials, err = ParseCredentials(c.Credentials); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func blockedCases(t *testing.T) (cases []blockedCase) {
	t.Helper()
	data, err := os.ReadFile("testdata/blocked.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Load(data, &cases, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 40 {
		t.Fatalf("only %d cases", len(cases))
	}
	return cases
}

// TestBlocked: of what a browser blocks nothing is sent, whatever the policies say; beside everything else stands what is
// to be known of it.
func TestBlocked(t *testing.T) {
	policies := compile(t, `
policies: {everybody: {allow_origins: ["*"], allow_methods: ["*"]}}
default: {policies: [everybody]}
virtual_hosts:
  - domains: ["api.example.com", "api.example.org"]
    routes: [{path: /passthrough, policies: [passthrough]}]
`)
	for _, c := range blockedCases(t) {
		t.Run(c.String(), func(t *testing.T) {
			r, err := Do(policies.Set, c.fetch(t))
			if err != nil {
				t.Fatal(err)
			}
			x := r.Explanation(policies.Location)
			blocked := x.Reason == MixedContent || x.Reason == BadPort
			if want := c.Reason; blocked != (want != "") || blocked && x.Reason != want {
				t.Fatalf("%s (%s), want %q", x.Verdict, x.Reason, want)
			}
			if blocked && (r.Outcome != Unreadable || x.Verdict != "refused" || x.Preflight != nil || x.Actual != nil || x.Browser.Readable ||
				x.Browser.Console == "" || len(x.Changes) > 0) {
				t.Errorf("%v", x)
			}
			if !blocked && x.Actual == nil && x.Preflight == nil {
				t.Error("nothing is sent")
			}
			if len(x.Notes) != len(c.Notes) {
				t.Errorf("notes: %q, want %q", x.Notes, c.Notes)
			}
			for _, want := range c.Notes {
				if !slices.ContainsFunc(x.Notes, func(note string) bool { return strings.Contains(note, want) }) {
					t.Errorf("notes: %q, want %q", x.Notes, want)
				}
			}
		})
	}
}

// TestBadPorts: the list is sorted, and as long as Fetch's.
func TestBadPorts(t *testing.T) {
	if !slices.IsSorted(badPorts) || len(slices.Compact(slices.Clone(badPorts))) != len(badPorts) {
		t.Error("the list is not sorted")
	}
}
