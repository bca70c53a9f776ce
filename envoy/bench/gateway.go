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
	"strconv"
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
	policies string // the file of everything that corsproc decides by
	envoy    string // the binary
	variants []variant
	front    *launch.Envoy
	back     *launch.Envoy
	slow     *slowUpstream
	services map[string]*child.Process
	log      bytes.Buffer // what the services printed

	addresses map[string]string // by the names of their clusters
}

// startGateway starts it all. What stands is stopped again where the rest does not come to stand.
func startGateway(ctx context.Context, o options) (_ *gateway, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("no answer within %s", startPatience))
	defer cancel()
	g := &gateway{variants: chosen(allVariants(o.module != "", o.also), o.only), services: map[string]*child.Process{}}
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
	g.addresses, g.envoy = addresses, binary
	g.front, err = g.startFront(ctx, o, g.variants, g.policies)
	return g, err
}

// startFront starts an Envoy with a listener for each of the variants. Where corsproc is a module, it has the policies of that
// file.
func (g *gateway) startFront(ctx context.Context, o options, variants []variant, policies string) (*launch.Envoy, error) {
	config, err := g.config(o, variants, policies)
	if err != nil {
		return nil, err
	}
	var printed bytes.Buffer
	e, err := launch.StartEnvoy(ctx, g.envoy, config, "error", &printed)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, &printed)
	}
	return e, nil
}

// startServices starts the services and returns their addresses by the names of their clusters.
func (g *gateway) startServices(ctx context.Context, o options) (map[string]string, error) {
	addresses := map[string]string{}
	var err error
	if addresses[stock], err = g.startStock(o.stock); err != nil {
		return nil, err
	}
	g.policies = filepath.Join(g.dir, "policies.yaml")
	if err := os.WriteFile(g.policies, []byte(policies), 0o600); err != nil {
		return nil, err
	}
	for _, b := range append([]namedBinary{{bootstrap.ClusterName, o.service}}, o.also...) {
		s, err := g.startService(ctx, b.path, g.policies)
		if err != nil {
			return nil, err
		}
		g.services[b.name] = s.Process
		addresses[b.name] = s.Listen
	}
	return addresses, nil
}

func (g *gateway) startService(ctx context.Context, binary, policies string) (*launch.Service, error) {
	s, err := launch.StartService(ctx, binary, []string{"--policies", policies, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, &g.log)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, &g.log)
	}
	return s, nil
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

// config writes the configuration of an Envoy with a listener for each variant to a file.
func (g *gateway) config(o options, variants []variant, policies string) (path string, err error) {
	module, err := filepath.Abs(o.module)
	if err != nil {
		return "", err
	}
	var all *bootstrapv3.Bootstrap
	for _, v := range variants {
		c, err := v.config(o.root)
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
		if c.Module != nil {
			c.Module.Load(module, policies)
		}
		if _, err := c.JSON(); err != nil { // packs what was changed
			return "", err
		}
		if all == nil {
			all = c.Bootstrap
			if err := g.setClusters(c, o.root); err != nil {
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
func (g *gateway) setClusters(c *bootstrap.Config, root string) error {
	reference, err := recipe("envoy.yaml")(root)
	if err != nil {
		return err
	}
	service, failed := reference.Cluster(bootstrap.ClusterName)
	upstream, alsoFailed := reference.Cluster("echo")
	if err := errors.Join(failed, alsoFailed); err != nil {
		return err
	}
	upstream.CircuitBreakers = service.CircuitBreakers
	var clusters []*clusterv3.Cluster
	for name := range g.addresses {
		like := service
		if name == "echo" || name == "slow" {
			like = upstream
		}
		cluster := proto.CloneOf(like)
		cluster.Name, cluster.LoadAssignment.ClusterName = name, name
		clusters = append(clusters, cluster)
	}
	c.Bootstrap.StaticResources.Clusters = clusters
	for name, at := range g.addresses {
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

// stats returns some of an Envoy's counters and gauges, each the sum of those whose names are the same but for labels.
func stats(ctx context.Context, envoy *launch.Envoy, names ...string) (map[string]int, error) {
	all, err := envoy.Get(ctx, "/stats?usedonly&format=text")
	if err != nil {
		return nil, err
	}
	values := map[string]int{}
	for line := range strings.Lines(string(all)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		for _, want := range names {
			if name == want || strings.HasPrefix(name, want+".") {
				n, err := strconv.Atoi(value)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				values[want] += n
			}
		}
	}
	return values, nil // those that are not used yet are 0
}
