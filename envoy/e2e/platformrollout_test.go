//go:build unix

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// TestMeshRollout replaces two replicas one after the other as a Deployment does, under traffic: a new one first, then the
// old one leaves the endpoints that the control plane tells Envoy, and is told to end. Istio's proxies check no health, so
// it is that order, kept by preStop, on which nothing failing depends.
func TestMeshRollout(t *testing.T) {
	for _, p := range []*platform{istioGateway, envoyGateway} {
		t.Run(p.name, func(t *testing.T) {
			told := &endpoints{t: t, cluster: p.service, file: filepath.Join(t.TempDir(), "eds.json")}
			g := start(t, setup{platform: p, policies: meshPolicies, replicas: 2, edit: told.discover})
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			requests := g.startTraffic()
			for _, old := range slices.Clone(g.replicas) {
				g.replicas = append(g.replicas, g.startService(ctx, "127.0.0.1:0"))
				told.tell(g.replicas)
				g.waitForService(ctx)
				requests.goOn(ctx)
				g.replicas = slices.DeleteFunc(g.replicas, func(s *launch.Service) bool { return s == old })
				told.tell(g.replicas)
				g.waitForService(ctx)
				old.Stop(syscall.SIGTERM, patience)
				requests.goOn(ctx)
			}
			if failed := requests.end(); len(failed) > 0 {
				t.Errorf("of %d requests went wrong: %v", requests.requests.Load(), failed)
			}
			t.Logf("%d requests", requests.requests.Load())
		})
	}
}

// goOn waits until some more requests have been answered.
func (t *traffic) goOn(ctx context.Context) {
	for until := t.requests.Load() + 100; t.requests.Load() < until; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			t.g.t.Fatal(context.Cause(ctx))
		}
	}
}

// endpoints are those of a cluster that Envoy discovers, from a file in place of a control plane.
type endpoints struct {
	t       *testing.T
	cluster string
	file    string
	like    *endpointv3.ClusterLoadAssignment
}

// discover makes Envoy read the cluster's endpoints from the file, as control planes have them discovered.
func (e *endpoints) discover(c *bootstrap.Config) {
	cluster, err := c.Cluster(e.cluster)
	if err != nil {
		e.t.Fatal(err)
	}
	e.like, cluster.LoadAssignment = cluster.GetLoadAssignment(), nil
	cluster.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	cluster.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: &corev3.ConfigSource{
		ResourceApiVersion: corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{PathConfigSource: &corev3.PathConfigSource{
			Path: e.file, WatchedDirectory: &corev3.WatchedDirectory{Path: filepath.Dir(e.file)},
		}},
	}}
	c.Bootstrap.Node = &corev3.Node{Id: "envoy", Cluster: "envoy"}
	e.write(e.like)
}

// tell replaces the endpoints by where these replicas are.
func (e *endpoints) tell(replicas []*launch.Service) {
	next := proto.CloneOf(e.like)
	locality := next.GetEndpoints()[0]
	template := locality.GetLbEndpoints()[0]
	locality.LbEndpoints = nil
	for _, r := range replicas {
		endpoint := proto.CloneOf(template)
		endpoint.GetEndpoint().Address = socket(addressOf(e.t, r.Listen).Port)
		locality.LbEndpoints = append(locality.LbEndpoints, endpoint)
	}
	e.write(next)
}

func (e *endpoints) write(assignment *endpointv3.ClusterLoadAssignment) {
	e.t.Helper()
	resource, err := anypb.New(assignment)
	if err != nil {
		e.t.Fatal(err)
	}
	data, err := protojson.Marshal(&discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{resource}})
	if err != nil {
		e.t.Fatal(err)
	}
	// Envoy wants a whole file moved to its place.
	if err := os.WriteFile(e.file+".new", data, 0o600); err != nil {
		e.t.Fatal(err)
	}
	if err := os.Rename(e.file+".new", e.file); err != nil {
		e.t.Fatal(err)
	}
}
