// Package helm is the test of the chart beside it and of the other Kubernetes manifests under envoy/: rendered and linted
// by Helm's own code, and held to what an API server says of them, by the API server's own code. It is a module of its
// own, so that who imports or builds corsproc never meets Kubernetes; `make test-mesh` runs it.
//
// It knows neither corsproc nor Envoy: the tests in envoy/e2e run what the golden files here say. Start reading at
// render_test.go.
package helm
