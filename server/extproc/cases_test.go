package extproc

import (
	"strings"
	"testing"

	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/casetable"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// TestCases runs every case table through gRPC, with the fake Envoy in front: as envoy.yaml has it, and without the
// request phase what is left of it there.
func TestCases(t *testing.T) { overEach(t, testCases) }

func testCases(t *testing.T, connect connector) {
	for _, table := range casetable.Load(t) {
		t.Run(table.File, func(t *testing.T) {
			content := policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: []byte(table.Policies)}}}
			result := content.Compile()
			if result.Set == nil {
				t.Fatal(result.Findings)
			}
			conn := connect(t, New(always(result.Set), Hooks{}))
			for _, c := range table.Cases {
				t.Run(c.Name, func(t *testing.T) { checkCase(t, conn, &table, &c) })
				if phase := c; !c.Request.Answered && c.Expect.Kind != "preflight" && !strings.Contains(c.Expect.Verdict+c.Expect.Candidate, "rejected") {
					phase.Request.Answered = true
					t.Run(c.Name+", response phase only", func(t *testing.T) { checkCase(t, conn, &table, &phase) })
				}
			}
		})
	}
}

func checkCase(t *testing.T, conn *grpc.ClientConn, table *casetable.Table, c *casetable.Case) {
	facts := table.Facts(c)
	x := exchange{attrs: attrs{}, added: table.Added(c), answer: "upstream",
		response: append([]string{":status: 200"}, table.Added(c, c.Upstream...)...)}
	if facts.VirtualHost != "" {
		x.attrs["xds.virtual_host_name"] = facts.VirtualHost
		x.attrs["xds.route_name"] = facts.Route
	}
	if facts.Named.Lines > 0 {
		x.attrs["xds.route_metadata.filter_metadata['corsproc']['policies']"] = facts.Named.Value
	}
	if c.Request.Answered {
		answeredAttributes(x.attrs, &facts)
	} else {
		x.request = []string{":method: " + facts.Method, ":scheme: " + facts.Scheme, ":authority: " + facts.Authority, ":path: " + facts.Path}
		if facts.Protocol != "" {
			x.request = append(x.request, ":protocol: "+facts.Protocol)
		}
		for _, line := range c.Request.Headers {
			name, value := casetable.SplitLine(line)
			x.request = append(x.request, name+": "+value)
		}
	}
	got := envoy{requestHeaders: true, responseHeaders: true}.run(t, conn, x)

	wantStatus := "200"
	if c.Expect.Status != 0 {
		wantStatus = typev3.StatusCode(c.Expect.Status).String()
		if got.Details != "cors_"+c.Expect.Reason {
			t.Errorf("details %q, want cors_%s", got.Details, c.Expect.Reason)
		}
		if (got.Body != "") != c.Expect.Body {
			t.Errorf("body %q", got.Body)
		}
	}
	if got.Status != wantStatus {
		t.Errorf("status %s, want %s", got.Status, wantStatus)
	}
	if faults := c.Expect.Compare(got.Headers); faults != "" {
		t.Error(faults)
	}
	metadata, _ := got.Metadata["corsproc"].(map[string]any)
	for key, want := range map[string]string{"kind": c.Expect.Kind, "verdict": c.Expect.Verdict, "reason": c.Expect.Reason, "policy": c.Expect.Policy} {
		if metadata[key] != want {
			t.Errorf("metadata %s: %v, want %q", key, metadata[key], want)
		}
	}
	candidate, _ := metadata["candidate_verdict"].(string)
	if reason, ok := metadata["candidate_reason"].(string); ok {
		candidate += " " + reason
	}
	want := c.Expect.Candidate
	if want == c.Expect.Verdict+" "+c.Expect.Reason {
		want = "" // told only where it differs
	}
	if candidate != want {
		t.Errorf("metadata of candidates: %q, want %q", candidate, want)
	}
}

// answeredAttributes adds what Envoy tells of a request in the response phase: header lines joined by commas.
func answeredAttributes(a attrs, r *policy.Request) {
	a["request.method"], a["request.scheme"], a["request.host"], a["request.path"] = r.Method, r.Scheme, r.Authority, r.Path
	for name, f := range map[string]policy.Field{"origin": r.Origin, "access-control-request-method": r.RequestMethod, "sec-fetch-site": r.FetchSite} {
		if f.Lines > 0 {
			a["request.headers['"+name+"']"] = strings.Repeat(f.Value+",", f.Lines-1) + f.Value
		}
	}
	if r.Upgrade != "" {
		a["request.headers['upgrade']"] = r.Upgrade
	}
}
