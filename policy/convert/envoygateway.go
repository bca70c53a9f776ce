package convert

// Tested by gateway_test.go, gateway_random_test.go and golden_test.go.

import (
	"slices"
)

const envoyGatewayGroup = "gateway.envoyproxy.io"

var (
	kindSecurityPolicy  = kubernetesKind{envoyGatewayGroup, "SecurityPolicy"}
	kindHTTPRouteFilter = kubernetesKind{envoyGatewayGroup, "HTTPRouteFilter"}
)

// A routeFilterSpec is what counts here of an HTTPRouteFilter (v1alpha1) of Envoy Gateway.
type routeFilterSpec struct {
	DirectResponse *struct{} `kube:"directResponse"`
	Matches        []struct {
		Cookies []valueMatch `kube:"cookies"`
	} `kube:"matches"`
}

// readEnvoyGateway reads the SecurityPolicies of Envoy Gateway, with the Gateways and routes that they target, and the CORS
// filters of HTTPRoutes as Envoy Gateway understands them (1.9, internal/gatewayapi).
func readEnvoyGateway(b *builder, sources []Source) error {
	objects, err := readKubernetes(sources, kindSecurityPolicy, kindHTTPRouteFilter, kindHTTPRoute, kindGRPCRoute, kindGateway, kindListenerSet, kindXListenerSet, kindNamespace, kindReferenceGrant)
	if err != nil {
		return err
	}
	ours := []kubernetesKind{kindSecurityPolicy, kindHTTPRoute, kindGRPCRoute}
	if !slices.ContainsFunc(objects, func(o *kubernetesObject) bool { return slices.Contains(ours, o.kubernetesKind) }) {
		return noGatewayObject(sources, "SecurityPolicy of gateway.envoyproxy.io, and no HTTPRoute,")
	}
	objects = sorted(objects)
	g := &gatewayReading{b: b, origin: envoyGatewayOrigin, hosts: newGatewayHosts(b), filters: map[gatewayID]*routeFilterSpec{}}
	for _, o := range objects {
		if o.kubernetesKind == kindHTTPRouteFilter {
			spec, err := specOf[routeFilterSpec](o)
			if err != nil {
				return err
			}
			g.filters[gatewayID{o.kind, o.namespace(), o.meta.Name.Value}] = &spec
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
