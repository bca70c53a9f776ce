package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"index/suffixarray"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// hostPart returns the host of an origin, without its port.
func hostPart(origin string) (scheme, host string) {
	scheme, rest, ok := strings.Cut(origin, "://")
	if !ok {
		return "", ""
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasSuffix(rest, "]") {
		rest = rest[:i]
	}
	return scheme, rest
}

// siteOf returns the registrable domain of a host, empty if it has none.
func siteOf(host string) string {
	host = strings.TrimSuffix(host, ".")
	if i := strings.LastIndexByte(host, '.'); i <= 0 || i+1 == len(host) || '0' <= host[i+1] && host[i+1] <= '9' || host[0] == '[' {
		return "" // a single label, or an address (URL Standard, section 3.5, "ends in a number")
	}
	site, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	return site
}

// isInsecure reports whether who is on the way can be the origin: http, and not the own machine (Secure Contexts,
// section 3.1).
func isInsecure(text string) bool {
	scheme, host := hostPart(text)
	if scheme != "http" {
		return false
	}
	return !origin.IsLoopback(host)
}

// maxHeld is how many places of hosts in others are looked at.
const maxHeld = 4 << 20

// lookAlikes returns, of granted origins, those whose host holds another one and belongs to another site, each with the
// one that it holds.
func lookAlikes(origins []string) map[string]string {
	type held struct{ host, site string }
	var hosts []held
	seen := map[string]bool{}
	for _, origin := range origins {
		scheme, host := hostPart(origin)
		if scheme != "http" && scheme != "https" || seen[host] {
			continue
		}
		seen[host] = true
		if site := siteOf(host); site != "" {
			hosts = append(hosts, held{strings.TrimSuffix(host, "."), site})
		}
	}
	slices.SortFunc(hosts, func(a, b held) int { return strings.Compare(a.host, b.host) })
	// All hosts one behind the other, and where each begins: an index of that finds each of them in all others.
	var all []byte
	starts := make([]int, len(hosts))
	for i, h := range hosts {
		starts[i] = len(all)
		all = append(append(all, h.host...), '\n')
	}
	index := suffixarray.New(all)
	alike := map[string]string{}
	looked := 0
	for _, h := range hosts {
		for _, at := range index.Lookup([]byte(h.host), maxHeld-looked) {
			looked++
			i, exact := slices.BinarySearch(starts, at)
			if !exact {
				i--
			}
			holder := hosts[i]
			if had, ok := alike[holder.host]; holder.site != h.site && (!ok || h.host < had) {
				alike[holder.host] = h.host
			}
		}
		if looked >= maxHeld {
			break
		}
	}
	out := map[string]string{}
	for _, origin := range origins {
		if _, host := hostPart(origin); alike[strings.TrimSuffix(host, ".")] != "" {
			out[origin] = alike[strings.TrimSuffix(host, ".")]
		}
	}
	return out
}
