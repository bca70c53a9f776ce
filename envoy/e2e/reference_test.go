//go:build unix

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// references are the configurations that people copy.
var references = []string{"envoy.yaml", "enforcing.yaml"}

func TestEnvoyAcceptsReferences(t *testing.T) {
	envoy, err := launch.FindEnvoy(root)
	need(t, err)
	for _, name := range append(slices.Clone(references), "one-message.yaml") {
		out, err := exec.Command(envoy, "--mode", "validate", "--log-level", "warning", "--config-path", filepath.Join(root, "envoy", name)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if strings.Contains(string(out), "[warning]") {
			t.Errorf("%s: Envoy warns:\n%s", name, out)
		}
	}
}

func load(t *testing.T, name string) *bootstrap.Config {
	t.Helper()
	c, err := bootstrap.Load(filepath.Join(root, "envoy", name))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestReferencesPromise holds the files to what the documentation says of them.
func TestReferencesPromise(t *testing.T) {
	for _, name := range references {
		t.Run(name, func(t *testing.T) {
			c := load(t, name)
			p := c.Processors[0]
			if first := c.Manager.GetHttpFilters()[0].GetName(); first != bootstrap.ClusterName {
				t.Errorf("the first filter is %s", first)
			}
			checkAttributes(t, p, placeAttributes, answeredAttributes)
			checkProcessor(t, p)
			if p.GetFailureModeAllow() != (name == "envoy.yaml") {
				t.Errorf("failure_mode_allow %v", p.GetFailureModeAllow())
			}
			cluster, err := c.Cluster(bootstrap.ClusterName)
			if err != nil {
				t.Fatal(err)
			}
			checkCluster(t, cluster)
		})
	}
}

// What Envoy is asked for: where a request is, and what it was, for when only its response is seen.
var (
	placeAttributes = []string{
		"xds.virtual_host_name", "xds.route_name",
		"xds.route_metadata.filter_metadata['corsproc']['policies']", "xds.virtual_host_metadata.filter_metadata['corsproc']['policies']",
	}
	answeredAttributes = append(slices.Clone(placeAttributes),
		"request.method", "request.scheme", "request.host", "request.path", "request.headers['origin']",
		"request.headers['access-control-request-method']", "request.headers['upgrade']", "request.headers['sec-fetch-site']")
)

func checkAttributes(t *testing.T, p *bootstrap.Processor, request, response []string) {
	t.Helper()
	if diff := cmp.Diff(request, p.GetRequestAttributes()); diff != "" {
		t.Errorf("%s: request_attributes (-want +got):\n%s", p.Name, diff)
	}
	if diff := cmp.Diff(response, p.GetResponseAttributes()); diff != "" {
		t.Errorf("%s: response_attributes (-want +got):\n%s", p.Name, diff)
	}
}

// checkProcessor checks what holds for every filter that asks corsproc.
func checkProcessor(t *testing.T, p *bootstrap.Processor) {
	t.Helper()
	headers := []string{
		":method", ":scheme", ":authority", ":path", ":protocol", "origin", "access-control-request-method", "access-control-request-headers",
		"access-control-request-private-network", "upgrade", "sec-fetch-site", "vary", "access-control-expose-headers",
	}
	var forwarded []string
	for _, pattern := range p.GetForwardRules().GetAllowedHeaders().GetPatterns() {
		forwarded = append(forwarded, pattern.GetExact())
	}
	if diff := cmp.Diff(headers, forwarded); diff != "" {
		t.Errorf("%s: forward_rules (-want +got):\n%s", p.Name, diff)
	}
	if got := p.GetMessageTimeout().AsDuration(); got != 500*time.Millisecond {
		t.Errorf("%s: message_timeout %s", p.Name, got)
	}
	if got := p.GetRouteCacheAction(); got != extprocv3.ExternalProcessor_RETAIN {
		t.Errorf("%s: route_cache_action %s", p.Name, got)
	}
	if got := p.GetMetadataOptions().GetReceivingNamespaces().GetUntyped(); !slices.Equal(got, []string{"corsproc"}) {
		t.Errorf("%s: receiving_namespaces %v", p.Name, got)
	}
	if got := p.GetStatPrefix(); got != "cors." {
		t.Errorf("%s: stat_prefix %s", p.Name, got)
	}
}

func checkCluster(t *testing.T, cluster *clusterv3.Cluster) {
	t.Helper()
	if len(cluster.GetHealthChecks()) != 1 || cluster.GetHealthChecks()[0].GetGrpcHealthCheck() == nil || cluster.GetHealthChecks()[0].GetInterval().AsDuration() != time.Second {
		t.Errorf("health_checks %v", cluster.GetHealthChecks())
	}
	if thresholds := cluster.GetCircuitBreakers().GetThresholds(); len(thresholds) != 2 {
		t.Errorf("%d circuit breaker thresholds, want one per priority", len(thresholds))
	} else {
		for _, threshold := range thresholds {
			if threshold.GetMaxRequests().GetValue() <= 1024 {
				t.Errorf("max_requests of %s is not raised", threshold.GetPriority())
			}
		}
	}
}

// TestReferencesInStep holds enforcing.yaml to be envoy.yaml with another failure_mode_allow, and the words about it.
func TestReferencesInStep(t *testing.T) {
	open, enforcing := load(t, references[0]), load(t, references[1])
	enforcing.Processors[0].FailureModeAllow = true
	for _, c := range []*bootstrap.Config{open, enforcing} {
		if _, err := c.JSON(); err != nil { // packs the filter back
			t.Fatal(err)
		}
	}
	if !proto.Equal(open.Bootstrap, enforcing.Bootstrap) {
		t.Error("they differ in more than failure_mode_allow")
	}

	lines := func(name string) []string {
		text, err := os.ReadFile(filepath.Join(root, "envoy", name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(string(text), "\n")
	}
	a, b := lines(references[0]), lines(references[1])
	if len(a) != len(b) {
		t.Fatalf("%d and %d lines", len(a), len(b))
	}
	const setting = "failure_mode_allow: "
	at := slices.IndexFunc(a, func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), setting) })
	comment := at // where the comment above the setting begins
	for comment > 0 && strings.HasPrefix(strings.TrimSpace(a[comment-1]), "#") {
		comment--
	}
	head := slices.IndexFunc(a, func(line string) bool { return !strings.HasPrefix(line, "#") })
	for i := range a {
		if a[i] != b[i] && i >= head && (i < comment || i > at) {
			t.Errorf("line %d differs:\n%s\n%s", i+1, a[i], b[i])
		}
	}
}

// TestFrozenService says what a corsproc that does not answer in time costs.
func TestFrozenService(t *testing.T) {
	for config, want := range map[string]int{"envoy.yaml": 200, "enforcing.yaml": 504, "one-message.yaml": 200} {
		t.Run(config, func(t *testing.T) {
			g := start(t, setup{config: config, policies: shopPolicies})
			freeze(t, g.service)
			a := g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com")
			if a.status != want || a.joined["access-control-allow-origin"] != "" {
				t.Errorf("%d %v, want status %d without a grant", a.status, a.header, want)
			}
		})
	}
}
