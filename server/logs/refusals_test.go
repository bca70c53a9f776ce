package logs

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/logtest"
)

func TestRefusals(t *testing.T) {
	refuse := func(origin string, reason policy.Reason, rule policy.Rule) (*policy.Request, *policy.Decision) {
		return &policy.Request{Method: "GET", Origin: policy.Line(origin)}, &policy.Decision{
			Kind: policy.Actual, Outcome: policy.Outcome{Verdict: policy.Refused, Reason: reason}, VirtualHost: "api", Rule: rule,
		}
	}
	locate := func(_ *policy.Set, r policy.Rule) string {
		if r == 0 {
			return ""
		}
		return fmt.Sprintf("policies.yaml:%d:1", r)
	}
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Buffer
		table := NewRefusals(slog.New(slog.NewJSONHandler(&log, nil)), locate)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { table.Run(ctx); close(done) }()
		add := func(origin string, reason policy.Reason, rule policy.Rule) {
			r, d := refuse(origin, reason, rule)
			table.Refused(nil, r, d)
		}
		// read returns what was logged since the last read.
		read := func() []map[string]any {
			synctest.Wait()
			return log.Take(t)
		}

		for range 100 {
			add("https://a.example", policy.ReasonOriginNotAllowed, 7)
		}
		got := read()
		if len(got) != 1 {
			t.Fatalf("%d records of one refusal, want 1", len(got))
		}
		for key, want := range map[string]string{
			"msg": "refused", "virtual_host": "api", "kind": "actual", "verdict": "refused", "reason": "origin_not_allowed",
			"origin": "https://a.example", "method": "GET", "rule": "policies.yaml:7:1",
		} {
			if got[0][key] != want {
				t.Errorf("%s is %v, want %q", key, got[0][key], want)
			}
		}

		add("https://a.example", policy.ReasonOriginDenied, 7)
		add("https://a.example", policy.ReasonOriginNotAllowed, 8)
		add("https://b.example", policy.ReasonOriginNotAllowed, 7)
		if got := read(); len(got) != 3 {
			t.Errorf("%d records of another reason, place and origin, want 3", len(got))
		}

		time.Sleep(refusalPeriod - time.Nanosecond)
		add("https://a.example", policy.ReasonOriginNotAllowed, 7)
		if got := read(); len(got) != 0 {
			t.Errorf("logged again within the period: %v", got)
		}
		time.Sleep(time.Nanosecond)
		add("https://a.example", policy.ReasonOriginNotAllowed, 7)
		if got := read(); len(got) != 1 {
			t.Errorf("%d records after the period, want 1", len(got))
		}

		time.Sleep(2 * refusalPeriod)
		read()
		add("https://a.example/\n\x1b[31m"+strings.Repeat("x", 5000), policy.ReasonOriginMalformed, 0)
		got = read()
		if len(got) != 1 {
			t.Fatalf("%d records of a malformed origin, want 1", len(got))
		}
		origin := got[0]["origin"].(string)
		if !strings.HasPrefix(origin, `"https://a.example/\n\x1b[31mxxx`) || len(origin) > 2*maxLoggedValue {
			t.Errorf("a malformed origin is logged as %q", origin)
		}
		if rule, ok := got[0]["rule"]; ok {
			t.Errorf("a rule that is nowhere is logged as %v", rule)
		}

		time.Sleep(2 * refusalPeriod)
		read()
		for i := range 3 * maxRefusals {
			add(fmt.Sprintf("https://%d.example", i), policy.ReasonOriginNotAllowed, 7)
			if i%100 == 0 {
				synctest.Wait() // lets the writer keep up, so that only the table is full
			}
		}
		if got := read(); len(got) != maxRefusals {
			t.Errorf("%d records of a flood, want %d", len(got), maxRefusals)
		}
		time.Sleep(refusalPeriod)
		got = read()
		if len(got) != 1 || got[0]["count"] != float64(2*maxRefusals) {
			t.Errorf("after a flood: %v, want one record that counts %d", got, 2*maxRefusals)
		}

		// What is still to be said at the end is said.
		add("https://last.example", policy.ReasonOriginNotAllowed, 7)
		cancel()
		<-done
		if got := read(); len(got) != 1 || got[0]["origin"] != "https://last.example" {
			t.Errorf("at the end: %v", got)
		}
	})
}

// A client can cause refusals at will; those that are not logged must not cost memory.
func TestRefusalsAllocations(t *testing.T) {
	table := NewRefusals(slog.New(slog.DiscardHandler), nil)
	r := &policy.Request{Method: "GET", Origin: policy.Line("https://a.example")}
	d := &policy.Decision{Outcome: policy.Outcome{Verdict: policy.Refused, Reason: policy.ReasonOriginNotAllowed}, VirtualHost: "api"}
	if n := testing.AllocsPerRun(100, func() { table.Refused(nil, r, d) }); n > 0 {
		t.Errorf("a repeated refusal allocates %v times", n)
	}
}
