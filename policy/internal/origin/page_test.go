package origin_test

import (
	"testing"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

func TestCheckPage(t *testing.T) {
	for _, c := range []struct {
		origin, fix string // fix is empty where the origin is right, "?" where nobody knows what is meant
	}{
		{"https://shop.example.com", ""}, {"http://localhost:3000", ""}, {"null", ""}, {"file://", ""}, {"app://-", ""},
		{"http://[::1]:3000", ""}, {"https://shop.example.com.", ""}, {"https://my_shop.example.com", ""}, {"http://192.0.2.1", ""},
		{"https://Shop.example.com/", "https://shop.example.com"},
		{"HTTPS://shop.example.com", "https://shop.example.com"},
		{"https://shop.example.com:443", "https://shop.example.com"},
		{"https://shop.example.com:08443", "https://shop.example.com:8443"},
		{"https://shop.example.com:", "https://shop.example.com"},
		{" https://shop.example.com", "https://shop.example.com"},
		{"https://user@shop.example.com/a?b#c", "https://shop.example.com"},
		{"https:/shop.example.com", "https://shop.example.com"},
		{"HTTP:shop.example.com:8080/x", "http://shop.example.com:8080"},
		{"https:\\\\shop.example.com", "?"},
		{"https:", "?"}, {"https:///", "?"},
		{"shop.example.com", "https://shop.example.com"},
		{"//shop.example.com/x", "https://shop.example.com"},
		{"localhost:3000", "http://localhost:3000"},
		{"https://bücher.example", "https://xn--bcher-kva.example"},
		{"https://[0:0::1]", "https://[::1]"},
		{"wss://shop.example.com", "https://shop.example.com"},
		{"NULL", "null"}, {"data:text/html,x", "null"}, {"DATA:,", "null"},
		{"blob:https://shop.example.com/0b4a", "https://shop.example.com"},
		{"blob:https://shop.example.com", "https://shop.example.com"},
		{"blob:null/0b4a", "?"}, {"blob:x", "?"},
		{"blob:blob:blob:", "?"},
		{"*", "?"}, {"", "?"}, {"https://*.example.com", "?"}, {"https://*", "?"}, {"https://a, https://b", "?"}, {"https://a.example,https://b.example", "?"}, {"https://a b", "?"},
		{"https://.example.com", "?"}, {"@partners", "?"}, {"https://shop..example.com", "?"}, {"https://shop.example.com:65536", "?"},
	} {
		fix, why, ok := origin.CheckPage(c.origin)
		want := c.fix
		if want == "?" {
			want = ""
		}
		if ok != (c.fix == "") || fix != want || ok != (why == "") {
			t.Errorf("%q: %q, %q, %t; want %q", c.origin, fix, why, ok, c.fix)
		}
		if fix != "" {
			if _, why, ok := origin.CheckPage(fix); !ok {
				t.Errorf("%q is corrected to %q: %s", c.origin, fix, why)
			}
		}
	}
}
