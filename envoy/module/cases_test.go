//go:build cgo

package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/envoy/module/fakeenvoy"
	"github.com/corsproc/corsproc/policy/casetable"
)

// TestCases runs every case table through the hooks: decided anew, and kept.
func TestCases(t *testing.T) {
	for _, table := range casetable.Load(t) {
		t.Run(table.File, func(t *testing.T) {
			c := load(t, table.Policies)
			for _, test := range table.Cases {
				t.Run(test.Name, func(t *testing.T) { checkCase(t, c, &table, &test) })
				t.Run(test.Name+", kept", func(t *testing.T) { checkCase(t, c, &table, &test) })
				if phase := test; !test.Request.Answered && test.Expect.Kind != "preflight" && !strings.Contains(test.Expect.Verdict+test.Expect.Candidate, "rejected") {
					phase.Request.Answered = true
					t.Run(test.Name+", answered", func(t *testing.T) { checkCase(t, c, &table, &phase) })
				}
			}
		})
	}
}

func checkCase(t *testing.T, c *fakeenvoy.Config, table *casetable.Table, test *casetable.Case) {
	facts := table.Facts(test)
	r := &fakeenvoy.Request{Headers: lines(":method: "+facts.Method, ":scheme: "+facts.Scheme, ":authority: "+facts.Authority, ":path: "+facts.Path)}
	if facts.Protocol != "" {
		r.Headers = append(r.Headers, lines(":protocol: "+facts.Protocol)...)
	}
	for _, line := range test.Request.Headers {
		name, value := casetable.SplitLine(line)
		r.Headers = append(r.Headers, fakeenvoy.Header{Name: name, Value: value})
	}
	if facts.VirtualHost != "" {
		r.VirtualHost, r.Route = &facts.VirtualHost, &facts.Route
	}
	if facts.Named.Lines > 0 {
		r.Metadata = []fakeenvoy.Metadata{{Key: "other", NoText: true}, {Key: "policies", Text: facts.Named.Value}}
	}
	response := append(lines(":status: 200"), lines(table.Added(test, test.Upstream...)...)...)
	got := c.Do(r, test.Request.Answered, response)

	answer, status := got.Response, "200"
	if test.Expect.Status != 0 {
		answer, status = got.Sent, strconv.Itoa(test.Expect.Status)
		if (got.Body != "") != test.Expect.Body {
			t.Errorf("body %q", got.Body)
		}
	}
	if s := values(answer, ":status"); s != status {
		t.Errorf("status %s, want %s", s, status)
	}
	watched := map[string]string{}
	for _, h := range answer {
		if watched[h.Name] != "" {
			h.Value = watched[h.Name] + ", " + h.Value
		}
		watched[h.Name] = h.Value
	}
	if faults := test.Expect.Compare(watched); faults != "" {
		t.Error(faults)
	}
	for key, want := range map[string]string{
		"kind": test.Expect.Kind, "verdict": test.Expect.Verdict, "reason": test.Expect.Reason, "policy": test.Expect.Policy,
	} {
		if text := values(got.Metadata, key); text != want {
			t.Errorf("metadata %s: %q, want %q", key, text, want)
		}
	}
	want := test.Expect.Candidate
	if want == test.Expect.Verdict+" "+test.Expect.Reason {
		want = "" // told only where it differs
	}
	if text := strings.TrimSpace(values(got.Metadata, "candidate_verdict") + " " + values(got.Metadata, "candidate_reason")); text != want {
		t.Errorf("metadata of candidates: %q, want %q", text, want)
	}
}
