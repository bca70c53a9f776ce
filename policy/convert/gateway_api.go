package convert

// Tested by gateway_test.go, gateway_random_test.go and golden_test.go.

import "slices"

// readGatewayAPI reads HTTPRoutes with CORS filters, and the Gateways that they are attached to, as Gateway API 1.3 to 1.7
// has them (GEP-1767).
func readGatewayAPI(b *builder, sources []Source) error {
	objects, err := readKubernetes(sources, kindHTTPRoute, kindGateway, kindListenerSet, kindXListenerSet, kindNamespace)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(objects, func(o *kubernetesObject) bool { return o.kubernetesKind == kindHTTPRoute }) {
		return noGatewayObject(sources, "HTTPRoute of gateway.networking.k8s.io")
	}
	g := &gatewayReading{b: b, origin: gatewayAPIOrigin, hosts: newGatewayHosts(b)}
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
func noGatewayObject(sources []Source, what string) error {
	f := &InputError{Message: "there is no " + what + " in it"}
	if len(sources) > 0 {
		f.File = sources[0].Name
	}
	if len(sources) > 1 {
		f.Message = "there is no " + what + " in this file, and in none of the others"
	}
	return f
}
