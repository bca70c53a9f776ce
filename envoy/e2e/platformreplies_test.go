//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/mesh"
)

// meshPolicies is a policy file for the hosts of the platforms' files, found by their domains.
const meshPolicies = `
policies:
  shop:
    allow_origins: [https://shop.example.com]
    allow_methods: [GET, POST]
    allow_headers: [X-Custom-Header]
    expose_headers: [X-Request-Id]
  public: {allow_origins: ["*"]}
virtual_hosts:
  - {domains: [api.example.com], policies: [shop]}
  - {domains: [legacy.example.com], policies: [shop]}
  - {domains: [files.example.com], policies: [shop]}
default: {policies: [shop]}
`

const shopOrigin = "https://shop.example.com"

// TestMeshInputs tells when a manifest has changed and the golden files have not been made anew.
func TestMeshInputs(t *testing.T) {
	now, err := mesh.Inputs(root)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, mesh.Golden, "inputs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var then map[string]string
	if err := yaml.Unmarshal(data, &then); err != nil {
		t.Fatal(err)
	}
	if module := read(t, "envoy/internal/mesh/istio/go.mod"); !strings.Contains(module, "\tistio.io/istio "+mesh.Istio+"\n") {
		t.Errorf("envoy/internal/mesh/istio/go.mod has another version of Istio than %s", mesh.Istio)
	}
	if diff := cmp.Diff(then, now); diff != "" {
		t.Errorf("the golden files are stale, run make mesh-golden (-then +now):\n%s", diff)
	}
}

// TestMeshInStep holds the filter that Istio's manifests insert to be the reference's but for the cluster.
func TestMeshInStep(t *testing.T) {
	reference := load(t, "envoy.yaml").Processors[0].ExternalProcessor
	for _, p := range []*platform{istioGateway, istioSidecar, istioWaypoint} {
		c := p.load(t)
		if first := c.Manager.GetHttpFilters()[0].GetName(); first != "corsproc" {
			t.Errorf("%s: the first filter is %s", p.name, first)
		}
		got := c.Processors[0].ExternalProcessor
		got.GetGrpcService().GetEnvoyGrpc().ClusterName = bootstrap.ClusterName
		if diff := cmp.Diff(reference, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-envoy.yaml +%s):\n%s", p.name, p.name, diff)
		}
	}
}

// TestMeshLocalReplies: a page that is allowed can read what the platform's own filters and Envoy answer, another page
// cannot, and a preflight meets none of it.
func TestMeshLocalReplies(t *testing.T) {
	istio := []localReply{
		{"401 of jwt_authn", "api.example.com", "/", []string{"Authorization: Bearer nonsense"}, 401, true},
		{"403 of rbac", "api.example.com", "/private", nil, 403, true},
	}
	replies := map[*platform][]localReply{
		istioGateway:  append(istio, localReply{"404 without a virtual host", "other.example.com", "/", nil, 404, true}),
		istioSidecar:  istio,
		istioWaypoint: istio,
		envoyGateway: {
			{"401 of jwt_authn", "api.example.com", "/private", nil, 401, true},
			{"404 without a virtual host: corsproc is switched on by routes", "other.example.com", "/", nil, 404, false},
		},
	}
	withPlatforms(t, func(t *testing.T, p *platform) {
		g := start(t, setup{platform: p, policies: meshPolicies})
		for _, r := range replies[p] {
			t.Run(r.name, func(t *testing.T) { r.check(t, g) })
		}
		t.Run("a preflight", func(t *testing.T) {
			a := g.do("OPTIONS", "api.example.com", "/private", "Origin: "+shopOrigin, "Access-Control-Request-Method: POST")
			if a.status != 204 || a.joined["access-control-allow-origin"] != shopOrigin {
				t.Errorf("%d %v", a.status, a.header)
			}
		})
		t.Run("503 without an upstream", func(t *testing.T) {
			localReply{"", "api.example.com", "/", nil, 503, true}.check(t, start(t, setup{platform: p, policies: meshPolicies, noUpstream: true}))
		})
	})
}

// localReply is a request that no upstream answers.
type localReply struct {
	name, host, path string
	lines            []string
	status           int
	readable         bool // for a page that is allowed
}

func (r localReply) check(t *testing.T, g *gateway) {
	t.Helper()
	want := ""
	if r.readable {
		want = shopOrigin
	}
	if a := g.do("GET", r.host, r.path, append(r.lines, "Origin: "+shopOrigin)...); a.status != r.status || a.joined["access-control-allow-origin"] != want {
		t.Errorf("an allowed page gets %d %v", a.status, a.header)
	}
	if a := g.do("GET", r.host, r.path, append(r.lines, "Origin: https://evil.example")...); a.status != r.status || a.joined["access-control-allow-origin"] != "" {
		t.Errorf("another page gets %d %v", a.status, a.header)
	}
}

// TestMeshOwnOrder shows what corsproc's place is for: without it, preflights meet Istio's rbac, which denies them.
func TestMeshOwnOrder(t *testing.T) {
	for _, p := range []*platform{istioGateway, istioSidecar, istioWaypoint} {
		t.Run(p.name, func(t *testing.T) {
			g := start(t, setup{platform: p, noService: true, edit: (*bootstrap.Config).RemoveProcessors})
			a := g.do("OPTIONS", "api.example.com", "/private", "Origin: "+shopOrigin, "Access-Control-Request-Method: POST")
			if a.status != 403 || a.joined["access-control-allow-origin"] != "" {
				t.Errorf("%d %v", a.status, a.header)
			}
		})
	}
}

// TestMeshServiceDown: with corsproc down, or without the cluster that should lead there, requests flow, nothing is granted,
// and Envoy counts it.
func TestMeshServiceDown(t *testing.T) {
	withPlatforms(t, func(t *testing.T, p *platform) {
		for name, edit := range map[string]func(*bootstrap.Config){"down": nil, "no cluster": p.withoutService} {
			t.Run(name, func(t *testing.T) {
				g := start(t, setup{platform: p, noService: true, edit: edit})
				a := g.do("GET", "api.example.com", "/", "Origin: "+shopOrigin)
				if a.status != 200 || a.joined["access-control-allow-origin"] != "" {
					t.Errorf("GET: %d %v", a.status, a.header)
				}
				before := g.upstream.requests.Load()
				a = g.do("OPTIONS", "api.example.com", "/", "Origin: "+shopOrigin, "Access-Control-Request-Method: POST")
				if a.joined["access-control-allow-origin"] != "" || g.upstream.requests.Load() != before+1 {
					t.Errorf("preflight: %d %v, which the upstream has to see", a.status, a.header)
				}
				stats, err := g.envoy.Get(t.Context(), "/stats?filter=ext_proc.*failure_mode_allowed")
				if err != nil || !regexp.MustCompile(`failure_mode_allowed: [1-9]`).Match(stats) {
					t.Errorf("%s %v", stats, err)
				}
			})
		}
	})
}

// withoutService takes the cluster away in which corsproc is found.
func (p *platform) withoutService(c *bootstrap.Config) {
	resources := c.Bootstrap.GetStaticResources()
	resources.Clusters = slices.DeleteFunc(resources.GetClusters(), func(cluster *clusterv3.Cluster) bool { return cluster.GetName() == p.service })
}

// TestMeshMethodMatch: where a route is for a method, a preflight has no route. corsproc is switched on by routes in Envoy
// Gateway, and does not see it; elsewhere it answers.
func TestMeshMethodMatch(t *testing.T) {
	onlyGet := func(c *bootstrap.Config) {
		for _, h := range c.Manager.GetRouteConfig().GetVirtualHosts() {
			for _, r := range h.GetRoutes() {
				r.GetMatch().Headers = append(r.GetMatch().GetHeaders(), &routev3.HeaderMatcher{
					Name: ":method",
					HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: &matcherv3.StringMatcher{
						MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "GET"},
					}},
				})
			}
		}
	}
	for p, want := range map[*platform]int{istioGateway: 204, envoyGateway: 404} {
		t.Run(p.name, func(t *testing.T) {
			g := start(t, setup{platform: p, policies: meshPolicies, edit: onlyGet})
			a := g.do("OPTIONS", "api.example.com", "/", "Origin: "+shopOrigin, "Access-Control-Request-Method: GET")
			if a.status != want || (a.joined["access-control-allow-origin"] != "") != (want == 204) {
				t.Errorf("%d %v", a.status, a.header)
			}
		})
	}
}

// TestMeshMove is the way from a control plane's own CORS settings to corsproc, step by step. The host legacy.example.com
// has such settings in both files.
func TestMeshMove(t *testing.T) {
	const policies = "policies:\n  shop: {allow_origins: [https://shop.example.com], allow_methods: [PUT], expose_headers: [X-Request-Id]}\n"
	for _, p := range []*platform{istioGateway, envoyGateway} {
		t.Run(p.name, func(t *testing.T) {
			t.Run("a dry run: theirs answers, ours is counted", func(t *testing.T) {
				g := start(t, setup{platform: p, policies: policies + "virtual_hosts: [{domains: [legacy.example.com], policies: [passthrough], candidates: [shop]}]\n"})
				preflight := g.do("OPTIONS", "legacy.example.com", "/", "Origin: "+shopOrigin, "Access-Control-Request-Method: POST")
				if preflight.status != 200 || preflight.joined["access-control-allow-headers"] != "X-Custom-Header" || preflight.joined["access-control-max-age"] != "3600" {
					t.Errorf("preflight: %d %v", preflight.status, preflight.header)
				}
				actual := g.do("GET", "legacy.example.com", "/", "Origin: "+shopOrigin)
				if actual.joined["access-control-allow-origin"] != shopOrigin || actual.joined["access-control-expose-headers"] != "" {
					t.Errorf("GET: %v", actual.header)
				}
			})
			t.Run("theirs, while ours is down", func(t *testing.T) {
				g := start(t, setup{platform: p, noService: true})
				preflight := g.do("OPTIONS", "legacy.example.com", "/", "Origin: "+shopOrigin, "Access-Control-Request-Method: POST")
				if preflight.status != 200 || preflight.joined["access-control-allow-origin"] != shopOrigin {
					t.Errorf("preflight: %d %v", preflight.status, preflight.header)
				}
			})
			t.Run("ours, with theirs still there", func(t *testing.T) {
				g := start(t, setup{platform: p, policies: policies + "virtual_hosts: [{domains: [legacy.example.com], policies: [shop]}]\n"})
				preflight := g.do("OPTIONS", "legacy.example.com", "/", "Origin: "+shopOrigin, "Access-Control-Request-Method: PUT")
				if preflight.status != 204 || preflight.joined["access-control-allow-methods"] != "PUT" || preflight.joined["access-control-allow-headers"] != "" {
					t.Errorf("preflight: %d %v", preflight.status, preflight.header)
				}
				actual := g.do("GET", "legacy.example.com", "/", "Origin: "+shopOrigin)
				if got := actual.header.Values("Access-Control-Allow-Origin"); len(got) != 1 || actual.joined["access-control-expose-headers"] != "X-Request-Id" || actual.joined["vary"] != "Origin" {
					t.Errorf("GET: %v", actual.header)
				}
			})
		})
	}
}

// TestMeshLookUp finds places by what each platform calls things, where it calls them anything useful.
func TestMeshLookUp(t *testing.T) {
	for _, c := range []struct {
		p         *platform
		places    string
		host      string
		path      string
		refused   bool
		otherwise string // a path, or a host, that the place is not for
	}{
		{istioGateway, `{name: "files.example.com:80", policies: [shop]}`, "files.example.com", "/", false, "legacy.example.com"},
		{istioGateway, `{name: "*.example.com:80", policies: [shop]}`, "legacy.example.com", "/", false, "other.example"},
		// Two hosts of one VirtualService are one virtual host, called by the other one.
		{istioGateway, `{name: "orders.example.com:80", policies: [shop]}`, "api.example.com", "/", false, "files.example.com"},
		{istioGateway, `{domains: [files.example.com], policies: [none], routes: [{route_name: rest, policies: [shop]}]}`, "files.example.com", "/", false, "/public"},
		{istioSidecar, `{name: "inbound|http|8080", policies: [shop]}`, "whatever.example", "/", false, ""},
		{istioWaypoint, `{name: "inbound|http|8080", policies: [shop]}`, "whatever.example", "/", false, ""},
		{envoyGateway, `{domains: [api.example.com], policies: [none], routes: [{route_name: "httproute/shop/api/*", policies: [shop]}]}`, "api.example.com", "/", false, "/private"},
		{envoyGateway, `{name: "shop/web/http/*", policies: [shop]}`, "api.example.com", "/", true, ""},
	} {
		t.Run(c.p.name+" "+c.places, func(t *testing.T) {
			g := start(t, setup{platform: c.p, policies: "policies: {shop: {allow_origins: [https://shop.example.com]}}\nvirtual_hosts: [" + c.places + "]\ndefault: {policies: [none]}\n"})
			granted := func(host, path string) bool {
				return g.do("GET", host, path, "Origin: "+shopOrigin).joined["access-control-allow-origin"] == shopOrigin
			}
			if granted(c.host, c.path) == c.refused {
				t.Errorf("granted: %v", !c.refused)
			}
			switch {
			case c.otherwise == "":
			case c.otherwise[0] == '/' && granted(c.host, c.otherwise), c.otherwise[0] != '/' && granted(c.otherwise, c.path):
				t.Errorf("granted at %s too", c.otherwise)
			}
		})
	}
	t.Run("policies that a route of Istio names", func(t *testing.T) {
		g := start(t, setup{platform: istioGateway, policies: meshPolicies})
		for path, want := range map[string]string{"/public": "*", "/": ""} {
			if got := g.do("GET", "files.example.com", path, "Origin: https://any.example").joined["access-control-allow-origin"]; got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
	})
}

// TestMeshLongAnswer waits longer than the ten seconds that Envoy Gateway gives a stream to corsproc. Envoy leaves it to
// the server to end the stream then (grpc-timeout), and corsproc does not: the upstream may take its time.
func TestMeshLongAnswer(t *testing.T) {
	t.Parallel()
	g := start(t, setup{platform: envoyGateway, policies: meshPolicies})
	g.upstream.work = func() { time.Sleep(11 * time.Second) }
	a := g.do("GET", "api.example.com", "/", "Origin: "+shopOrigin)
	if a.status != 200 || a.joined["access-control-allow-origin"] != shopOrigin {
		t.Errorf("%d %v", a.status, a.header)
	}
}
