package server

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
)

// unanswered is a preflight that an authentication filter has answered before corsproc was asked.
func unanswered(origin string) visit {
	return visit{answered: true, headers: map[string]string{":status": "401"}, attributes: map[string]string{
		"xds.virtual_host_name": "api", "request.method": "OPTIONS", "request.scheme": "https", "request.host": "api.example.com",
		"request.path": "/orders", "request.headers['origin']": origin, "request.headers['access-control-request-method']": "PUT",
	}}
}

// TestPreflightUnanswered: no policy is blamed for a preflight that somebody else answered, and everybody is told whom to
// ask. (The page is looked at by TestPage.)
func TestPreflightUnanswered(t *testing.T) {
	r := start(t, somePolicies, nil)
	if code, text := r.call("LogDecisions", `{"virtual_host": "api", "duration": "600s"}`); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	unanswered("https://shop.example.com").pay(t, r.connect())

	advice := policy.ReasonPreflightUnanswered.Advice()
	if !strings.Contains(advice, "put corsproc first") {
		t.Fatalf("the advice is %q", advice)
	}
	logged := map[any]map[string]any{}
	eventually(t, func() error {
		for _, record := range r.log.Take(t) {
			logged[record["msg"]] = record
		}
		if logged["decision"] == nil || logged["refused"] == nil {
			return fmt.Errorf("only %v is logged", logged)
		}
		return nil
	})
	for _, message := range []string{"decision", "refused"} {
		got := logged[message]
		if got["reason"] != "preflight_unanswered" || got["advice"] != advice || got["rule"] != nil || got["policy"] != "" {
			t.Errorf("%s: %v", message, got)
		}
	}

	got := r.status().GetRefusals()
	if len(got) != 1 {
		t.Fatalf("refusals %v", got)
	}
	if m := got[0]; m.GetDecision().GetReason() != "preflight_unanswered" || m.GetAdvice() != advice ||
		m.GetVerdictNow() != "" || m.GetDecision().GetRule() != nil || len(m.GetChanges()) != 0 || m.GetUrl() == "" {
		t.Errorf("the API says %v", m)
	}

	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); !strings.Contains(text, "`preflight_unanswered`") || !strings.Contains(text, "Put corsproc first") {
		t.Error("docs/operations.md does not say what preflight_unanswered is, or what to do")
	}
}
