package browser

// Tested by usage_test.go, blocked_test.go and against_url_test.go.

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// tuple is an origin taken apart; the zero value is the opaque one.
type tuple struct {
	scheme string
	host   string // IPv6 addresses with their brackets
	port   string // empty: the scheme's default
}

// originTuple takes apart an origin that a browser sends.
func originTuple(s string) tuple {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return tuple{}
	}
	host, port := rest, ""
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		host, port = rest[:i], rest[i+1:]
	}
	return tuple{scheme, host, port}
}

// isWeb reports whether the origin is that of a page of the web; all others are opaque, or belong to no site.
func (t tuple) isWeb() bool { return t.scheme == "http" || t.scheme == "https" }

// site returns what a browser says in Sec-Fetch-Site (Fetch Metadata, section 2.3) of a request from a page of an
// origin to a URL.
func site(page, to tuple) string {
	switch {
	case page.isWeb() && page == to:
		return "same-origin"
	case page.isWeb() && page.scheme == to.scheme && registrable(page.host) == registrable(to.host):
		return "same-site"
	}
	return "cross-site"
}

// registrable returns the part of a host by which sites are told apart (HTML, section 7.1.1.3, "obtain a site"): its
// registrable domain, or the host itself where it has none, as addresses and public suffixes.
func registrable(host string) string {
	if strings.HasPrefix(host, "[") {
		return host
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	name, dot := strings.CutSuffix(host, ".")
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return host
	}
	if dot {
		domain += "."
	}
	return domain
}

// isTrustworthy reports whether what is sent to a host cannot be read on the way (Secure Contexts, section 3.1,
// "potentially trustworthy origin"). Browsers send Sec-Fetch-Site to no other.
func (t tuple) isTrustworthy() bool {
	return t.scheme == "https" || origin.IsLoopback(t.host)
}

// isLocalNetwork reports whether a host is one of a local network: a private or link-local address, or a name of multicast
// DNS.
func isLocalNetwork(host string) bool {
	if strings.HasSuffix(strings.TrimSuffix(host, "."), ".local") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	return addr.IsPrivate() || addr.IsLinkLocalUnicast()
}
