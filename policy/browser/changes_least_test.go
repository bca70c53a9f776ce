package browser

import (
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
)

// TestLeastChange says which of the changes that suffice is told: the one that grants least.
func TestLeastChange(t *testing.T) {
	policies := compile(t, `
policies:
  own: {allow_origins: [https://shop.example.com], allow_methods: [PUT, DELETE], allow_headers: [X-Own], allow_credentials: true}
  editors: {allow_origins: [https://editor.example], allow_methods: [PUT], expose_headers: [X-Total]}
  partners: {allow_origins: [https://partner.example, https://other.example]}
  guests: {allow_origins: [https://guest.example]}
  public: {allow_origins: ["*"]}
  anything: {allow_origins: [https://any.example], allow_methods: ["*"], allow_headers: ["*"]}
  strict: {allow_origins: ["https://*.example.com"], deny_origins: [https://old.example.com]}
default: {policies: [own, partners]}
virtual_hosts:
  - {domains: [partners-first.example], policies: [partners, own]}
  - {domains: [own-alone.example], policies: [own]}
  - {domains: [editors.example], policies: [own, anything, editors, partners]}
  - {domains: [guests.example], policies: [partners, guests]}
  - {domains: [public.example], policies: [editors, public]}
  - {domains: [denied.example], policies: [strict, own, partners]}
  - {domains: [nobody.example], policies: [none]}
  - domains: [readings.example]
    policies: [none]
    routes: [{prefix: /a/, policies: [none]}]
`)
	const stranger = "https://stranger.example"
	for _, c := range []struct {
		name  string
		fetch Fetch
		want  []string // the beginnings of the changes' texts
	}{
		{"a stranger reads, and becomes no owner", Fetch{Origin: stranger, URL: "https://api.example/"}, []string{"add https://stranger.example to policies.partners.allow_origins "}},
		{"whatever the order", Fetch{Origin: stranger, URL: "https://partners-first.example/"}, []string{"add https://stranger.example to policies.partners.allow_origins "}},
		{"a stranger posts", Fetch{Origin: stranger, URL: "https://api.example/", Method: "POST"}, []string{"add https://stranger.example to policies.partners.allow_origins "}},
		{"a stranger who needs credentials", Fetch{Origin: stranger, URL: "https://api.example/", Credentials: Include}, []string{"add https://stranger.example to policies.own.allow_origins "}},
		{"a stranger puts, without credentials", Fetch{Origin: stranger, URL: "https://api.example/", Method: "PUT"},
			[]string{"add https://stranger.example to policies.partners.allow_origins ", "add PUT to policies.partners.allow_methods "}},
		{"where somebody else may put already", Fetch{Origin: stranger, URL: "https://editors.example/", Method: "PUT"}, []string{"add https://stranger.example to policies.editors.allow_origins "}},
		{"where others may do more", Fetch{Origin: stranger, URL: "https://editors.example/"}, []string{"add https://stranger.example to policies.partners.allow_origins "}},
		{"where there is one policy only", Fetch{Origin: stranger, URL: "https://own-alone.example/"}, []string{"add https://stranger.example to policies.own.allow_origins "}},
		{"a partner deletes, and becomes no owner", Fetch{Origin: "https://partner.example", URL: "https://api.example/", Method: "DELETE"}, []string{"add DELETE to policies.partners.allow_methods "}},
		{"of two that grant the same, the one at fewer places", Fetch{Origin: stranger, URL: "https://guests.example/"}, []string{"add https://stranger.example to policies.guests.allow_origins "}},
		{"everybody may put", Fetch{Origin: stranger, URL: "https://public.example/", Method: "PUT"}, []string{"add https://stranger.example to policies.editors.allow_origins "}},
		{"a denied origin", Fetch{Origin: "https://old.example.com", URL: "https://denied.example/"}, []string{"remove policies.strict.deny_origins[0], which denies https://old.example.com "}},
		{"the opaque origin is written as it must stand", Fetch{Origin: "null", URL: "https://api.example/"}, []string{`add "null" to policies.partners.allow_origins `}},
		{"the opaque origin where nobody is allowed", Fetch{Origin: "null", URL: "https://nobody.example/"}, []string{`list a policy that allows "null" in virtual_hosts[6].policies instead of none `}},
		{"a method called star", Fetch{Origin: "https://partner.example", URL: "https://api.example/", Method: "*"}, []string{`add "*" to policies.partners.allow_methods `}},
		{"a method that YAML takes for a number", Fetch{Origin: "https://partner.example", URL: "https://api.example/", Method: "1"}, []string{`add "1" to policies.partners.allow_methods `}},
		{"a header that YAML takes for a comment", Fetch{Origin: "https://partner.example", URL: "https://api.example/", Headers: []policy.Header{{Name: "#x", Value: "1"}}}, []string{`add "#x" to policies.partners.allow_headers `}},
		{"an address in brackets", Fetch{Origin: "https://[::1]:8443", URL: "https://api.example/"}, []string{`add "https://[::1]:8443" to policies.partners.allow_origins `}},
		{"both places of a path with two readings", Fetch{Origin: stranger, URL: "https://readings.example/a%2Fb"},
			[]string{"list a policy that allows https://stranger.example in virtual_hosts[7].policies instead of none ", "list a policy that allows https://stranger.example in virtual_hosts[7].routes[0].policies instead of none "}},
	} {
		r, err := Do(policies.Set, c.fetch)
		if err != nil {
			t.Fatal(err)
		}
		changes := r.Explanation(policies.Location).Changes
		for i, change := range changes {
			if i < len(c.want) && len(changes) == len(c.want) && strings.HasPrefix(change.Text, c.want[i]) {
				continue
			}
			t.Errorf("%s: change %d is %q, want %q", c.name, i, change.Text, c.want)
		}
		if len(changes) != len(c.want) {
			t.Errorf("%s: %d changes, want %q", c.name, len(changes), c.want)
		}
	}
}
