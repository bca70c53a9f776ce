package draft_test

import (
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/draft"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// TestNames: whatever is wanted, names are valid, each is given once, and who reads one knows what was wanted.
func TestNames(t *testing.T) {
	var names draft.Names
	set := ""
	for _, c := range []struct{ wanted, want string }{
		{"shop", "shop"}, {"shop", "shop-2"}, {"shop/", "shop-3"}, {"shop-2", "shop-2-2"}, {"Shop", "Shop"},
		{"none", "none-2"}, {"passthrough", "passthrough-2"},
		{"istio/shop/a  b", "istio-shop-a-b"}, {"--x--", "x"}, {"api.example.com.", "api.example.com"}, {"_", "_"},
		{"[::1]:8443", "1-8443"}, {"*.example.com", "example.com"},
		{"", "policy"}, {"/*/", "policy-2"}, {"ä\xff\x00", "policy-3"}, {". . .", "policy-4"},
		{strings.Repeat("a", 500), strings.Repeat("a", 180)}, {strings.Repeat("a", 181), strings.Repeat("a", 180) + "-2"},
		{strings.Repeat("a/", 500), strings.Repeat("a-", 90) + "a"},
	} {
		got := names.Take(c.wanted)
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.wanted, got, c.want)
		}
		set += "  " + got + ": {allow_origins: [https://a.example]}\n"
	}
	content := policyfile.Content{Files: []policyfile.File{{Name: "names.yaml", Data: []byte("policies:\n" + set)}}}
	if r := content.Compile(); r.Set == nil {
		t.Error(r.Findings)
	}
}
