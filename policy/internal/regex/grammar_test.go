package regex

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// naiveLoopback says which hosts of origins are this machine.
func naiveLoopback(host string) bool {
	name := strings.TrimSuffix(host, ".")
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && addr.Unmap().IsLoopback()
}

// isAddress reports whether a host of an origin is an IP address.
func isAddress(host string) bool { return host[0] == '[' || origin.IsIPv4(host) }

func checkGrammar(t *testing.T, text string) (accepted bool) {
	t.Helper()
	if len(text) > origin.MaxLen {
		return false
	}
	o, ok := origin.Parse(text)
	web := ok && (o.Scheme == "http" || o.Scheme == "https")
	want, wantIPv6 := -1, -1
	if web && o.Scheme == "http" {
		if want = InsecureOrigin; naiveLoopback(o.Host) {
			want, wantIPv6 = LoopbackOrigin, LoopbackOrigin
		} else if o.Host[0] == '[' {
			want, wantIPv6 = bracketedOrigin, InsecureOrigin
		}
	}
	if got := httpOrigins().find(text); got != want && got != bracketedOrigin {
		t.Errorf("%q: the grammar says %d, want %d", text, got, want)
	}
	if got := httpIPv6Origins().find(text); got != wantIPv6 {
		t.Errorf("%q: the grammar of IPv6 addresses says %d, want %d", text, got, wantIPv6)
	}
	if got, want := domainOrigins().find(text) >= 0, web && !isAddress(o.Host); got != want {
		t.Errorf("%q: a domain's origin: %v, want %v", text, got, want)
	}
	if web && origin.IsLoopback(o.Host) != naiveLoopback(o.Host) {
		t.Errorf("%q: loopback: %v", text, origin.IsLoopback(o.Host))
	}
	return web
}

// TestOriginGrammar holds the grammar of origins as expressions against origin.Parse.
func TestOriginGrammar(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	parts := []string{
		"a", "0", "9", "1", "10", "255", "256", "127", "0x", "x", "f", "7f00", "ffff", "-", "_", ".", ".", ".", ":", ":", "::", "[", "]", "/", "A",
		"localhost", ".localhost", "127.0.0.1", "[::1]", "[::ffff:7f00:1]", "[::ffff:c0a8:1]", "1.2.3.4", ":80", ":443", ":8080", ":65535", ":65536", "0:0", "1:2:3",
	}
	accepted := 0
	for range 100_000 {
		text := []string{"http://", "https://", "http:", "ws://"}[min(r.IntN(20)/9, 3)]
		switch r.IntN(4) {
		case 0: // an IPv6 address, most of them in its shortest form
			var groups []string
			for range 8 - r.IntN(2)*r.IntN(3) {
				groups = append(groups, []string{"0", "0", "1", "ffff", "7f00", "a0b", "00"}[r.IntN(33)/5])
			}
			host := strings.Join(groups, ":")
			if addr, err := netip.ParseAddr(host); err == nil && r.IntN(4) > 0 {
				host = string(origin.AppendIPv6(nil, addr))
			}
			text += "[" + host + "]"
		case 1:
			text += strings.Join([]string{parts[r.IntN(9)], parts[1+r.IntN(6)], parts[1+r.IntN(6)], parts[1+r.IntN(6)]}, ".")
		}
		for range r.IntN(5) {
			text += parts[r.IntN(len(parts))]
		}
		if checkGrammar(t, text) {
			accepted++
		}
		if t.Failed() {
			break
		}
	}
	for port := range 70_000 {
		for _, scheme := range []string{"http", "https"} {
			checkGrammar(t, scheme+"://a:"+strconv.Itoa(port))
		}
	}
	if accepted < 10_000 {
		t.Errorf("%d origins were well-formed: the texts say little", accepted)
	}
}

// FuzzOriginGrammar does the same with any text.
func FuzzOriginGrammar(f *testing.F) {
	for _, text := range []string{"http://127.0.0.1:8080", "http://[::ffff:7f00:1]", "https://a.0x1g.", "http://a.localhost."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkGrammar(t, text) })
}
