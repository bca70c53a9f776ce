//go:build unix

package e2e

import (
	"strings"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3" // read by name
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/policy/casetable"
)

// grantingFilter adds a grant to every response that passes it.
const grantingFilter = `
- name: envoy.filters.http.header_mutation
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
    mutations:
      response_mutations:
      - append: {header: {key: access-control-allow-origin, value: "*"}}
`

// grantingReplies adds a grant to everything that Envoy answers itself.
func grantingReplies(c *bootstrap.Config) {
	whatever := &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_NotHealthCheckFilter{
		NotHealthCheckFilter: &accesslogv3.NotHealthCheckFilter{},
	}}
	c.Manager.LocalReplyConfig = &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{{
		Filter: whatever, HeadersToAdd: headersToAdd(&casetable.Adds{Append: []string{"access-control-allow-origin: *"}}),
	}}}
}

// TestAddedLast holds what docs/operations.md says of places where Envoy adds headers to corsproc's own answers when nothing can
// remove them any more, and that all other answers are safe from them but for filters that see them last.
func TestAddedLast(t *testing.T) {
	for name, c := range map[string]struct {
		setup setup
		other string // what another page may read of answers that are not corsproc's own
	}{
		"local_reply_config":       {setup{edit: grantingReplies}, ""},
		"a filter behind corsproc": {setup{after: grantingFilter}, ""},
		"a filter before corsproc": {setup{before: grantingFilter}, "*"},
	} {
		t.Run(name, func(t *testing.T) {
			c.setup.policies = shopPolicies
			c.setup.virtualHosts = `[{name: local, domains: ["*"], routes: [{match: {path: /down}, route: {cluster: nobody}}, {match: {prefix: /}, route: {cluster: echo}}]}]`
			g := start(t, c.setup)
			const page = "Origin: https://evil.example"
			for what, answers := range map[string]struct {
				got  answer
				want string
			}{
				"our own answer":  {g.do("OPTIONS", "api.example.com", "/", page, "Access-Control-Request-Method: DELETE"), "*"},
				"the upstream's":  {g.do("GET", "api.example.com", "/", page), c.other},
				"Envoy's own 503": {g.do("GET", "api.example.com", "/down", page), c.other},
			} {
				if granted := answers.got.joined["access-control-allow-origin"]; granted != answers.want {
					t.Errorf("%s: %q, want %q: %d %v", what, granted, answers.want, answers.got.status, answers.got.header)
				}
			}
		})
	}
	const sentence = "`local_reply_config` and other filters add when corsproc has answered"
	if !strings.Contains(strings.Join(strings.Fields(read(t, "docs/operations.md")), " "), sentence) {
		t.Errorf("docs/operations.md does not say %q", sentence)
	}
}
