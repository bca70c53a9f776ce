package policy_test

import (
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/casetable"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// compileText compiles the text of a policy file that has no errors.
func compileText(t testing.TB, text string) *policy.Set {
	t.Helper()
	content := &policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: []byte(text)}}}
	result := content.Compile()
	if result.Set == nil {
		var b strings.Builder
		policyfile.WriteText(&b, result.Findings)
		t.Fatal(b.String())
	}
	return result.Set
}

// TestCases runs every case table through the engine alone.
func TestCases(t *testing.T) {
	for _, table := range casetable.Load(t) {
		t.Run(table.File, func(t *testing.T) {
			set := compileText(t, table.Policies)
			for _, c := range table.Cases {
				t.Run(c.Name, func(t *testing.T) {
					r := table.Facts(&c)
					checkDecision(t, set, set.Decide(&r), &table, &c)
				})
			}
		})
	}
}

func checkDecision(t *testing.T, set *policy.Set, d policy.Decision, table *casetable.Table, c *casetable.Case) {
	t.Helper()
	want := &c.Expect
	equal := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	equal("kind", d.Kind.String(), want.Kind)
	equal("verdict", d.Verdict.String(), want.Verdict)
	equal("reason", d.Reason.String(), want.Reason)
	equal("policy", d.Policy, want.Policy)
	if want.VirtualHost != "" {
		equal("virtual host", d.VirtualHost, want.VirtualHost)
	}
	if want.Rule != "" {
		rule := casetable.NoRule
		if place, ok := set.Locate(d.Rule); ok {
			rule = place.Path.String()
		}
		equal("rule", rule, want.Rule)
	}
	candidate := ""
	if d.HasCandidate {
		candidate = d.Candidate.Verdict.String() + " " + d.Candidate.Reason.String()
	}
	equal("candidate", candidate, want.Candidate)

	got := map[string]string{}
	upstream := map[string][]string{}
	for _, line := range table.Added(c, c.Upstream...) {
		name, value := casetable.SplitLine(line)
		upstream[name] = append(upstream[name], value)
	}
	switch d.Action() {
	case policy.Respond:
		status, headers, body := d.AppendImmediate(nil)
		if status != want.Status || (body != "") != want.Body {
			t.Errorf("answered with %d and body %q, want %d", status, body, want.Status)
		}
		for _, h := range headers {
			got[h.Name] = h.Value
		}
		if want.Status == 403 && got["cache-control"] != "no-store" {
			t.Errorf("a refusal may be cached: cache-control is %q", got["cache-control"])
		}
	default:
		if want.Status != 0 {
			t.Errorf("was not answered, want %d", want.Status)
		}
		for name, lines := range upstream {
			got[name] = strings.Join(lines, ", ")
		}
		if d.Action() == policy.Adjust {
			for _, name := range policy.ResponseHeaders {
				delete(got, name)
			}
			for _, h := range d.AppendResponse(nil, upstream["vary"], upstream["access-control-expose-headers"]...) {
				got[h.Name] = h.Value
			}
		}
	}
	if faults := want.Compare(got); faults != "" {
		t.Error(faults)
	}
}
