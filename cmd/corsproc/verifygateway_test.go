package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// A testGateway answers as Envoy does that asks corsproc, with an upstream behind it: the policies decide. What it does wrong
// is told to it.
type testGateway struct {
	set      *policy.Set
	upstream func(w http.ResponseWriter, r *http.Request) // writes headers; nil: none
	wrong    func(w http.ResponseWriter, r *http.Request, status int) int
	before   func(w http.ResponseWriter, r *http.Request) bool // answers in place of everything else, and reports whether it did
	requests atomic.Int64

	virtualHost, route string // Envoy's names
}

func (g *testGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.requests.Add(1)
	if g.before != nil && g.before(w, r) {
		return
	}
	status, body := 200, "upstream\n"
	if g.set == nil {
		g.askUpstream(w, r)
	} else {
		status, body = g.decide(w, r)
	}
	if g.wrong != nil {
		status = g.wrong(w, r, status)
	}
	w.WriteHeader(status)
	if status != 204 {
		w.Write([]byte(body))
	}
}

func (g *testGateway) askUpstream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept-Encoding")
	if g.upstream != nil {
		g.upstream(w, r)
	}
}

func (g *testGateway) decide(w http.ResponseWriter, r *http.Request) (status int, body string) {
	path, _ := browser.EnvoyPath(r.RequestURI)
	asked := &policy.Request{VirtualHost: g.virtualHost, Route: g.route, Method: r.Method, Scheme: "http", Authority: r.Host, Path: path,
		RequestHeaders: r.Header.Values("Access-Control-Request-Headers"), RequestPrivateNetwork: r.Header.Get("Access-Control-Request-Private-Network"),
		Origin: field(r, "Origin"), RequestMethod: field(r, "Access-Control-Request-Method"), FetchSite: field(r, "Sec-Fetch-Site")}
	if r.TLS != nil {
		asked.Scheme = "https"
	}
	d := g.set.Decide(asked)
	var headers []policy.Header
	status, body = 200, "upstream\n"
	switch d.Action() {
	case policy.Respond:
		status, headers, body = d.AppendImmediate(nil)
	case policy.Adjust:
		g.askUpstream(w, r)
		for _, name := range policy.ResponseHeaders {
			w.Header().Del(name)
		}
		headers = d.AppendResponse(nil, w.Header().Values("Vary"))
	default:
		g.askUpstream(w, r)
	}
	for _, h := range headers {
		w.Header().Set(h.Name, h.Value)
	}
	return status, body
}

func field(r *http.Request, name string) policy.Field {
	f := policy.Field{Lines: len(r.Header.Values(name))}
	if f.Lines > 0 {
		f.Value = r.Header.Values(name)[0]
	}
	return f
}

// setOf compiles policies.
func setOf(t *testing.T, text string) *policy.Set {
	t.Helper()
	content := policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: []byte(text)}}}
	r := content.Compile()
	if r.Set == nil {
		t.Fatal(r.Findings)
	}
	return r.Set
}

// serveGateway starts a gateway on the loopback.
func serveGateway(t *testing.T, g http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(g)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	return server
}

// verified is what verify prints as JSON.
type verified struct {
	Agrees     bool `json:"agrees"`
	Requests   int  `json:"requests"`
	Skipped    int  `json:"skipped"`
	Unanswered int  `json:"unanswered"`
	Places     []struct {
		URL, Place             string
		Questions, Differences int
	}
	NotAsked    []struct{ Place, Why string } `json:"not_asked"`
	Differences []struct {
		URL, Place, Method, Origin, Effect string
		RequestMethod                      string   `json:"request_method"`
		RequestHeaders                     []string `json:"request_headers"`
		Credentials                        bool
		Expected, Got                      struct {
			Verdict, Reason string
			Status          int
			Headers         map[string]string
		}
	}
	Findings  []struct{ Severity, Code, URL, Place, Origin, Message string }
	Diagnoses []struct{ Code, Message string }
}

// verifyIn runs verify on policies in the test's folder. host stands in place of the gateway's own address.
func verifyIn(t *testing.T, server *httptest.Server, args ...string) (v verified, status int, stderr string) {
	t.Helper()
	args = append([]string{"verify", "--policies", "policies.yaml", "--rate", "100000", "--format", "json",
		"--connect", strings.TrimPrefix(strings.TrimPrefix(server.URL, "https://"), "http://")}, args...)
	status, stdout, stderr := runIn(t, "", args...)
	if stdout != "" {
		if err := json.Unmarshal([]byte(stdout), &v); err != nil {
			t.Fatalf("%v in %s", err, stdout)
		}
	}
	return v, status, stderr
}

// codes returns the codes of diagnoses, then of findings, then the effects of differences: each once, in brackets and sorted.
func (v *verified) codes() string {
	var diagnoses, findings, effects []string
	for _, d := range v.Diagnoses {
		diagnoses = append(diagnoses, "["+d.Code+"]")
	}
	for _, f := range v.Findings {
		findings = append(findings, "["+f.Code+"]")
	}
	for _, d := range v.Differences {
		effects = append(effects, "["+d.Effect+"]")
	}
	var all string
	for _, list := range [][]string{diagnoses, findings, effects} {
		slices.Sort(list)
		all += strings.Join(slices.Compact(list), "")
	}
	return all
}
