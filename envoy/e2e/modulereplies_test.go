//go:build unix

package e2e

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// TestModuleIntroduction is TestIntroduction with corsproc inside Envoy.
func TestModuleIntroduction(t *testing.T) { checkIntroduction(t, moduleRecipe) }

// TestModuleLocalReplies is TestLocalReplies with corsproc inside Envoy.
func TestModuleLocalReplies(t *testing.T) { checkLocalReplies(t, moduleRecipe) }

// TestModuleReloadUnderTraffic is TestReloadUnderTraffic with corsproc inside Envoy.
func TestModuleReloadUnderTraffic(t *testing.T) { reloadUnderTraffic(t, moduleRecipe) }

// TestModuleNames: which of the places where Envoy's configuration names policies wins. The most specific does; of a route's two,
// its metadata. That of a virtual host is not seen.
func TestModuleNames(t *testing.T) {
	const policies = `
policies:
  file: {allow_origins: [https://file.example]}
  all: {allow_origins: [https://all.example]}
  host: {allow_origins: [https://host.example]}
  route: {allow_origins: [https://route.example]}
  metadata: {allow_origins: [https://metadata.example]}
default: {policies: [file]}
`
	metadata := naming("metadata")
	g := start(t, setup{config: moduleRecipe, policies: policies, edit: func(c *bootstrap.Config) {
		named := func(policies string) map[string]*anypb.Any {
			return map[string]*anypb.Any{bootstrap.ModuleName: perRoute(t, c, wrapperspb.String(policies))}
		}
		route := func(path string, perRoute map[string]*anypb.Any, inMetadata bool) *routev3.Route {
			r := &routev3.Route{
				Match:                &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: path}},
				Action:               &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "echo"}}},
				TypedPerFilterConfig: perRoute,
			}
			if inMetadata {
				r.Metadata = metadata
			}
			return r
		}
		routes := c.Manager.GetRouteConfig()
		routes.VirtualHosts, routes.TypedPerFilterConfig = nil, named("all")
		for _, name := range []string{"nothing", "unseen", "host", "both"} {
			h := &routev3.VirtualHost{Name: name, Domains: []string{name + ".example.com"}}
			if name == "unseen" || name == "both" {
				h.Metadata = metadata
			}
			if name == "host" || name == "both" {
				h.TypedPerFilterConfig = named(" host ")
			}
			h.Routes = []*routev3.Route{
				route("/plain", nil, false), route("/route", named("route"), false), route("/metadata", nil, true), route("/twice", named("route"), true),
				route("/none", named("none"), false), route("/empty", named(""), false), route("/unknown", named("route,nobody"), false), route("/pass", named("passthrough"), false),
			}
			routes.VirtualHosts = append(routes.VirtualHosts, h)
		}
	}})
	g.upstream.answers("open", "Access-Control-Allow-Origin: https://up.example")
	for host, otherwise := range map[string]string{"nothing": "all", "unseen": "all", "host": "host", "both": "host"} {
		for path, want := range map[string]string{
			"/plain": otherwise, "/route": "route", "/metadata": "metadata", "/twice": "metadata", "/none": "", "/empty": "", "/unknown": "", "/pass": "up",
		} {
			for _, origin := range []string{"file", "all", "host", "route", "metadata", "up"} {
				a := g.do("GET", host+".example.com", path, "Origin: https://"+origin+".example", "X-Case: open")
				granted := a.joined["access-control-allow-origin"]
				if allowed := want == "up" || want == origin; allowed != (granted != "") || want != "up" && allowed && granted != "https://"+origin+".example" {
					t.Errorf("%s%s: %s gets %q, want only %q granted", host, path, origin, granted, want)
				}
			}
		}
	}
}
