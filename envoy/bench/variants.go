//go:build linux

package main

// Tested by bench_test.go.

import (
	"os"
	"path/filepath"
	"strings"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3" // read by name

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// variant is one way of answering CORS, behind a listener of its own.
type variant struct {
	name    string
	service string // the process that its filters ask; empty: none
	module  bool   // corsproc is in Envoy itself
	config  func(root string) (*bootstrap.Config, error)
	expect  map[string]expectation // for each kind of request that is measured
}

// expectation is what has to come back for a request.
type expectation struct {
	status   string
	lines    []string // that have to be in the answer
	granted  bool     // Access-Control-Allow-Origin is in it
	messages int      // that Envoy sends for it
}

// The variants that others are compared with, and the process of the second.
const (
	alone = "Envoy alone"
	stock = "stock no-op"
)

// policies is what corsproc is given, and nativePolicy the same in the words of Envoy's own filter. Both virtual hosts grant
// the same; in the second the path decides whether they do.
const policies = `
policies:
  storefront:
    allow_origins: [https://shop.example.com, "https://*.shop.example.com"]
    allow_methods: [PUT, DELETE]
    allow_headers: [Content-Type, X-Custom-Header]
    expose_headers: [X-Request-Id]
    allow_credentials: true
    max_age: 2h
virtual_hosts:
  - {name: api, domains: [api.example.com], policies: [storefront]}
  - name: paths
    domains: [paths.example.com]
    routes:
      - {prefix: /v1/orders, policies: [storefront]}
`

const nativePolicy = `
  typed_per_filter_config:
    envoy.filters.http.cors:
      "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
      allow_origin_string_match: [{exact: "https://shop.example.com"}, {suffix: ".shop.example.com"}]
      allow_methods: PUT, DELETE
      allow_headers: Content-Type, X-Custom-Header
      expose_headers: X-Request-Id
      allow_credentials: true
      max_age: "7200"
`

// virtualHosts is what every variant has behind its filters, with what a filter has to be told there.
func virtualHosts(policy string) string {
	const routes = `
  routes:
  - {match: {path: /slow}, route: {cluster: slow, timeout: 0s}}
  - {match: {prefix: /}, route: {cluster: echo}}
`
	return `
- name: api
  domains: [api.example.com]` + routes + policy + `
- name: paths
  domains: [paths.example.com]` + routes + policy
}

const nativeFilter = `[{name: envoy.filters.http.cors, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}]`

// stockFilter is how a filter for headers is written first: no attributes, no rules of what is forwarded.
const stockFilter = `
- name: stock
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
    stat_prefix: cors.
    grpc_service: {envoy_grpc: {cluster_name: "stock no-op"}}
    message_timeout: 30s
    processing_mode: {request_header_mode: SEND, response_header_mode: SEND, request_trailer_mode: SKIP, response_trailer_mode: SKIP}
`

const (
	granted = "access-control-allow-origin: https://shop.example.com"
	varied  = "vary: Accept-Encoding, Origin"
)

// What the upstream says, and what corsproc makes of it.
var (
	passed    = expectation{status: "200", lines: []string{"vary: Accept-Encoding"}}
	cleaned   = expectation{status: "200", lines: []string{varied}}
	readable  = expectation{status: "200", lines: []string{granted, "access-control-allow-credentials: true", "access-control-expose-headers: X-Request-Id", varied}, granted: true}
	permitted = expectation{status: "204", lines: []string{granted, "access-control-allow-methods: PUT, DELETE", "access-control-max-age: 7200"}, granted: true}
)

func (e expectation) in(messages int) expectation {
	e.messages = messages
	return e
}

// The names of what the documents speak of.
const (
	native   = "native cors filter"
	inModule = bootstrap.ClusterName + ", module.yaml"
)

// allVariants returns the variants in their order in the tables: those without corsproc, every corsproc with every recipe, and
// corsproc as a module. What depends on paths is measured with those alone that could make a difference of them, and
// those that they are compared with.
func allVariants(module bool, also []namedBinary) []variant {
	answered := expectation{status: "200", lines: []string{granted}, granted: true}
	all := []variant{
		{name: alone, config: without("", ""), expect: onPathsToo(passed, passed, passed)},
		{name: native, config: without(nativeFilter, nativePolicy), expect: onPathsToo(answered, answered, passed)},
		{name: stock, service: stock, config: without(stockFilter, ""), expect: onPathsToo(passed.in(2), passed.in(2), passed.in(2))},
	}
	for _, b := range append([]namedBinary{{name: bootstrap.ClusterName}}, also...) {
		all = append(all,
			variant{name: b.name + ", envoy.yaml", service: b.name, config: recipe("envoy.yaml"),
				expect: map[string]expectation{actual: readable.in(2), preflight: permitted.in(1), noOrigin: cleaned.in(2)}},
			variant{name: b.name + ", one-message.yaml", service: b.name, config: recipe("one-message.yaml"),
				expect: map[string]expectation{actual: readable.in(1), preflight: permitted.in(1), noOrigin: cleaned.in(1)}},
			variant{name: b.name + ", one-message.yaml, Origin only", service: b.name, config: originOnly,
				expect: map[string]expectation{actual: readable.in(1), preflight: permitted.in(1), noOrigin: passed}},
		)
	}
	if module {
		all = append(all, variant{name: inModule, module: true, config: recipe("module.yaml"), expect: onPathsToo(readable, permitted, cleaned)})
	}
	return all
}

// onPathsToo expects the same with one path and with many.
func onPathsToo(ofActual, ofPreflight, ofNoOrigin expectation) map[string]expectation {
	return map[string]expectation{
		actual: ofActual, preflight: ofPreflight, noOrigin: ofNoOrigin,
		actualPaths: ofActual, preflightPaths: ofPreflight, noOriginPaths: ofNoOrigin,
	}
}

// measuredIn returns the variants of which a kind of request is measured.
func measuredIn(all []variant, kind string) (some []variant) {
	for _, v := range all {
		if _, ok := v.expect[kind]; ok {
			some = append(some, v)
		}
	}
	return some
}

// chosen returns the variants with a text in their names, and those that others are compared with.
func chosen(all []variant, only string) (some []variant) {
	for _, v := range all {
		if v.name == alone || v.name == stock || strings.Contains(v.name, only) {
			some = append(some, v)
		}
	}
	return some
}

// recipe is a configuration as it is copied.
func recipe(name string) func(root string) (*bootstrap.Config, error) {
	return func(root string) (*bootstrap.Config, error) {
		c, err := bootstrap.Load(filepath.Join(root, "envoy", name))
		if err != nil {
			return nil, err
		}
		return c, c.SetVirtualHosts(virtualHosts(""))
	}
}

// originOnly is one-message.yaml with the lines that leave requests without Origin alone.
func originOnly(root string) (*bootstrap.Config, error) {
	text, err := os.ReadFile(filepath.Join(root, "envoy", "one-message.yaml"))
	if err != nil {
		return nil, err
	}
	gated, err := bootstrap.Uncomment(string(text), "- predicate: { not_matcher: { single_predicate: *origin } }", 2)
	if err != nil {
		return nil, err
	}
	c, err := bootstrap.Parse([]byte(gated))
	if err != nil {
		return nil, err
	}
	return c, c.SetVirtualHosts(virtualHosts(""))
}

// without is the reference configuration with other filters in place of corsproc's, and a policy for them.
func without(filters, policy string) func(root string) (*bootstrap.Config, error) {
	return func(root string) (*bootstrap.Config, error) {
		c, err := recipe("envoy.yaml")(root)
		if err != nil {
			return nil, err
		}
		if err := c.SetVirtualHosts(virtualHosts(policy)); err != nil {
			return nil, err
		}
		if err := c.AddFilters(filters, ""); err != nil {
			return nil, err
		}
		c.RemoveProcessors()
		return c, nil
	}
}
