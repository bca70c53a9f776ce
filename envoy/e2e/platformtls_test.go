//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/server/tlstest"
)

// TestMeshBackendTLS is the BackendTLSPolicy of envoy/envoy-gateway/: with what Envoy Gateway makes of it, Envoy speaks
// with a corsproc that has the certificate of that name, and with no other.
func TestMeshBackendTLS(t *testing.T) {
	ca, dir := tlstest.NewCA(t, "ca"), t.TempDir()
	with := func(name string) []string {
		cert, key := ca.Issue(tlstest.Leaf{Names: []string{name + ".corsproc.svc.cluster.local"}}).Write(t, dir, name)
		return []string{"--tls-cert", cert, "--tls-key", key}
	}
	g := start(t, setup{
		platform: envoyGateway, policies: meshPolicies, args: with("corsproc"),
		edit: func(c *bootstrap.Config) { envoyGateway.secure(t, c, ca) },
	})
	granted := func() bool {
		a := g.do("GET", "api.example.com", "/", "Origin: "+shopOrigin)
		if a.status != 200 {
			t.Fatalf("%d %v", a.status, a.header)
		}
		return a.joined["access-control-allow-origin"] == shopOrigin
	}
	if !granted() {
		t.Error("nothing is granted")
	}
	g.service.Stop(syscall.SIGKILL, 0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	g.args = with("another")
	g.service = g.startService(ctx, g.service.Listen)
	const refused = `corsproc_tls_handshake_failures_total{reason="refused_by_client"}`
	for deadline := time.Now().Add(patience); metric(t, g.service.Admin, refused) == 0; time.Sleep(20 * time.Millisecond) {
		if granted() {
			t.Fatal("a corsproc with another name grants")
		}
		if time.Now().After(deadline) {
			t.Fatal("Envoy does not refuse the certificate")
		}
	}
}

// secure gives the cluster of corsproc the TLS that the control plane wrote, but for the CA's certificate, which would
// come by SDS.
func (p *platform) secure(t *testing.T, c *bootstrap.Config, ca *tlstest.CA) {
	t.Helper()
	golden := object(t, filepath.Join("testdata", "golden", p.name+"-tls.yaml"))
	for _, resource := range golden["clusters"].([]any) {
		written := resource.(map[string]any)
		if written["name"] != p.service {
			continue
		}
		socket := written["transportSocketMatches"].([]any)[0].(map[string]any)["transportSocket"].(map[string]any)
		common := socket["typedConfig"].(map[string]any)["commonTlsContext"].(map[string]any)
		combined := common["combinedValidationContext"].(map[string]any)
		context := combined["defaultValidationContext"].(map[string]any)
		context["trustedCa"] = map[string]any{"inlineString": string(ca.PEM)}
		delete(common, "combinedValidationContext")
		common["validationContext"] = context
		data, err := json.Marshal(map[string]any{"transportSocket": socket})
		if err != nil {
			t.Fatal(err)
		}
		var read clusterv3.Cluster
		if err := protojson.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		for _, cluster := range c.Bootstrap.GetStaticResources().GetClusters() {
			if cluster.GetName() == p.service {
				cluster.TransportSocket = read.GetTransportSocket()
				return
			}
		}
	}
	t.Fatalf("there is no cluster %s", p.service)
}
