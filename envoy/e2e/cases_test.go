//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3" // read by name
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/policy/casetable"
)

// denyFilter answers requests with the header X-Deny before corsproc hears of them.
const denyFilter = `
- name: envoy.filters.http.rbac
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
    rules:
      action: DENY
      policies:
        deny:
          permissions: [{any: true}]
          principals: [{header: {name: x-deny, present_match: true}}]
`

// TestCases runs every case table through a real Envoy with the reference configuration, and compares what Envoy's access
// log says of the decisions too.
func TestCases(t *testing.T) {
	for _, table := range casetable.Load(t) {
		t.Run(table.File, func(t *testing.T) { runCases(t, "envoy.yaml", &table) })
	}
}

func runCases(t *testing.T, config string, table *casetable.Table) {
	runCasesAt(t, table, setup{config: config, policies: table.Policies, virtualHosts: virtualHosts(t, table), before: denyFilter})
}

// runCasesAt runs a table's cases through the gateway that the setup says.
func runCasesAt(t *testing.T, table *casetable.Table, s setup) {
	edit := s.edit
	s.edit = func(c *bootstrap.Config) {
		c.Manager.GetRouteConfig().ResponseHeadersToAdd = headersToAdd(&table.Envoy.Adds)
		if edit != nil {
			edit(c)
		}
	}
	g := start(t, s)
	sent := map[string]*casetable.Case{}
	for i, c := range table.Cases {
		t.Run(c.Name, func(t *testing.T) {
			if c.NoEnvoy != "" {
				t.Skip("not through an Envoy: " + c.NoEnvoy)
			}
			id := fmt.Sprintf("case%d", i)
			if s.gap != nil && s.gap(&c) {
				c.Expect = casetable.Expect{}
			}
			sent[id] = &c
			checkCase(t, g, id, &c)
		})
	}
	g.stopEnvoy()
	details := func(c *casetable.Case) string { return "cors_" + c.Expect.Reason }
	if s.module() {
		details = func(*casetable.Case) string { return "" }
	}
	checkAccessLog(t, g.log.String(), sent, details)
}

// checkCase sends a case's request. The id goes along in the query, which no look-up minds.
func checkCase(t *testing.T, g *gateway, id string, c *casetable.Case) {
	path := c.Request.Path + "?" + id
	if strings.Contains(c.Request.Path, "?") {
		path = c.Request.Path + "&" + id
	}
	g.upstream.answers(id, c.Upstream...)
	lines := append([]string{"X-Case: " + id}, c.Request.Headers...)
	want := http.StatusOK
	switch {
	case c.Request.Answered:
		lines = append(lines, "X-Deny: 1")
		want = http.StatusForbidden
	case c.Expect.Status != 0:
		want = c.Expect.Status
	}
	before := g.upstream.requests.Load()
	got := g.do(c.Request.Method, c.Request.Host, path, lines...)
	if got.status != want {
		t.Errorf("status %d, want %d\n%v", got.status, want, got.header)
	}
	if faults := c.Expect.Compare(got.joined); faults != "" {
		t.Error(faults)
	}
	if reached := g.upstream.requests.Load() > before; reached != (want == http.StatusOK && c.Expect.Status == 0) {
		t.Errorf("the request reached the upstream: %v", reached)
	}
	if c.Expect.Status != 0 && (got.body != "") != c.Expect.Body {
		t.Errorf("body %q", got.body)
	}
}

// aDash is a field of the access log that says "-" of what is not known. The documents say null.
var aDash = regexp.MustCompile(`"cors_\w+":"-"`)

// checkAccessLog compares the decisions in Envoy's access log, which come from our dynamic metadata, and the details of our
// own answers.
func checkAccessLog(t *testing.T, log string, sent map[string]*casetable.Case, details func(c *casetable.Case) string) {
	for line := range strings.Lines(log) {
		var entry struct {
			Path             string
			Details          string
			Verdict          string `json:"cors_verdict"`
			Reason           string `json:"cors_reason"`
			Kind             string `json:"cors_kind"`
			Policy           string `json:"cors_policy"`
			CandidateVerdict string `json:"cors_candidate_verdict"`
			CandidateReason  string `json:"cors_candidate_reason"`
		}
		if strings.Contains(line, "caught ENVOY_SIGTERM") {
			continue // it was told to stop, and says so
		}
		if json.Unmarshal([]byte(line), &entry) != nil {
			t.Errorf("Envoy complains: %s", line)
			continue
		}
		id := entry.Path[strings.LastIndexAny(entry.Path, "?&")+1:]
		if id == warmUp {
			continue
		}
		c, ok := sent[id]
		if !ok {
			t.Errorf("a line of no case: %s", line)
			continue
		}
		delete(sent, id)
		if field := aDash.FindString(line); field != "" {
			t.Errorf("%s: the access log has %s", c.Name, field)
		}
		got := strings.Join([]string{entry.Kind, entry.Verdict, entry.Reason, entry.Policy}, " ")
		want := strings.Join([]string{c.Expect.Kind, c.Expect.Verdict, c.Expect.Reason, c.Expect.Policy}, " ")
		if strings.TrimRight(got, " ") != strings.TrimRight(want, " ") {
			t.Errorf("%s: the access log says %q, want %q", c.Name, got, want)
		}
		candidate := strings.Trim(entry.CandidateVerdict+" "+entry.CandidateReason, " ")
		if wantCandidate := c.Expect.Candidate; candidate != wantCandidate && wantCandidate != c.Expect.Verdict+" "+c.Expect.Reason {
			t.Errorf("%s: the access log says %q of candidates, want %q", c.Name, candidate, wantCandidate)
		}
		if want := details(c); c.Expect.Status != 0 && entry.Details != want {
			t.Errorf("%s: details %q, want %q", c.Name, entry.Details, want)
		}
	}
	for id, c := range sent {
		t.Errorf("%s (%s) is not in the access log", c.Name, id)
	}
}

// virtualHosts writes a table's virtual hosts as a YAML (JSON) list in Envoy's format.
func virtualHosts(t *testing.T, table *casetable.Table) string {
	t.Helper()
	var hosts []json.RawMessage
	for i := range table.Envoy.VirtualHosts {
		h := &table.Envoy.VirtualHosts[i]
		host := &routev3.VirtualHost{Name: h.Name, Domains: h.Domains, Metadata: naming(h.Policies), ResponseHeadersToAdd: headersToAdd(&h.Adds)}
		for i := range h.Routes {
			r := &h.Routes[i]
			host.Routes = append(host.Routes, &routev3.Route{
				Name:     r.Name,
				Match:    &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: r.Prefix}},
				Action:   &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "echo"}}},
				Metadata: naming(r.Policies), ResponseHeadersToAdd: headersToAdd(&r.Adds),
			})
		}
		data, err := protojson.Marshal(host)
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, data)
	}
	data, err := json.Marshal(hosts)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// naming returns metadata that names policies; none for none.
func naming(policies string) *corev3.Metadata {
	if policies == "" {
		return nil
	}
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"corsproc": {
		Fields: map[string]*structpb.Value{"policies": structpb.NewStringValue(policies)},
	}}}
}

// headersToAdd returns what a level of the route configuration adds.
func headersToAdd(a *casetable.Adds) (options []*corev3.HeaderValueOption) {
	add := func(lines []string, action corev3.HeaderValueOption_HeaderAppendAction) {
		for _, line := range lines {
			name, value := casetable.SplitLine(line)
			options = append(options, &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: value}, AppendAction: action})
		}
	}
	add(a.Append, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD)
	add(a.Overwrite, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
	return options
}
