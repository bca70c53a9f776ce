package browser

import (
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
)

// TestPathsAsEnvoyHandsThemOn: a path is looked up as corsproc gets it behind the reference Envoy, and a note says so where
// that is not what is sent; taken as it is, it is looked up as it is sent.
func TestPathsAsEnvoyHandsThemOn(t *testing.T) {
	policies := compile(t, `
policies: {everybody: {allow_origins: ["*"], allow_methods: [PUT]}}
default:
  policies: [none]
virtual_hosts:
  - domains: [api.example.com]
    policies: [none]
    routes:
      - {prefix: /public/, policies: [everybody]}
`)
	for _, c := range []struct {
		path     string
		readable bool
		asIs     bool   // readable with the path as it is
		noted    string // what the path is said to be; empty: nothing is said
	}{
		{"/public/x", true, true, ""},
		{"/private", false, false, ""},
		{"//public/x", true, false, "/public/x"},
		{"/%70ublic/x", true, false, "/public/x"},
		{"/a/%2e%2e/public/x", true, true, ""}, // browsers resolve that themselves
		{"/a/..;/public/x", true, false, "/public/x"},
		{"/public/..;/x", false, true, "/x"}, // as it is, it is one or both
		{"/public/%7ex?a//b", true, true, "/public/~x"},
		{"/public/caf%c3%a9", true, true, ""},
	} {
		for _, asIs := range []bool{false, true} {
			r, err := Do(policies.Set, Fetch{Origin: "https://shop.example.com", URL: "https://api.example.com" + c.path, PathAsIs: asIs})
			if err != nil {
				t.Fatal(err)
			}
			want, noted := c.readable, c.noted
			if asIs {
				want, noted = c.asIs, ""
			}
			if got := r.Outcome == Readable; got != want && !(asIs && r.Reason == policy.ReasonPathAmbiguous.String()) {
				t.Errorf("%s, as it is: %v: readable: %v (%s)", c.path, asIs, got, r.Reason)
			}
			notes := strings.Join(r.Notes, " ")
			if strings.Contains(notes, "Envoy") != (noted != "") || !strings.Contains(notes, "makes "+noted+" of the path") && noted != "" {
				t.Errorf("%s, as it is: %v: the notes say %q", c.path, asIs, notes)
			}
			if asIs && strings.Contains(notes, "path-as-is") {
				t.Errorf("%s: the notes say %q", c.path, notes)
			}
		}
	}
}

// TestUnheard: where Envoy answers before corsproc is asked, the page cannot read that, and no policy changes it.
func TestUnheard(t *testing.T) {
	const origin, url = "https://shop.example.com", "https://api.example.com/a%00b"
	everybody := compile(t, "policies: {p: {allow_origins: [https://shop.example.com], allow_methods: [PUT]}}\ndefault: {policies: [p]}\n")
	for _, policies := range []*policy.Set{everybody.Set, compile(t, "default: {policies: [passthrough]}\n").Set} {
		for name, f := range map[string]Fetch{
			"simple":    {Origin: origin, URL: url},
			"preflight": {Origin: origin, URL: url, Method: "PUT"},
			"WebSocket": {Origin: origin, URL: url, WebSocket: true},
		} {
			r, err := Do(policies, f)
			if err != nil {
				t.Fatal(err)
			}
			last := r.Actual
			if last == nil {
				last = r.Preflight
			}
			if r.Outcome != Unreadable || r.Verdict != policy.Refused || last.Status != 400 || len(r.Changes) > 0 || r.Console == "" ||
				!strings.Contains(strings.Join(r.Notes, " "), "answers 400") {
				t.Errorf("%s: %+v", name, r)
			}
			if (name == "preflight") != (r.Actual == nil) {
				t.Errorf("%s: the request is sent: %v", name, r.Actual != nil)
			}
			if f.PathAsIs = true; name == "simple" {
				if r, err = Do(everybody.Set, f); err != nil || r.Outcome != Readable {
					t.Errorf("as it is: %v, %+v", err, r)
				}
			}
		}
	}
}
