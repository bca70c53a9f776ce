package policytest

// Tested by policytest_test.go.

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// run runs a test of a file without findings.
func (t *testFile) run(i int, policies *policyfile.Result) *corsprocv1.TestResult {
	test := t.says.GetTests()[i]
	r, err := browser.Do(policies.Set, t.fetches[i])
	if err != nil {
		panic("a fetch without faults cannot be asked for: " + err.Error())
	}
	result := &corsprocv1.TestResult{
		Name: test.GetName(), At: t.message.Location(finding.Path("").Name("tests").Index(i)), Fetch: proto.CloneOf(test.GetFetch()),
		Expected: wordOf(test.GetExpect()), ExpectedReason: test.GetReason(),
		Got: wordOf(outcome(&r)), GotReason: r.Reason,
	}
	if e := decider(&r); e != nil {
		result.Rule = policies.Location(e.Decision.Rule)
	}
	result.Passed = result.Got == result.Expected && (test.GetReason() == "" || test.GetReason() == r.Reason)
	if !result.Passed {
		result.Explanation = r.Explanation(policies.Location)
	}
	return result
}

// outcome returns what came of a fetch as test files say it.
func outcome(r *browser.Result) corsprocv1.Expectation {
	switch {
	case r.Outcome == browser.Readable:
		return corsprocv1.Expectation_EXPECTATION_ALLOWED
	case r.Outcome == browser.Undecided:
		return corsprocv1.Expectation_EXPECTATION_UNDECIDED
	case r.Verdict == policy.Rejected:
		return corsprocv1.Expectation_EXPECTATION_REJECTED
	}
	return corsprocv1.Expectation_EXPECTATION_REFUSED
}

// decider returns the request that decided what came of a fetch: the preflight if it is the last, nil if nothing is sent.
func decider(r *browser.Result) *browser.Exchange {
	if r.Actual == nil {
		return r.Preflight
	}
	return r.Actual
}

// wordOf returns an expectation as results say it.
func wordOf(e corsprocv1.Expectation) string {
	return strings.ToLower(strings.TrimPrefix(e.String(), "EXPECTATION_"))
}
