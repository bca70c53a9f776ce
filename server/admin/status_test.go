package admin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

func TestStatus(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	h := Handler(s)
	m := answerOf(t, h, "Status", `{}`, new(corsprocv1.StatusResponse))
	var got []string
	say := func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
	at := func(l *corsprocv1.Location) string {
		return fmt.Sprintf("%s:%d:%d", l.GetFile(), l.GetLine(), l.GetColumn())
	}
	f := m.GetInForce()
	say("%s %v, %s since %d: %s %v", m.GetVersion(), m.GetReady(), f.GetHash(), f.GetSince().GetSeconds(), f.GetPath(), f.GetFiles())
	for _, p := range f.GetPolicies() {
		say("policy %s at %s", p.GetName(), at(p.GetAt()))
	}
	for _, v := range f.GetVirtualHosts() {
		say("host %s at %s: %v at %s, %s", v.GetName(), at(v.GetPlace().GetAt()), v.GetPlace().GetPolicies(), at(v.GetPlace().GetPoliciesAt()), v.GetPlace().GetReject())
	}
	say("%d of %d connections, %d streams", m.GetTraffic().GetConnections(), m.GetTraffic().GetConnectionsMax(), m.GetTraffic().GetStreams())
	if diff := cmp.Diff([]string{
		"v1 true, abc since 0: policies.yaml [policies.yaml]",
		"policy public at policies.yaml:2:63", "policy shop at policies.yaml:2:12",
		"host default at policies.yaml:4:10: [public] at policies.yaml:4:21, NEVER",
		"host api<b> at policies.yaml:3:17: [shop] at policies.yaml:3:72, NEVER",
		"2 of 100 connections, 0 streams",
	}, got); diff != "" {
		t.Error(diff)
	}

	again := answerOf(t, h, "Status", `{"knownHash": "abc"}`, new(corsprocv1.StatusResponse)).GetInForce()
	if again.GetHash() != "abc" || again.GetPoliciesTotal() != 2 || again.GetVirtualHostsTotal() != 2 || again.GetPolicies() != nil || again.GetVirtualHosts() != nil {
		t.Errorf("of a set that is known: %v", again)
	}
	if other := answerOf(t, h, "Status", `{"knownHash": "abd"}`, new(corsprocv1.StatusResponse)).GetInForce(); len(other.GetPolicies()) != 2 {
		t.Errorf("of another set than the one that is known: %v", other)
	}
}

// The status of a large set is the beginning of it.
func TestStatusIsBounded(t *testing.T) {
	var text strings.Builder
	fmt.Fprint(&text, "policies:\n")
	for i := range maxNames + 10 {
		fmt.Fprintf(&text, "  p%03d: {allow_origins: [https://a%d.example]}\n", i, i)
	}
	fmt.Fprint(&text, "virtual_hosts:\n- domains: [routes.example]\n  policies: [p000]\n  routes:\n")
	for i := range maxRoutes + 1 {
		fmt.Fprintf(&text, "  - {path: /%d, policies: [p%03d]}\n", i, i)
	}
	for i := range maxNames {
		fmt.Fprintf(&text, "- {domains: [h%d.example], policies: [p%03d]}\n", i, i)
	}
	s := newSource(t, policydir.Attempt{})
	large := compile(t, text.String())
	if large.Set == nil {
		t.Fatal(large.Findings)
	}
	s.Status = func() Status { return Status{InForce: large} }
	f := answerOf(t, Handler(s), "Status", `{}`, new(corsprocv1.StatusResponse)).GetInForce()
	if len(f.GetPolicies()) != maxNames || f.GetPoliciesTotal() != maxNames+10 || len(f.GetVirtualHosts()) != maxNames || f.GetVirtualHostsTotal() != maxNames+2 {
		t.Errorf("%d of %d policies, %d of %d virtual hosts", len(f.GetPolicies()), f.GetPoliciesTotal(), len(f.GetVirtualHosts()), f.GetVirtualHostsTotal())
	}
	if v := f.GetVirtualHosts()[1]; len(v.GetRoutes()) != maxRoutes || v.GetRoutesTotal() != maxRoutes+1 {
		t.Errorf("%d of %d routes", len(v.GetRoutes()), v.GetRoutesTotal())
	}
}

// TestStatusHasRoom is about a set of which every list is long: the status does not grow with the product of them.
func TestStatusHasRoom(t *testing.T) {
	var text strings.Builder
	list := func(n int, format string) {
		fmt.Fprint(&text, "[")
		for i := range n {
			fmt.Fprintf(&text, format+", ", i)
		}
		fmt.Fprint(&text, "]\n")
	}
	fmt.Fprint(&text, "policies:\n")
	for i := range maxNames {
		n := 2
		if i < 80 {
			n = maxEntries + 1
		}
		fmt.Fprintf(&text, "  policy-%03d-%s:\n    allow_origins: ", i, strings.Repeat("x", 180))
		list(n, "https://"+strings.Repeat("long-", 12)+"%d.example")
		fmt.Fprint(&text, "    allow_headers: ")
		list(n, "X-"+strings.Repeat("Long-", 50)+"%d")
	}
	fmt.Fprintf(&text, "  regex: {allow_origin_regexes: ['https://(%sa)\\.example']}\n", strings.Repeat("b|", 5000))
	fmt.Fprint(&text, "default:\n  policies: ")
	list(maxNames, "policy-%03d-"+strings.Repeat("x", 180))
	fmt.Fprint(&text, "virtual_hosts:\n")
	const hosts = 60
	for i := range hosts {
		fmt.Fprintf(&text, "- name: h%d\n  routes: [", i)
		for k := range maxRoutes {
			fmt.Fprintf(&text, "{path: /%s%d}, ", strings.Repeat("long", 200), k)
		}
		fmt.Fprint(&text, "]\n")
	}
	now := compile(t, text.String())
	if now.Set == nil {
		t.Fatal(now.Findings[0])
	}
	m := take(now)
	if n := proto.Size(m); n < maxRoom || n > 4*maxRoom {
		t.Errorf("%d bytes", n)
	}
	first, last := m.GetPolicies()[0], m.GetPolicies()[maxNames-1]
	if o := first.GetAllowOrigins(); len(o.GetEntries()) != maxEntries || o.GetTotal() != maxEntries+1 {
		t.Errorf("%d of %d origins of the first policy", len(o.GetEntries()), o.GetTotal())
	}
	if o := last.GetAllowOrigins(); len(o.GetEntries()) != 0 || o.GetTotal() != 2 {
		t.Errorf("%d of %d origins of the last policy", len(o.GetEntries()), o.GetTotal())
	}
	if u := first.GetUses(); len(u) != 1 || u[0].GetInherited() != hosts*(maxRoutes+1) {
		t.Errorf("the first policy is used at %v", u)
	}
	if p := m.GetVirtualHosts()[0].GetPlace(); len(p.GetPolicies()) != maxEntries || p.GetPoliciesTotal() != maxNames {
		t.Errorf("%d of %d policies", len(p.GetPolicies()), p.GetPoliciesTotal())
	}
	if v := m.GetVirtualHosts()[hosts]; len(v.GetRoutes()) != 0 || v.GetRoutesTotal() != maxRoutes {
		t.Errorf("%d of %d routes", len(v.GetRoutes()), v.GetRoutesTotal())
	}
	for _, p := range now.Set.SurveyPolicies([]string{"regex"}, maxEntries) {
		left := room(maxRoom)
		if e := policyMessage(now, &p, &left).GetAllowOriginRegexes().GetEntries(); len(e) != 1 || len([]rune(e[0])) != maxEntry+1 {
			t.Errorf("a long expression is %q", e)
		}
	}
}

func TestStatusCandidates(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	decide := func(times int, verdict policy.Verdict, candidate policy.Outcome) {
		for range times {
			s.Metrics.Decided(&policy.Decision{Outcome: policy.Outcome{Verdict: verdict}, HasCandidate: true, Candidate: candidate, VirtualHost: "api<b>"}, 0)
		}
	}
	decide(9, policy.Allowed, policy.Outcome{Verdict: policy.Allowed, Reason: policy.ReasonAllowed})
	decide(1, policy.Refused, policy.Outcome{Verdict: policy.Allowed, Reason: policy.ReasonAllowed})
	decide(2, policy.Allowed, policy.Outcome{Verdict: policy.Refused, Reason: policy.ReasonOriginDenied})
	var got []string
	for _, c := range answerOf(t, Handler(s), "Status", `{}`, new(corsprocv1.StatusResponse)).GetCandidates() {
		got = append(got, fmt.Sprintf("%s %s %s %s %d", c.GetVirtualHost(), c.GetVerdict(), c.GetCandidateVerdict(), c.GetCandidateReason(), c.GetCount()))
	}
	if diff := cmp.Diff([]string{
		"api<b> allowed refused origin_denied 2", "api<b> refused allowed allowed 1", "api<b> allowed allowed allowed 9",
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReloads(t *testing.T) {
	l := NewReloads("policies.yaml")
	bad := compile(t, "policies: {p: {allow_origins: [https://A.example]}}\ndefault: {policies: [p]}")
	start := time.Unix(1000, 0)
	l.Attempted(policydir.Attempt{Time: start, Result: compile(t, twoPolicies)})
	l.Attempted(policydir.Attempt{Time: start.Add(time.Second), Result: bad})
	l.Attempted(policydir.Attempt{Time: start.Add(2 * time.Second), Err: errors.New("it is gone")})
	var got []string
	for _, a := range l.messages() {
		line := fmt.Sprintf("%d %v %q", a.GetTime().GetSeconds(), a.GetSuccessful(), a.GetHash())
		for _, f := range a.GetFindings() {
			line += " " + f.Code
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{`1002 false "" unreadable`, `1001 false "abc" origin-not-canonical`, `1000 true "abc"`}, got); diff != "" {
		t.Error(diff)
	}

	many := &policyfile.Result{Hash: "many"}
	for i := range 2 * maxReloadFindings {
		severity := finding.Hint
		if i%4 == 3 {
			severity = finding.Error
		}
		many.Findings = append(many.Findings, finding.Diagnostic{Severity: severity, Position: finding.Position{Line: int32(i)}})
	}
	for i := range 2 * maxReloads {
		l.Attempted(policydir.Attempt{Time: start.Add(time.Duration(i) * time.Minute), Result: many})
	}
	all := l.messages()
	if len(all) != maxReloads || all[0].GetTime().GetSeconds() != start.Unix()+60*(2*maxReloads-1) {
		t.Errorf("%d attempts, the latest at %v", len(all), all[0].GetTime())
	}
	if f := all[0].GetFindings(); len(f) != maxReloadFindings || all[0].GetFindingsTotal() != 2*maxReloadFindings ||
		f[0].GetLine() != 3 || f[maxReloadFindings/2].GetLine() != 0 {
		t.Errorf("%d of %d findings, beginning with %v", len(f), all[0].GetFindingsTotal(), f[0])
	}
}

func TestActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, policydir.Attempt{})
		decide := func(times int, host string, reason policy.Reason) {
			for range times {
				s.Metrics.Decided(&policy.Decision{Outcome: policy.Outcome{Reason: reason}, VirtualHost: host, Policy: "shop"}, 0)
			}
		}
		decide(7, "default", policy.ReasonAllowed) // before it began
		a := NewActivity(s.Metrics)
		go a.Run(t.Context())
		start := time.Now()
		spans := func() (text []string) {
			synctest.Wait()
			for _, s := range a.message().GetSpans() {
				text = append(text, fmt.Sprint(s.GetStart().AsTime().Sub(start), " ", s.GetReasons()))
			}
			return text
		}
		decide(3, "api<b>", policy.ReasonAllowed)
		decide(2, "default", policy.ReasonAllowed)
		decide(1, "default", policy.ReasonOriginDenied)
		if diff := cmp.Diff([]string{"0s map[allowed:5 origin_denied:1]"}, spans()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(activitySpan)
		synctest.Wait()
		decide(4, "default", policy.ReasonAllowed)
		if diff := cmp.Diff([]string{"0s map[allowed:5 origin_denied:1]", "5s map[allowed:4]"}, spans()); diff != "" {
			t.Error(diff)
		}
		// A reload removes a virtual host: nothing is counted backwards.
		s.Metrics.InForce(compile(t, "policies: {shop: {allow_origins: [https://shop.example.com]}}\ndefault: {policies: [shop]}").Set, "new")
		time.Sleep(activitySpan)
		synctest.Wait()
		decide(1, "default", policy.ReasonAllowed)
		if diff := cmp.Diff([]string{"0s map[allowed:5 origin_denied:1]", "5s map[allowed:4]", "10s map[allowed:1]"}, spans()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(2 * maxSpans * activitySpan)
		got := spans()
		if len(got) != maxSpans || got[len(got)-1] != fmt.Sprint((2*maxSpans+2)*activitySpan, " map[]") {
			t.Errorf("%d spans, the last %s", len(got), got[len(got)-1])
		}
	})
}
