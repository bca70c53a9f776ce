package browser

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/policy"
)

// TestFaults: all that is wrong with a fetch is told at once, each with the part that it is about.
func TestFaults(t *testing.T) {
	f := Fetch{
		Origin: "https://Shop.example.com/", URL: "/orders", Method: "TRACE", WebSocket: true,
		Headers: []policy.Header{{Name: "Cookie", Value: "a=b"}, {Name: "X-Fine", Value: "1"}, {Name: "X-Bad", Value: "\x00"}, {Name: "a b"}, {Name: "X-HTTP-Method", Value: "put, trace"}},
	}
	got := f.Faults()
	want := []*Fault{
		{Part: PartOrigin, Why: `no browser sends the origin "https://Shop.example.com/": an origin has no path and is lower-case`, Fix: "https://shop.example.com"},
		{Part: PartURL, Why: `the URL "/orders": is not absolute; write https://host/path`},
		{Part: PartMethod, Why: "no script can send the method TRACE: fetch throws"},
		{Part: PartHeaderName, Header: "Cookie", Why: "scripts cannot set the header cookie: only the browser does"},
		{Part: PartHeaderValue, Header: "X-Bad", Why: "the value of the header x-bad cannot be sent: it has a line break, a NUL or a character beyond U+00FF"},
		{Part: PartHeaderName, Header: "a b", Why: `"a b" is no name of a header`},
		{Part: PartHeaderValue, Header: "X-HTTP-Method", Why: "scripts cannot set the header x-http-method to a method that they cannot send: CONNECT, TRACE or TRACK"},
		{Part: PartWebSocket, Why: "a WebSocket is opened with GET, and scripts can set no header of it"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	_, err := Do(compile(t, "{}").Set, f)
	if err == nil || err.Error() != got[0].Error() {
		t.Errorf("Do says %v", err)
	}
	if faults := (Fetch{Origin: "null", URL: "https://a.example"}).Faults(); len(faults) > 0 {
		t.Errorf("a fetch without faults has %v", faults)
	}
}
