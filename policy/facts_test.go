package policy_test

import (
	"slices"
	"testing"

	"github.com/corsproc/corsproc/policy"
)

// TestFacts: what a candidate would have decided is told where it differs, and nowhere else.
func TestFacts(t *testing.T) {
	refused := policy.Outcome{Verdict: policy.Refused, Reason: policy.ReasonOriginNotAllowed}
	denied := policy.Outcome{Verdict: policy.Refused, Reason: policy.ReasonOriginDenied}
	told := []policy.Fact{{"virtual_host", "api"}, {"policy", "shop"}, {"kind", "actual"}, {"verdict", "refused"}, {"reason", "origin_not_allowed"}}
	for name, c := range map[string]struct {
		has       bool
		candidate policy.Outcome
		more      []policy.Fact
	}{
		"no candidates":   {false, policy.Outcome{}, nil},
		"the same":        {true, refused, nil},
		"another reason":  {true, denied, []policy.Fact{{"candidate_verdict", "refused"}, {"candidate_reason", "origin_denied"}}},
		"another verdict": {true, policy.Outcome{}, []policy.Fact{{"candidate_verdict", "none"}, {"candidate_reason", "not_cors"}}},
	} {
		d := policy.Decision{Kind: policy.Actual, Outcome: refused, HasCandidate: c.has, Candidate: c.candidate, VirtualHost: "api", Policy: "shop"}
		if got := d.AppendFacts(nil); !slices.Equal(got, append(slices.Clone(told), c.more...)) || len(got) > policy.MaxFacts {
			t.Errorf("%s: %q", name, got)
		}
	}
}
