package gateway

// Tested by policy/convert/gateway_test.go and policy/convert/gateway_random_test.go.

import (
	"slices"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
)

// readGatewayAPI reads HTTPRoutes with CORS filters, and the Gateways that they are attached to, as Gateway API 1.3 to 1.7
// has them (GEP-1767).
func ReadAPI(b *build.Builder, sources []source.Source) error {
	objects, err := kube.Read(sources, kindHTTPRoute, kindGateway, kindListenerSet, kindXListenerSet, kindNamespace)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(objects, func(o *kube.Object) bool { return o.GroupKind == kindHTTPRoute }) {
		return noGatewayObject(sources, "HTTPRoute of gateway.networking.k8s.io")
	}
	g := &reading{b: b, origin: apiOrigin, hosts: newGatewayHosts(b)}
	objects = sorted(objects)
	if g.listeners, err = readListeners(b, objects); err != nil {
		return err
	}
	if err := g.routes(objects); err != nil {
		return err
	}
	return g.hosts.build(false)
}

// noGatewayObject is what is said where no FILE has an object of a kind.
func noGatewayObject(sources []source.Source, what string) error {
	f := &source.InputError{Message: "there is no " + what + " in it"}
	if len(sources) > 0 {
		f.File = sources[0].Name
	}
	if len(sources) > 1 {
		f.Message = "there is no " + what + " in this file, and in none of the others"
	}
	return f
}
