//go:build linux

package main

// Tested by bench_test.go.

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/child"
	"github.com/corsproc/corsproc/envoy/internal/launch"
)

const (
	startPatience = 30 * time.Second // for a program to answer; a busy machine needs a few
	stopPatience  = 3 * time.Second  // for one to end by itself
)

// upstreamConfig is the second Envoy, which answers every request itself.
//
//go:embed upstream.yaml
var upstreamConfig []byte

// gateway is everything that is measured: the Envoy with all listeners, the services that it asks, and its upstreams.
type gateway struct {
	dir      string
	variants []variant
	front    *launch.Envoy
	back     *launch.Envoy
	slow     *slowUpstream
	services map[string]*child.Process
	log      bytes.Buffer // what the services printed
}

// startGateway starts it all. What stands is stopped again where the rest does not come to stand.
func startGateway(ctx context.Context, o options) (_ *gateway, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("no answer within %s", startPatience))
	defer cancel()
	g := &gateway{variants: chosen(allVariants(o.also), o.only), services: map[string]*child.Process{}}
	defer func() {
		if err != nil {
			g.stop()
		}
	}()
	if g.dir, err = os.MkdirTemp("", "corsproc-bench-"); err != nil {
		return nil, err
	}
	binary, err := launch.FindEnvoy(o.root)
	if err != nil {
		return nil, err
	}
	upstream := filepath.Join(g.dir, "upstream.yaml")
	if err := os.WriteFile(upstream, upstreamConfig, 0o600); err != nil {
		return nil, err
	}
	if g.back, err = launch.StartEnvoy(ctx, binary, upstream, "error", io.Discard); err != nil {
		return nil, err
	}
	if g.slow, err = listenSlow(); err != nil {
		return nil, err
	}
	addresses, err := g.startServices(ctx, o)
	if err != nil {
		return nil, err
	}
	addresses["echo"], addresses["slow"] = g.back.Listener, g.slow.address
	config, err := g.config(o.root, addresses)
	if err != nil {
		return nil, err
	}
	g.front, err = launch.StartEnvoy(ctx, binary, config, "error", io.Discard)
	return g, err
}

// startServices starts the services and returns their addresses by the names of their clusters.
func (g *gateway) startServices(ctx context.Context, o options) (map[string]string, error) {
	addresses := map[string]string{}
	var err error
	if addresses[stock], err = g.startStock(o.stock); err != nil {
		return nil, err
	}
	file := filepath.Join(g.dir, "policies.yaml")
	if err := os.WriteFile(file, []byte(policies), 0o600); err != nil {
		return nil, err
	}
	for _, b := range append([]namedBinary{{bootstrap.ClusterName, o.service}}, o.also...) {
		s, err := launch.StartService(ctx, b.path, []string{"--policies", file, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, &g.log)
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, &g.log)
		}
		g.services[b.name] = s.Process
		addresses[b.name] = s.Listen
	}
	return addresses, nil
}

func (g *gateway) startStock(binary string) (address string, err error) {
	cmd := exec.Command(binary)
	printed, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if g.services[stock], err = child.Start("stock", cmd); err != nil {
		delete(g.services, stock)
		return "", err
	}
	address, err = bufio.NewReader(printed).ReadString('\n')
	return strings.TrimSpace(address), err
}

// config writes the configuration of the Envoy with all listeners to a file.
func (g *gateway) config(root string, addresses map[string]string) (path string, err error) {
	var all *bootstrapv3.Bootstrap
	for _, v := range g.variants {
		c, err := v.config(root)
		if err != nil {
			return "", fmt.Errorf("%s: %w", v.name, err)
		}
		c.Listen(bootstrap.Address{IP: "127.0.0.1"}, bootstrap.Address{IP: "127.0.0.1"})
		c.Listener.Name = v.name
		c.Manager.StatPrefix = v.name
		// It costs the same everywhere, and is no part of what is copied.
		c.Manager.AccessLog = nil
		for _, p := range c.Processors {
			p.GrpcService.GetEnvoyGrpc().ClusterName = v.service
			p.MessageTimeout = durationpb.New(startPatience) // a busy machine makes answers late, not wrong
		}
		if _, err := c.JSON(); err != nil { // packs what was changed
			return "", err
		}
		if all == nil {
			all = c.Bootstrap
			if err := setClusters(c, addresses); err != nil {
				return "", err
			}
		} else {
			all.StaticResources.Listeners = append(all.StaticResources.Listeners, c.Listener)
		}
	}
	data, err := bootstrap.Marshal(all)
	if err != nil {
		return "", err
	}
	path = filepath.Join(g.dir, "envoy.json")
	return path, os.WriteFile(path, data, 0o600)
}

// setClusters gives a configuration a cluster for each address: services as the reference configuration has its own, with
// its raised limits, and upstreams as the demo's.
func setClusters(c *bootstrap.Config, addresses map[string]string) error {
	service, failed := c.Cluster(bootstrap.ClusterName)
	upstream, alsoFailed := c.Cluster("echo")
	if err := errors.Join(failed, alsoFailed); err != nil {
		return err
	}
	upstream.CircuitBreakers = service.CircuitBreakers
	var clusters []*clusterv3.Cluster
	for name := range addresses {
		like := service
		if name == "echo" || name == "slow" {
			like = upstream
		}
		cluster := proto.CloneOf(like)
		cluster.Name, cluster.LoadAssignment.ClusterName = name, name
		clusters = append(clusters, cluster)
	}
	c.Bootstrap.StaticResources.Clusters = clusters
	for name, at := range addresses {
		a, err := bootstrap.ParseAddress(at)
		if err != nil {
			return err
		}
		if err := c.SetEndpoint(name, a); err != nil {
			return err
		}
	}
	return nil
}

func (g *gateway) stop() {
	if g.front != nil {
		g.front.Stop(syscall.SIGTERM, stopPatience)
	}
	for _, s := range g.services {
		s.Stop(syscall.SIGINT, stopPatience)
	}
	if g.back != nil {
		g.back.Stop(syscall.SIGTERM, stopPatience)
	}
	if g.slow != nil {
		g.slow.close()
	}
	os.RemoveAll(g.dir)
}

// stat returns one of the front Envoy's counters or gauges.
func (g *gateway) stat(ctx context.Context, name string) (n int, err error) {
	stats, err := g.front.Get(ctx, "/stats?usedonly&format=text")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(stats)) {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			_, err := fmt.Sscan(value, &n)
			return n, err
		}
	}
	return 0, nil // not used yet
}
