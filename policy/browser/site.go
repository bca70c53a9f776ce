package browser

// Tested by usage_test.go, blocked_test.go and against_url_test.go.

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// site returns what a browser says in Sec-Fetch-Site (Fetch Metadata, section 2.3) of a request from a page of an
// origin to a URL. Only origins of the web belong to a site.
func site(page, to origin.Parts) string {
	switch {
	case page.IsWeb() && page == to:
		return "same-origin"
	case page.IsWeb() && page.Scheme == to.Scheme && registrable(page.Host) == registrable(to.Host):
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
func isTrustworthy(p origin.Parts) bool {
	return p.Scheme == "https" || origin.IsLoopback(p.Host)
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
