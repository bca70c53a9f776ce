package browser

import (
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
)

// TestUsage asks for what no script can ask for, or no browser sends.
func TestUsage(t *testing.T) {
	const shop, api = "https://shop.example.com", "https://api.example.com/"
	header := func(name, value string) []policy.Header { return []policy.Header{{Name: name, Value: value}} }
	set := compile(t, "{}").Set
	for _, c := range []struct {
		name  string
		fetch Fetch
		want  string // in the error; empty: none
	}{
		{"a fetch", Fetch{Origin: shop, URL: api}, ""},
		{"an origin with a path", Fetch{Origin: "https://Shop.example.com/", URL: api}, "an origin has no path and is lower-case; write https://shop.example.com"},
		{"an origin with its default port", Fetch{Origin: shop + ":443", URL: api}, "write https://shop.example.com"},
		{"an origin of a WebSocket", Fetch{Origin: "wss://shop.example.com", URL: api}, "write https://shop.example.com"},
		{"an origin in unicode", Fetch{Origin: "https://bücher.example", URL: api}, "write https://xn--bcher-kva.example"},
		{"an origin without a scheme", Fetch{Origin: "shop.example.com", URL: api}, "write https://shop.example.com"},
		{"null in upper case", Fetch{Origin: "NULL", URL: api}, "write null"},
		{"a pattern", Fetch{Origin: "https://*.example.com", URL: api}, "no browser sends the origin"},
		{"anybody", Fetch{Origin: "*", URL: api}, "no browser sends the origin"},
		{"a set", Fetch{Origin: "@partners", URL: api}, "no browser sends the origin"},
		{"no origin", Fetch{URL: api}, "no browser sends the origin"},
		{"two origins", Fetch{Origin: shop + " " + shop, URL: api}, "no browser sends the origin"},
		{"the opaque origin", Fetch{Origin: "null", URL: api}, ""},
		{"an app", Fetch{Origin: "capacitor://localhost", URL: api}, ""},

		{"a relative URL", Fetch{Origin: shop, URL: "/orders"}, "is not absolute"},
		{"a URL without a scheme", Fetch{Origin: shop, URL: "api.example.com/orders"}, "is not absolute"},
		{"no URL", Fetch{Origin: shop}, "is not absolute"},
		{"another scheme", Fetch{Origin: shop, URL: "ftp://api.example.com/"}, "is neither http nor https"},
		{"a WebSocket's URL", Fetch{Origin: shop, URL: "wss://api.example.com/"}, "--websocket"},
		{"a URL without a host", Fetch{Origin: shop, URL: "https:///orders"}, "has no host"},
		{"a URL with a blank host", Fetch{Origin: shop, URL: "https://a b/orders"}, "has a host that no name can be"},
		{"a URL with a star", Fetch{Origin: shop, URL: "https://[::1/"}, "IPv6"},
		{"a URL with half an address", Fetch{Origin: shop, URL: "https://192.0.2/"}, "ends in a number"},
		{"a URL with a port too many", Fetch{Origin: shop, URL: "https://api.example.com:65536/"}, "port"},
		{"a URL with a user", Fetch{Origin: shop, URL: "https://me:secret@api.example.com/"}, "fetch throws"},
		{"a URL that is too long", Fetch{Origin: shop, URL: api + strings.Repeat("a", MaxURLBytes)}, "is longer than"},

		{"a method that is no token", Fetch{Origin: shop, URL: api, Method: "PUT ME"}, "is no method"},
		{"a forbidden method", Fetch{Origin: shop, URL: api, Method: "trace"}, "no script can send the method TRACE"},
		{"a tunnel", Fetch{Origin: shop, URL: api, Method: "CONNECT"}, "no script can send the method CONNECT"},

		{"a cookie", Fetch{Origin: shop, URL: api, Headers: header("Cookie", "a=b")}, "scripts cannot set the header cookie"},
		{"an origin of one's own", Fetch{Origin: shop, URL: api, Headers: header("Origin", shop)}, "scripts cannot set the header origin"},
		{"a proxy's header", Fetch{Origin: shop, URL: api, Headers: header("Proxy-Authorization", "x")}, "scripts cannot set"},
		{"a security header", Fetch{Origin: shop, URL: api, Headers: header("Sec-Fetch-Site", "same-origin")}, "scripts cannot set"},
		{"a forbidden override", Fetch{Origin: shop, URL: api, Headers: header("X-HTTP-Method-Override", "GET, trace")}, "scripts cannot set"},
		{"an allowed override", Fetch{Origin: shop, URL: api, Headers: header("X-HTTP-Method-Override", "GET, PUT")}, ""},
		{"a header that is no token", Fetch{Origin: shop, URL: api, Headers: header("X Custom", "1")}, "is no name of a header"},
		{"a header without a name", Fetch{Origin: shop, URL: api, Headers: header("", "1")}, "is no name of a header"},
		{"too many headers", Fetch{Origin: shop, URL: api, Headers: make([]policy.Header, MaxHeaders+1)}, "too many"},
		{"a line break", Fetch{Origin: shop, URL: api, Headers: header("X-Custom", "a\nb")}, "cannot be sent"},
		{"another script", Fetch{Origin: shop, URL: api, Headers: header("X-Custom", "ж")}, "cannot be sent"},

		{"a WebSocket", Fetch{Origin: shop, URL: "wss://api.example.com/", WebSocket: true}, ""},
		{"a WebSocket with a method", Fetch{Origin: shop, URL: api, WebSocket: true, Method: "POST"}, "opened with GET"},
		{"a WebSocket with a header", Fetch{Origin: shop, URL: api, WebSocket: true, Headers: header("X-Custom", "1")}, "no header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Do(set, c.fetch)
			switch {
			case err == nil && c.want != "":
				t.Errorf("no error, want %q", c.want)
			case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %q, want %q", err, c.want)
			}
		})
	}
}

// TestURLs parses URLs as browsers do. TestURLsInChromium asks one.
func TestURLs(t *testing.T) {
	for _, c := range urlCases {
		u, err := parseURL(c.in, false)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if got := u.String() + u.fragment; got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
}

var urlCases = []struct{ in, want string }{
	{"https://api.example.com", "https://api.example.com/"},
	{" HTTPS://API.Example.COM:443/Orders\n", "https://api.example.com/Orders"},
	{"http://api.example.com:0080/", "http://api.example.com/"},
	{"http://api.example.com:8080?q", "http://api.example.com:8080/?q"},
	{`https:\\api.example.com\a\b`, "https://api.example.com/a/b"},
	{"https://api.example.com/a/../b/./c", "https://api.example.com/b/c"},
	{"https://api.example.com/a/%2e%2E/b/%2e/", "https://api.example.com/b/"},
	{"https://api.example.com/../..", "https://api.example.com/"},
	{"https://api.example.com/a//b%2fc", "https://api.example.com/a//b%2fc"},
	{"https://api.example.com/a//../b", "https://api.example.com/a/b"},
	{"https://api.example.com/a b\"<>`{}é^", "https://api.example.com/a%20b%22%3C%3E%60%7B%7D%C3%A9%5E"},
	{"https://api.example.com/?a b\"<>'`{}é^", "https://api.example.com/?a%20b%22%3C%3E%27`{}%C3%A9^"},
	{"https://api.example.com/a?b#c d\"<>`é", "https://api.example.com/a?b#c%20d%22%3C%3E%60%C3%A9"},
	{"https://api.example.com/a\tb", "https://api.example.com/ab"},
	{"https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"},
	{"https://a_b.example.com./", "https://a_b.example.com./"},
	{"https://%61pi.example.com/", "https://api.example.com/"},
	{"https://[2001:DB8:0:0::1]:8443/", "https://[2001:db8::1]:8443/"},
	{"https://[::ffff:192.0.2.1]/", "https://[::ffff:c000:201]/"},
	{"https://192.0.2.1/", "https://192.0.2.1/"},
	{"https://api.example.com/%", "https://api.example.com/%"},
	{"https://api.example.com?/../a", "https://api.example.com/?/../a"},
}

// TestSites holds what is said in Sec-Fetch-Site, and when.
func TestSites(t *testing.T) {
	set := compile(t, "{}").Set
	for _, c := range []struct{ origin, url, want string }{
		{"https://shop.example.com", "https://shop.example.com/", "same-origin"},
		{"https://shop.example.com", "https://api.example.com/", "same-site"},
		{"https://shop.example.com", "https://shop.example.com:8443/", "same-site"},
		{"http://shop.example.com", "https://shop.example.com/", "cross-site"},
		{"https://shop.example.com", "https://shop.example.org/", "cross-site"},
		{"https://shop.co.uk", "https://other.co.uk/", "cross-site"},
		{"https://shop.github.io", "https://other.github.io/", "cross-site"},
		{"https://a.shop.github.io", "https://b.shop.github.io/", "same-site"},
		{"https://192.0.2.1", "https://192.0.2.1:8443/", "same-site"},
		{"https://192.0.2.1", "https://198.51.2.1/", "cross-site"},
		{"https://[2001:db8::1]", "https://[2001:db8::1]:8443/", "same-site"},
		{"https://intranet", "https://intranet:8443/", "same-site"},
		{"null", "https://api.example.com/", "cross-site"},
		{"capacitor://localhost", "https://localhost/", "cross-site"},
		{"http://shop.example.com", "http://api.example.com/", ""},
		{"http://localhost:8081", "http://localhost:8080/", "same-site"},
		{"http://127.0.0.1:8081", "http://127.0.0.2/", "cross-site"},
	} {
		r, err := Do(set, Fetch{Origin: c.origin, URL: c.url, Method: "POST"})
		if err != nil {
			t.Fatal(err)
		}
		if got := byName(r.Actual.Headers)["sec-fetch-site"]; got != c.want {
			t.Errorf("%s to %s: got %q, want %q", c.origin, c.url, got, c.want)
		}
	}
}
