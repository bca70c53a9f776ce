package gateway

// Tested by policy/convert/gateway_test.go and policy/convert/gateway_random_test.go.

import (
	"slices"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
)

const envoyGatewayGroup = "gateway.envoyproxy.io"

var (
	kindSecurityPolicy  = kube.GroupKind{Group: envoyGatewayGroup, Kind: "SecurityPolicy"}
	kindHTTPRouteFilter = kube.GroupKind{Group: envoyGatewayGroup, Kind: "HTTPRouteFilter"}
)

// A routeFilterSpec is what counts here of an HTTPRouteFilter (v1alpha1) of Envoy Gateway.
type routeFilterSpec struct {
	DirectResponse *struct{} `kube:"directResponse"`
	Matches        []struct {
		Cookies []valueMatch `kube:"cookies"`
	} `kube:"matches"`
}

// ReadEnvoyGateway reads the SecurityPolicies of Envoy Gateway, with the Gateways and routes that they target, and the CORS
// filters of HTTPRoutes as Envoy Gateway understands them (1.9, internal/gatewayapi).
func ReadEnvoyGateway(b *build.Builder, sources []source.Source) error {
	objects, err := kube.Read(sources, kindSecurityPolicy, kindHTTPRouteFilter, kindHTTPRoute, kindGRPCRoute, kindGateway, kindListenerSet, kindXListenerSet, kindNamespace, kindReferenceGrant)
	if err != nil {
		return err
	}
	ours := []kube.GroupKind{kindSecurityPolicy, kindHTTPRoute, kindGRPCRoute}
	if !slices.ContainsFunc(objects, func(o *kube.Object) bool { return slices.Contains(ours, o.GroupKind) }) {
		return noGatewayObject(sources, "SecurityPolicy of gateway.envoyproxy.io, and no HTTPRoute,")
	}
	objects = sorted(objects)
	g := &reading{b: b, origin: envoyGatewayOrigin, hosts: newGatewayHosts(b), filters: map[objectID]*routeFilterSpec{}}
	for _, o := range objects {
		if o.GroupKind == kindHTTPRouteFilter {
			spec, err := kube.SpecOf[routeFilterSpec](o)
			if err != nil {
				return err
			}
			g.filters[objectID{o.Kind, o.Namespace(), o.Meta.Name.Value}] = &spec
		}
	}
	if g.listeners, err = readListeners(b, objects); err != nil {
		return err
	}
	if g.policies, err = readSecurityPolicies(objects, g.listeners.namespaces); err != nil {
		return err
	}
	if err := g.routes(objects); err != nil {
		return err
	}
	return g.hosts.build(true)
}
