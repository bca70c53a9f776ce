package admin

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/policydir"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
	"github.com/corsproc/corsproc/server/logs"
)

// refuse decides about a request by the set in force, and takes note of it.
func refuse(t *testing.T, s Source, r policy.Request) {
	t.Helper()
	d := s.Status().InForce.Set.Decide(&r)
	if d.Verdict != policy.Refused && d.Verdict != policy.Rejected {
		t.Fatalf("%+v is %s", r, d.Verdict)
	}
	s.Refusals.Add(&r, &d)
}

func get(origin, path string) policy.Request {
	return policy.Request{Method: "GET", Scheme: "https", Authority: "api.example.com", Path: path, Origin: policy.Line(origin)}
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, policydir.Attempt{})
		h := Handler(s)
		shown := func() (lines []string) {
			for _, r := range answerOf(t, h, "Status", `{}`, new(corsprocv1.StatusResponse)).GetRefusals() {
				d := r.GetDecision()
				line := fmt.Sprintf("%dx %s %s: %s %s at line %d, %s %s %v, now %s", r.GetCount(), d.GetVirtualHost(), r.GetOrigin(),
					d.GetVerdict(), d.GetReason(), d.GetRule().GetLine(), r.GetMethod(), r.GetUrl(), r.GetHeaders(), r.GetVerdictNow())
				for _, c := range r.GetChanges() {
					line += "; " + c.GetText()
				}
				lines = append(lines, line)
			}
			return lines
		}
		for range 3 {
			refuse(t, s, get("https://partner.example", "/orders?token=secret"))
		}
		time.Sleep(time.Second)
		preflight := get("https://shop.example.com", "/orders")
		preflight.Method, preflight.RequestMethod, preflight.RequestHeaders = "OPTIONS", policy.Line("DELETE"), []string{"x-a, x-b"}
		refuse(t, s, preflight)
		time.Sleep(time.Second)
		refuse(t, s, get("https://<script>\x1b[31m"+strings.Repeat("x", 1000), "/\xff"))
		time.Sleep(time.Second)
		refuse(t, s, get("https://long.example", "/"+strings.Repeat("y", maxExample)))

		malformed := `"https://<script>\x1b[31m` + strings.Repeat("x", 128-21) + `"`
		if diff := cmp.Diff([]string{
			`1x api<b> https://long.example: refused origin_not_allowed at line 0, GET  [], now `,
			`1x api<b> ` + malformed + `: refused origin_malformed at line 3, GET "https://api.example.com/\xff" [], now refused`,
			`1x api<b> https://shop.example.com: refused method_not_allowed at line 2, DELETE https://api.example.com/orders [x-a x-b], now refused; ` +
				`add DELETE to policies.shop.allow_methods (policies.yaml:2:18); add x-a to policies.shop.allow_headers (policies.yaml:2:18); ` +
				`add x-b to policies.shop.allow_headers (policies.yaml:2:18)`,
			`3x api<b> https://partner.example: refused origin_not_allowed at line 3, GET https://api.example.com/orders [], now refused; ` +
				`add https://partner.example to policies.shop.allow_origins (policies.yaml:2:34)`,
		}, shown()); diff != "" {
			t.Error(diff)
		}

		// After a repair the status says so.
		repaired := compile(t, strings.Replace(twoPolicies, "[https://shop.example.com]", "[https://shop.example.com, https://partner.example]", 1))
		s.Status = func() Status { return Status{InForce: repaired} }
		h = Handler(s)
		if got := shown()[3]; !strings.HasSuffix(got, ", now allowed") {
			t.Errorf("after the repair: %s", got)
		}
		time.Sleep(refusalAge - 2*time.Second + time.Nanosecond)
		if got := shown(); len(got) != 2 {
			t.Errorf("after an hour: %q", got)
		}
	})
}

// Whoever makes up origins pushes out only what was seen once.
// TestRefusedWebSocket: a handshake is told as such, so that the page explains a WebSocket and not a fetch.
func TestRefusedWebSocket(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	handshake := get("https://partner.example", "/socket")
	handshake.Upgrade = "WebSocket"
	refuse(t, s, handshake)
	refuse(t, s, get("https://other.example", "/orders"))
	got := map[string]bool{}
	for _, r := range answerOf(t, Handler(s), "Status", `{}`, new(corsprocv1.StatusResponse)).GetRefusals() {
		got[r.GetUrl()] = r.GetWebsocket()
	}
	if diff := cmp.Diff(map[string]bool{"https://api.example.com/socket": true, "https://api.example.com/orders": false}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefusalsFlood(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	for range 2 {
		refuse(t, s, get("https://real.example", "/"))
	}
	const flood = 5000
	for i := range flood {
		refuse(t, s, get(fmt.Sprintf("https://%d.example", i), "/"))
	}
	if n := len(s.Refusals.known); n != maxRefusals/2+1 {
		t.Errorf("%d refusals are remembered", n)
	}
	latest, dropped := s.Refusals.latest(maxRefusals)
	if dropped != flood-maxRefusals/2 || latest[len(latest)-1].key.Origin != "https://real.example" || latest[0].key.Origin != "https://4999.example" {
		t.Errorf("%d dropped; the last is %v, the first %v", dropped, latest[len(latest)-1].key, latest[0].key)
	}
	// Nor does it help to send each twice.
	for i := range flood {
		for range 2 {
			refuse(t, s, get(fmt.Sprintf("https://%d.example", i), "/"))
		}
	}
	if n := len(s.Refusals.known); n > maxRefusals || n != s.Refusals.once.Len()+s.Refusals.again.Len() {
		t.Errorf("%d refusals are remembered, %d and %d", n, s.Refusals.once.Len(), s.Refusals.again.Len())
	}
	if m := answerOf(t, Handler(s), "Status", `{}`, new(corsprocv1.StatusResponse)); len(m.GetRefusals()) != maxShownRefusals || m.GetRefusalsDropped() == 0 {
		t.Errorf("the status shows %d refusals, %d dropped", len(m.GetRefusals()), m.GetRefusalsDropped())
	}
}

// The text of a request is written over by the next one: nothing of it may be kept.
func TestRefusalsKeepCopies(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	buffer := []byte("https://partner.example")
	r := get(string(buffer), "/")
	d := s.Status().InForce.Set.Decide(&r)
	n := newRefusal(logs.RefusalKey{Origin: r.Origin.Value}, &r, &d, time.Time{})
	for _, same := range []bool{
		sameBytes(n.key.Origin, r.Origin.Value), sameBytes(n.example.Origin.Value, r.Origin.Value), sameBytes(n.example.Authority, r.Authority),
		sameBytes(n.example.Method, r.Method), sameBytes(n.method, r.Method),
	} {
		if same {
			t.Error("a refusal keeps a string of its request")
		}
	}
}

func TestRefusalsAllocations(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	r := get("https://partner.example", "/")
	d := s.Status().InForce.Set.Decide(&r)
	if n := testing.AllocsPerRun(100, func() { s.Refusals.Add(&r, &d) }); n > 0 {
		t.Errorf("a repeated refusal allocates %v times", n)
	}
}

func sameBytes(a, b string) bool { return unsafe.StringData(a) == unsafe.StringData(b) }
