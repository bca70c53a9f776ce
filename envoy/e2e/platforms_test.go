//go:build unix

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/cncf/xds/go/udpa/type/v1" // read by name, as what follows is
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/bootstrap/internal_listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_stats/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/network/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/input_matchers/metadata/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/request_id/uuid/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/internal_upstream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// platform is a control plane's configuration in testdata/, and how that control plane calls what users describe.
type platform struct {
	name     string
	listener string // whose routes and filters count
	entry    string // the listener that clients connect to
	service  string // the cluster in which corsproc is found
	template string // the name of a route that other routes are made after

	// virtualHost and route are how it calls a virtual host and a route; routes of an HTTPRoute are numbered in one of
	// its rules. The empty host stands for all that no other virtual host has.
	virtualHost func(host string) string
	route       func(name, host string, number int) string

	// oneHost says that requests for all hosts come to one virtual host with one route.
	oneHost bool
}

var (
	istioGateway = &platform{
		name: "istio-gateway", listener: "0.0.0.0_8080", entry: "0.0.0.0_8080",
		service: "outbound|9002||corsproc.corsproc.svc.cluster.local", template: "everything",
		virtualHost: func(host string) string { return host + ":80" },
		route:       func(name, _ string, _ int) string { return name },
	}
	istioSidecar = &platform{
		name: "istio-sidecar", listener: "virtualInbound", entry: "virtualInbound",
		service: "outbound|9002||corsproc.corsproc.svc.cluster.local", template: "default", oneHost: true,
		virtualHost: func(string) string { return "inbound|http|8080" },
		route:       func(string, string, int) string { return "default" },
	}
	istioWaypoint = &platform{
		name: "istio-waypoint", listener: "main_internal", entry: "ztunnel",
		service: "outbound|9002||corsproc.corsproc.svc.cluster.local", template: "default", oneHost: true,
		virtualHost: func(string) string { return "inbound|http|8080" },
		route:       func(string, string, int) string { return "default" },
	}
	envoyGateway = &platform{
		name: "envoy-gateway", listener: "shop/web/http", entry: "shop/web/http",
		service: "envoyextensionpolicy/shop/corsproc/extproc/0", template: "httproute/shop/api/rule/1/match/0/api_example_com",
		virtualHost: func(host string) string { return "shop/web/http/" + underscored(host) },
		route: func(name, host string, number int) string {
			if name == "" {
				name = fmt.Sprintf("shop/%s/%d", underscored(host), number)
			}
			// The tables call routes namespace/name/number of the rule.
			at := strings.LastIndexByte(name, '/')
			return fmt.Sprintf("httproute/%s/rule/%s/match/0/%s", name[:at], name[at+1:], underscored(host))
		},
	}
	platforms = []*platform{istioGateway, istioSidecar, istioWaypoint, envoyGateway}
)

func underscored(host string) string { return strings.ReplaceAll(host, ".", "_") }

func withPlatforms(t *testing.T, test func(t *testing.T, p *platform)) {
	for _, p := range platforms {
		t.Run(p.name, func(t *testing.T) { test(t, p) })
	}
}

func (p *platform) file() string { return filepath.Join("testdata", p.name+".yaml") }

func (p *platform) load(t *testing.T) *bootstrap.Config {
	t.Helper()
	c, err := bootstrap.LoadAs(p.file(), p.listener, p.service)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// configure returns the platform's configuration for where it is run: ports, upstreams, and for tests that want it other
// virtual hosts and neighbouring filters. The access log is the reference's, which tells decisions.
func (p *platform) configure(t *testing.T, s *setup, service []bootstrap.Address, upstream bootstrap.Address) *bootstrap.Config {
	t.Helper()
	switch {
	case s.noUpstream:
		upstream.Port = closedPort(t)
	case s.upstream != 0:
		upstream.Port = s.upstream
	}
	c := p.load(t)
	c.Manager.AccessLog = load(t, "envoy.yaml").Manager.AccessLog
	switch all := c.Manager.GetRouteConfig(); {
	case s.hosts == nil:
	case p.oneHost:
		p.addDown(all.GetVirtualHosts()[0], s.hosts)
	default:
		all.VirtualHosts = p.virtualHosts(t, s.hosts)
	}
	c.Bootstrap.StaticResources.Clusters = append(c.Bootstrap.StaticResources.Clusters, &clusterv3.Cluster{Name: nobody})
	if err := c.AddFilters(s.before, s.after); err != nil {
		t.Fatal(err)
	}
	c.Bootstrap.Admin.Address = socket(0)
	for _, l := range c.Bootstrap.GetStaticResources().GetListeners() {
		l.AccessLog = nil
		if l.GetAddress() != nil {
			l.Address = socket(0)
		}
	}
	for _, cluster := range c.Bootstrap.GetStaticResources().GetClusters() {
		endpoints := []bootstrap.Address{upstream}
		switch cluster.GetName() {
		case p.service:
			endpoints = service
		case "main_internal", nobody:
			continue
		case "waypoint": // the tunnel's far end is in the same Envoy, on a port that both have to know
			endpoints = []bootstrap.Address{{IP: "127.0.0.1", Port: closedPort(t)}}
			terminate(c).Address = socket(endpoints[0].Port)
		}
		if err := c.SetEndpoint(cluster.GetName(), endpoints...); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// terminate returns a waypoint's listener for tunnels.
func terminate(c *bootstrap.Config) *listenerv3.Listener {
	all := c.Bootstrap.GetStaticResources().GetListeners()
	return all[slices.IndexFunc(all, func(l *listenerv3.Listener) bool { return l.GetName() == "connect_terminate" })]
}

func socket(port uint16) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}

// hosted is a virtual host as users of a platform describe it: hosts without ports, and routes by prefix.
type hosted struct {
	hosts  []string
	routes []hostedRoute
}

type hostedRoute struct {
	name, prefix string
	policies     string // named in its metadata
	down         bool   // nobody is there
}

// nobody is a cluster without endpoints.
const nobody = "nobody"

// virtualHosts returns the virtual hosts that the control plane makes of what is described. Routes are like the template
// in the platform's file.
func (p *platform) virtualHosts(t *testing.T, all []hosted) (made []*routev3.VirtualHost) {
	t.Helper()
	template := p.routeTemplate(t)
	for _, h := range all {
		first := h.hosts[len(h.hosts)-1] // Istio's choice among hosts with equal routes; one is all that Envoy Gateway has
		host := &routev3.VirtualHost{Name: p.virtualHost(first), Domains: h.hosts}
		for i, r := range h.routes {
			route := r.like(template)
			route.Name = p.route(r.name, first, i)
			host.Routes = append(host.Routes, route)
		}
		made = append(made, host)
	}
	return made
}

// addDown puts the routes that lead nowhere before the only one of a virtual host.
func (p *platform) addDown(only *routev3.VirtualHost, all []hosted) {
	for _, h := range all {
		for _, r := range h.routes {
			if r.down {
				only.Routes = append([]*routev3.Route{r.like(only.GetRoutes()[0])}, only.GetRoutes()...)
			}
		}
	}
}

// like returns a route that is like another.
func (r *hostedRoute) like(template *routev3.Route) *routev3.Route {
	route := proto.CloneOf(template)
	route.Match = &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: r.prefix}}
	if r.policies != "" {
		route.Metadata = naming(r.policies)
	}
	if r.down {
		route.GetRoute().ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: nobody}
	}
	return route
}

func (p *platform) routeTemplate(t *testing.T) *routev3.Route {
	t.Helper()
	for _, h := range p.load(t).Manager.GetRouteConfig().GetVirtualHosts() {
		for _, r := range h.GetRoutes() {
			if r.GetName() == p.template && r.GetTypedPerFilterConfig()["envoy.filters.http.cors"] == nil {
				return r
			}
		}
	}
	t.Fatalf("%s: no route is called %s", p.file(), p.template)
	return nil
}

// warmUp sends requests until Envoy is connected to corsproc. Where nothing checks its health, the first request connects,
// which on a busy machine may take longer than a message's time-out.
func (g *gateway) warmUp(ctx context.Context, hosts []*routev3.VirtualHost) {
	g.t.Helper()
	host := hosts[0].GetDomains()[0]
	if host == "*" {
		host = "api.example.com"
	}
	received := regexp.MustCompile(`ext_proc\.(cors\.)?stream_msgs_received: [1-9]`)
	for {
		if _, err := send(g.address, "GET", host, "/?"+warmUp); err != nil {
			g.t.Logf("warming up: %v", err)
		}
		stats, err := g.envoy.Get(ctx, "/stats?filter=stream_msgs_received")
		if err == nil && received.Match(stats) {
			return
		}
		select {
		case <-ctx.Done():
			g.t.Fatalf("Envoy does not ask corsproc: %s %v\n%s", stats, context.Cause(ctx), g.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// warmUp is the query of requests that belong to no test.
const warmUp = "warm-up"
