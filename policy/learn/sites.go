package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"index/suffixarray"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

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

// siteOfOrigin returns the registrable domain of an origin's host, empty if it has none.
func siteOfOrigin(text string) string {
	p, _ := origin.Cut(text)
	return siteOf(p.Host)
}

// isInsecure reports whether who is on the way can be the origin: http, and not the own machine (Secure Contexts,
// section 3.1).
func isInsecure(text string) bool {
	p, _ := origin.Cut(text)
	return p.Scheme == "http" && !origin.IsLoopback(p.Host)
}

// maxHeld is how many places of hosts in others are looked at.
const maxHeld = 4 << 20

// lookAlikes returns, of granted origins, those whose host holds another one and belongs to another site, each with the
// one that it holds.
func lookAlikes(origins []string) map[string]string {
	type held struct{ host, site string }
	var hosts []held
	seen := map[string]bool{}
	for _, text := range origins {
		p, _ := origin.Cut(text)
		if !p.IsWeb() || seen[p.Host] {
			continue
		}
		seen[p.Host] = true
		if site := siteOf(p.Host); site != "" {
			hosts = append(hosts, held{strings.TrimSuffix(p.Host, "."), site})
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
	for _, text := range origins {
		p, _ := origin.Cut(text)
		if holds := alike[strings.TrimSuffix(p.Host, ".")]; holds != "" {
			out[text] = holds
		}
	}
	return out
}
