//go:build unix

package e2e

import (
	"slices"
	"testing"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// TestExposeUpstreamNeedsTheHeader: an Envoy whose configuration is a copy of earlier ones keeps the upstream's header to itself,
// and then the policy's own list is what is exposed.
func TestExposeUpstreamNeedsTheHeader(t *testing.T) {
	const header = "access-control-expose-headers"
	g := start(t, setup{
		policies: `policies: {shop: {allow_origins: [https://shop.example.com], expose_headers: [X-Request-Id], expose_upstream: true}}
default: {policies: [shop]}
`,
		edit: func(c *bootstrap.Config) {
			for _, p := range c.Processors {
				allowed := p.ForwardRules.AllowedHeaders
				before := len(allowed.Patterns)
				allowed.Patterns = slices.DeleteFunc(allowed.Patterns, func(m *matcherv3.StringMatcher) bool { return m.GetExact() == header })
				if len(allowed.Patterns) != before-1 {
					t.Errorf("%s is forwarded %d times", header, before-len(allowed.Patterns))
				}
			}
		},
	})
	g.upstream.answers("case", header+": X-Cart")
	if got := g.do("GET", "api.example.com", "/", "X-Case: case", "Origin: https://shop.example.com"); got.joined[header] != "X-Request-Id" {
		t.Errorf("%s: %q", header, got.joined[header])
	}
}
