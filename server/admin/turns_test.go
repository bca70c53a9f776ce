package admin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// stuck is a client that reads nothing until it is let go.
type stuck struct {
	*httptest.ResponseRecorder
	let   <-chan struct{}
	begun sync.Once
	done  *sync.WaitGroup // until each has begun to be answered
}

func (s *stuck) Write(b []byte) (int, error) {
	s.begun.Do(s.done.Done)
	<-s.let
	return s.ResponseRecorder.Write(b)
}

// TestTurns has as many clients as there are turns read nothing, of each kind of answer that holds something. Nobody else
// waits for them for long, and what is of another kind does not wait at all.
func TestTurns(t *testing.T) {
	for _, c := range []struct {
		method, path string
		turns        int
	}{
		{"GET", "/config", configTurns},
		{"GET", "/metrics", metricsTurns},
		{"POST", "/-/reload", reloadTurns},
		{"POST", service + "Status", apiTurns},
		{"POST", service + "Explain", apiTurns},
		{"GET", "/debug/pprof/", pprofTurns},
		{"GET", "/debug/pprof/heap", pprofTurns},
		{"GET", "/debug/pprof/cmdline", pprofTurns},
		{"POST", "/debug/pprof/symbol", pprofTurns},
	} {
		t.Run(strings.TrimPrefix(c.path, service), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSource(t, policydir.Attempt{})
				s.Pprof = true
				h := Handler(s)
				send := func(ctx context.Context, w http.ResponseWriter) {
					r := httptest.NewRequest(c.method, c.path, strings.NewReader("{}")).WithContext(ctx)
					r.Host = "localhost"
					r.Header.Set("Content-Type", "application/json")
					h.ServeHTTP(w, r)
				}
				let := make(chan struct{})
				var begun, ended sync.WaitGroup
				begun.Add(c.turns)
				for range c.turns {
					ended.Go(func() { send(t.Context(), &stuck{ResponseRecorder: httptest.NewRecorder(), let: let, done: &begun}) })
				}
				begun.Wait()
				start := time.Now()
				late := httptest.NewRecorder()
				send(t.Context(), late)
				if late.Code != http.StatusServiceUnavailable || late.Header().Get("Retry-After") == "" || time.Since(start) != turnPatience {
					t.Errorf("beside %d others: %d after %v", c.turns, late.Code, time.Since(start))
				}
				gone, leave := context.WithCancel(t.Context())
				leave()
				start = time.Now()
				send(gone, httptest.NewRecorder())
				for _, path := range []string{"/-/ready", "/-/healthy", "/page/app.js"} {
					if r := do(h, "GET", path, "localhost"); r.StatusCode != 200 {
						t.Errorf("%s: %s", path, r.Status)
					}
				}
				if time.Since(start) != 0 {
					t.Errorf("others waited %v", time.Since(start))
				}
				close(let)
				ended.Wait()
				next := httptest.NewRecorder()
				if send(t.Context(), next); next.Code == http.StatusServiceUnavailable {
					t.Error("no turn is free again")
				}
			})
		})
	}
}

// sink counts what is written, and keeps nothing.
type sink struct {
	header        http.Header
	size, largest int
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Write(b []byte) (int, error) {
	s.size += len(b)
	s.largest = max(s.largest, len(b))
	return len(b), nil
}

// TestRefusalsAreLookedAtOnce has a page refused where very many policies could be changed to allow it.
func TestRefusalsAreLookedAtOnce(t *testing.T) {
	var text strings.Builder
	names := make([]string, 2000)
	fmt.Fprint(&text, "policies:\n")
	for i := range names {
		names[i] = fmt.Sprintf("p%d", i)
		fmt.Fprintf(&text, "  p%d: {allow_origins: [https://a%d.example]}\n", i, i)
	}
	fmt.Fprintf(&text, "default: {policies: [%s]}\n", strings.Join(names, ", "))
	now := compile(t, text.String())
	table := NewRefusals()
	r := request("x.example", "https://evil.example")
	d := now.Set.Decide(r)
	table.Add(r, &d)
	say := func() *corsprocv1.RecentRefusal {
		latest, _ := table.latest(1)
		return latest[0].message(now)
	}
	if m := say(); len(m.GetChanges()) == 0 {
		t.Fatal(m)
	}
	if n := testing.AllocsPerRun(10, func() { say() }); n > 100 {
		t.Errorf("to say again what allows a request allocates %v times, with %d policies", n, len(names))
	}
}

// TestConfigIsMadeOnce asks for a large set again and again: that costs less than to make it once more, however often.
func TestConfigIsMadeOnce(t *testing.T) {
	var text strings.Builder
	fmt.Fprint(&text, "policies:\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "  p%d: {allow_origins: [https://a%d.example]}\n", i, i)
	}
	s := newSource(t, policydir.Attempt{})
	now := compile(t, text.String())
	s.Status = func() Status { return Status{InForce: now} }
	h := Handler(s)
	ask := func() *sink {
		r := httptest.NewRequest("GET", "/config", nil)
		r.Host = "localhost"
		w := &sink{header: http.Header{}}
		h.ServeHTTP(w, r)
		return w
	}
	if first := ask(); first.size < text.Len() || fmt.Sprint(first.size) != first.header.Get("Content-Length") || first.largest > 64<<10 {
		t.Errorf("%d bytes of %s, in pieces of up to %d", first.size, first.header.Get("Content-Length"), first.largest)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		ask()
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(text.Len()) {
		t.Errorf("20 requests allocate %d bytes, for an answer of %d", n, text.Len())
	}

	now = compile(t, twoPolicies)
	if got := body(do(h, "GET", "/config", "localhost")); got != string(now.YAML()) {
		t.Errorf("of the next set: %q", got)
	}
}

// TestSetsAreLetGo asks for all that is made of a set, and holds that nothing of it keeps the set.
func TestSetsAreLetGo(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	now := compile(t, twoPolicies)
	s.Status = func() Status { return Status{InForce: now} }
	h := Handler(s)
	r := request("api.example.com", "https://evil.example")
	d := now.Set.Decide(r)
	s.Refusals.Add(r, &d)
	do(h, "GET", "/config", "localhost")
	if m := answerOf(t, h, "Status", "{}", new(corsprocv1.StatusResponse)); len(m.GetRefusals()) != 1 || m.GetRefusals()[0].GetVerdictNow() != "refused" {
		t.Fatal(m)
	}
	before := weak.Make(now)
	now, d = compile(t, twoPolicies), policy.Decision{}
	runtime.GC()
	runtime.GC()
	if before.Value() != nil {
		t.Error("a set that is no longer in force is kept")
	}
	if m := answerOf(t, h, "Status", "{}", new(corsprocv1.StatusResponse)); m.GetRefusals()[0].GetVerdictNow() != "refused" {
		t.Error(m)
	}
	runtime.KeepAlive(h)
}

// TestReloadAnswersInPieces has more findings than anybody reads.
func TestReloadAnswersInPieces(t *testing.T) {
	bad := &policyfile.Result{}
	for range 20_000 {
		bad.Findings = append(bad.Findings, finding.Diagnostic{Severity: finding.Error, Position: finding.Position{File: "p.yaml"}, Message: strings.Repeat("x", 100)})
	}
	h := Handler(newSource(t, policydir.Attempt{Result: bad}))
	for _, accept := range []string{"", "application/json"} {
		r := httptest.NewRequest("POST", "/-/reload", nil)
		r.Host = "localhost"
		r.Header.Set("Accept", accept)
		w := &sink{header: http.Header{}}
		h.ServeHTTP(w, r)
		if w.size < 2_000_000 || w.largest > 64<<10 {
			t.Errorf("%q: %d bytes, in pieces of up to %d", accept, w.size, w.largest)
		}
	}
}

// TestProfilesAreBounded is about what a client can ask of pprof.
func TestProfilesAreBounded(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	s.Pprof = true
	h := Handler(s)
	for _, path := range []string{"profile?seconds=301", "trace?seconds=1e9", "trace?seconds=NaN", "heap?seconds=100000", "profile?seconds=9223372036854775807"} {
		if r := do(h, "GET", "/debug/pprof/"+path, "localhost"); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	const pc = "0x%x+"
	at := fmt.Sprintf(pc, pcOfThis())
	r := httptest.NewRequest("POST", "/debug/pprof/symbol", strings.NewReader(strings.Repeat(at, 2*maxSymbols/len(at))))
	r.Host = "localhost"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if n, most := strings.Count(w.Body.String(), "pcOfThis"), maxSymbols/len(at); n == 0 || n > most {
		t.Errorf("%d names, of at most %d", n, most)
	}
}

func pcOfThis() uintptr {
	pc, _, _, _ := runtime.Caller(0)
	return pc
}

// TestProfilesHaveTheirTime records for longer than a request may take to be read and an answer to be written.
func TestProfilesHaveTheirTime(t *testing.T) {
	s := newSource(t, policydir.Attempt{})
	s.Pprof = true
	server := httptest.NewUnstartedServer(Handler(s))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.Start()
	defer server.Close()
	for _, path := range []string{"profile", "trace", "heap"} {
		start := time.Now()
		r, err := http.Get(server.URL + "/debug/pprof/" + path + "?seconds=1")
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		data, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != 200 || len(data) == 0 || time.Since(start) < time.Second {
			t.Errorf("%s: %s with %d bytes after %v: %v", path, r.Status, len(data), time.Since(start), err)
		}
	}
}

// TestLargeFetchesAreNotExplained has more headers than a server takes.
func TestLargeFetchesAreNotExplained(t *testing.T) {
	var headers []string
	for i := range maxExplainHeaders + 1 {
		headers = append(headers, fmt.Sprintf(`"a b%d": ""`, i)) // each would be a fault of its own
	}
	status, text := ask(Handler(newSource(t, policydir.Attempt{})), "Explain", `{"origin": "https://a.example", "url": "https://b.example", "headers": {`+strings.Join(headers, ",")+`}}`)
	if status != 400 || len(text) > 200 || !strings.Contains(text, "more than 1000 headers") {
		t.Errorf("%d %.300s", status, text)
	}
}
