package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/logtest"
)

// watched is a log of decisions that is running.
type watched struct {
	*Decisions
	t   *testing.T
	log logtest.Buffer
}

func watch(t *testing.T) *watched {
	w := &watched{t: t}
	locate := func(*policy.Set, policy.Rule) string { return "policies.yaml:7:1" }
	log := slog.New(leveled{slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}), slog.LevelError})
	w.Decisions = NewDecisions(log, locate)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// pass lets time pass, and what happens at its end.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// decide tells the log of decisions.
func (w *watched) decide(times int, virtualHost, origin string) {
	r := &policy.Request{Method: "GET", Scheme: "https", Authority: "api.example.com", Path: "/orders?token=secret", Origin: policy.Line(origin)}
	d := &policy.Decision{Kind: policy.Actual, Outcome: policy.Outcome{Verdict: policy.Allowed, Reason: policy.ReasonAllowed}, VirtualHost: virtualHost, Policy: "shop"}
	for range times {
		w.Decided(nil, r, d, time.Microsecond)
	}
}

func (w *watched) records() []map[string]any {
	synctest.Wait()
	return w.log.Take(w.t)
}

// logged returns how many decisions were logged, and how many are said to have been left out.
func (w *watched) logged() (logged, dropped int) {
	for _, r := range w.records() {
		if r["msg"] == "decision" {
			logged++
		} else {
			dropped += int(r["count"].(float64))
		}
	}
	return logged, dropped
}

func (w *watched) want(logged, dropped int) {
	w.t.Helper()
	if l, d := w.logged(); l != logged || d != dropped {
		w.t.Errorf("%d decisions logged and %d left out, want %d and %d", l, d, logged, dropped)
	}
}

func TestDecisionLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		all := func() {
			w.decide(1, "api", "https://a.example")
			w.decide(1, "api", "https://b.example")
			w.decide(1, "files", "https://a.example")
			w.decide(1, "files", "https://b.example")
		}
		set := func(host, origin string, d time.Duration) {
			t.Helper()
			if err := w.Set(host, origin, d); err != nil {
				t.Fatal(err)
			}
		}
		on := func() (text string) {
			for _, m := range w.Messages() {
				text += fmt.Sprintf("[%s %s %v]", m.GetVirtualHost(), m.GetOrigin(), time.Until(m.GetUntil().AsTime()))
			}
			return text
		}
		all()
		w.want(0, 0)
		set("api", "", 10*time.Minute)
		all()
		w.want(2, 0)
		set("", "https://a.example", time.Minute)
		all()
		w.want(3, 0)
		set("files", "https://b.example", 2*time.Minute)
		all()
		w.want(4, 0)
		if got := on(); got != "[ https://a.example 1m0s][files https://b.example 2m0s][api  10m0s]" {
			t.Errorf("on: %s", got)
		}

		pass(time.Minute) // the second ends by itself
		all()
		w.want(3, 0)
		set("api", "", 5*time.Minute) // from now
		set("files", "https://b.example", 0)
		all()
		w.want(2, 0)
		pass(5*time.Minute - time.Nanosecond)
		all()
		w.want(2, 0)
		pass(time.Nanosecond)
		all()
		w.want(0, 0)
		if w.on.Load() != nil || on() != "" || len(w.timers) != 0 {
			t.Errorf("on at the end: %s", on())
		}
		pass(10 * time.Minute) // the timer that was stopped
		set("api", "", 0)      // what is not on can be ended
	})
}

func TestDecisionLogRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		if err := w.Set("api", "", time.Minute); err != nil {
			t.Fatal(err)
		}
		w.Decided(nil, &policy.Request{
			VirtualHost: "local/api:80", Route: "orders", Method: "OPTIONS", Scheme: "https", Authority: "api.example.com", Path: "/orders/\x1b[31m?token=secret",
			Origin: policy.Line("https://a.example\n" + strings.Repeat("x", 5000)), RequestMethod: policy.Line("PUT"), RequestHeaders: []string{"x-a", "x-b"}, Answered: true,
		}, &policy.Decision{
			Kind: policy.Preflight, Outcome: policy.Outcome{Verdict: policy.Refused, Reason: policy.ReasonOriginMalformed}, VirtualHost: "api", Policy: "shop",
			HasCandidate: true, Candidate: policy.Outcome{Verdict: policy.Allowed, Reason: policy.ReasonAllowed},
		}, 1500*time.Nanosecond)
		r := w.records()[0]
		origin := r["origin"].(string)
		if !strings.HasPrefix(origin, `"https://a.example\nxxx`) || len(origin) > policy.MaxOriginBytes+10 {
			t.Errorf("origin %q", origin)
		}
		delete(r, "time")
		delete(r, "origin")
		want := map[string]any{
			"level": "DEBUG", "msg": "decision", "virtual_host": "api", "policy": "shop", "kind": "preflight", "verdict": "refused",
			"reason": "origin_malformed", "candidate_verdict": "allowed", "candidate_reason": "allowed", "rule": "policies.yaml:7:1",
			"method": "OPTIONS", "scheme": "https", "authority": "api.example.com", "path": `"/orders/\x1b[31m"`, "envoy_virtual_host": "local/api:80",
			"envoy_route": "orders", "request_method": "PUT", "request_headers": "x-a, x-b", "answered": true, "took": "1.5µs",
		}
		for key, value := range want {
			if r[key] != value {
				t.Errorf("%s is %v, want %v", key, r[key], value)
			}
			delete(r, key)
		}
		if len(r) > 0 {
			t.Errorf("and %v", r)
		}

		// Candidates that come to the same are nothing to tell.
		same := policy.Outcome{Verdict: policy.Refused, Reason: policy.ReasonOriginDenied}
		w.Decided(nil, &policy.Request{}, &policy.Decision{VirtualHost: "api", Outcome: same, HasCandidate: true, Candidate: same}, 0)
		for key := range w.records()[0] {
			if strings.HasPrefix(key, "candidate_") {
				t.Errorf("%s where candidates do not differ", key)
			}
		}
	})
}

func TestDecisionLogRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		if err := w.Set("api", "", time.Minute); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		w.decide(maxLoggedDecisions+50, "api", "https://a.example")
		w.want(maxLoggedDecisions, 0)
		pass(time.Second)
		w.decide(1, "api", "https://a.example")
		w.want(1, 50)
		w.decide(maxLoggedDecisions+6, "api", "https://a.example")
		w.want(maxLoggedDecisions-1, 0)
		pass(time.Hour) // its end says what was left out
		w.want(0, 7)
	})
}

func TestDecisionLogBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		for i := range maxDecisionLogs {
			if err := w.Set(fmt.Sprint("host", i), "", time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Set("another", "", time.Minute); !errors.Is(err, ErrTooMany) {
			t.Errorf("another: %v", err)
		}
		if err := w.Set("host0", "", 2*time.Minute); err != nil {
			t.Errorf("one of them again: %v", err)
		}
		pass(time.Minute)
		if n := len(w.Messages()); n != 1 {
			t.Errorf("%d are on", n)
		}
	})
}

// A log that nobody reads holds up no request.
func TestDecisionLogStalled(t *testing.T) {
	l := NewDecisions(slog.New(slog.DiscardHandler), nil)
	w := &watched{t: t, Decisions: l}
	if err := l.Set("api", "", time.Minute); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		l.second = time.Time{} // another second
		w.decide(maxLoggedDecisions, "api", "https://a.example")
	}
	if got := len(l.lines); got != cap(l.lines) {
		t.Errorf("%d lines wait, want %d", got, cap(l.lines))
	}
	if l.dropped != 8*maxLoggedDecisions {
		t.Errorf("%d dropped", l.dropped)
	}
	if err := l.Set("api", "", 0); err != nil {
		t.Fatal(err)
	}
}

func TestDecisionLogOff(t *testing.T) {
	w := &watched{Decisions: NewDecisions(slog.New(slog.DiscardHandler), nil)}
	r, d := &policy.Request{Origin: policy.Line("https://a.example")}, &policy.Decision{VirtualHost: "api"}
	if n := testing.AllocsPerRun(100, func() { w.Decided(nil, r, d, 0) }); n > 0 {
		t.Errorf("while off, a decision allocates %v times", n)
	}
}
