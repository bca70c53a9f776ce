package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestModel runs the table through the model.
func TestModel(t *testing.T) {
	all, policies := readTable(t, apiPort, pagePort)
	for _, c := range all.Fetches {
		t.Run(c.Name, func(t *testing.T) {
			r, err := Do(policies.Set, c.fetch(t, apiPort, ""))
			if err != nil {
				t.Fatal(err)
			}
			x := r.Explanation(policies.Location)
			got := fetchCase{
				Outcome: [...]string{Unreadable: "unreadable", Readable: "readable", Undecided: "undecided"}[r.Outcome],
				Verdict: x.Verdict, Reason: x.Reason, Exposed: x.Browser.ExposedHeaders,
			}
			if p := x.Preflight; p != nil {
				got.Preflight = strings.TrimSpace(p.Headers["access-control-request-method"] + " " + p.Headers["access-control-request-headers"])
				if p.Passes {
					s := x.Browser.CacheSeconds
					got.Cache = fmt.Sprint(s.Chromium, s.Firefox, s.Safari)
				}
			}
			for _, change := range x.Changes {
				text := change.Action
				if text == "add" || text == "set" {
					text += " " + change.Value
				}
				got.Changes = append(got.Changes, text)
			}
			want := fetchCase{
				Outcome: c.Outcome, Verdict: c.Verdict, Reason: c.Reason, Exposed: c.Exposed, Preflight: c.Preflight, Cache: c.Cache, Changes: c.Changes,
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if (r.Console != "") != (r.Outcome == Unreadable) {
				t.Errorf("%s, and the console says %q", got.Outcome, r.Console)
			}
			if r.Actual == nil && (r.Preflight == nil || r.Preflight.Passes || r.Outcome != Unreadable) {
				t.Error("there is no request, although no preflight failed")
			}
		})
	}
}

// TestBehindTLS is a page of an https origin that fetches the same host over http. To corsproc that may be a request of
// its own behind a hop that ends TLS; to the browser it is another origin.
func TestBehindTLS(t *testing.T) {
	policies := compile(t, `
policies: {shop: {allow_origins: ["https://shop.example.com"]}}
default: {policies: [shop]}
`)
	r, err := Do(policies.Set, Fetch{Origin: "https://10.0.0.1", URL: "http://10.0.0.1/"})
	if err != nil {
		t.Fatal(err)
	}
	x := r.Explanation(policies.Location)
	if r.Outcome != Unreadable || x.Verdict != "refused" || x.Reason != "origin_not_allowed" || x.Actual.Decision.Reason != "same_origin" {
		t.Errorf("%s %s, by a decision %s", x.Verdict, x.Reason, x.Actual.Decision.Reason)
	}
	if len(x.Changes) != 1 || x.Changes[0].Text != "add https://10.0.0.1 to policies.shop.allow_origins (-:2:34)" {
		t.Errorf("changes: %v", x.Changes)
	}
}
