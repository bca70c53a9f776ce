// Package convert turns the CORS settings of other systems into policy files: what the source system would answer to
// browsers, or tighter with a warning, never wider without one.
//
// Start reading at Convert. Each kind of source has a room below internal/, which reads its files and tells a builder which
// places there are and what is granted at each; the builder makes one policy file of that, which loads (internal/build).
// What a policy file cannot say is a warning, which stands as a comment at its place, too.
//
//	source  files as trees of YAML or JSON with places, and what is wrong with them
//	build   virtual hosts, routes and policies, and the file that is made of them
//	kube    objects of Kubernetes
//	envoy   configurations of Envoy, and what its matchers mean
//	istio   VirtualServices, by what Envoy makes of them
//	gateway HTTPRoutes, and SecurityPolicies of Envoy Gateway
//	nginx   Ingresses for ingress-nginx
//
// It does not lint: what the source allows is written exactly, and `corsproc check` speaks of it. It decides nothing about
// requests either.
package convert
