package policy

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// domains finds the virtual host of an authority by Envoy's rules (source/common/router/config_impl.cc,
// RouteMatcher::findVirtualHost): exact, then the longest suffix wildcard, then the longest prefix wildcard. Keys are
// lower-case and without their star.
type domains struct {
	exact                  map[string]int
	suffix, prefix         map[string]int
	suffixLens, prefixLens []int // longest first
	all                    int   // the virtual host of "*"; 0: none, as that is default
}

// add takes a lower-case domain in. It returns the virtual host that has it already, or 0.
func (d *domains) add(domain string, host int) (had int) {
	insert := func(m *map[string]int, key string, lens *[]int) int {
		if *m == nil {
			*m = make(map[string]int)
		}
		if had, ok := (*m)[key]; ok {
			return had
		}
		(*m)[key] = host
		if lens != nil {
			at, found := slices.BinarySearchFunc(*lens, len(key), func(have, want int) int { return want - have })
			if !found {
				*lens = slices.Insert(*lens, at, len(key))
			}
		}
		return 0
	}
	switch {
	case domain == "*":
		if d.all == 0 {
			d.all = host
			return 0
		}
		return d.all
	case strings.HasPrefix(domain, "*"):
		return insert(&d.suffix, domain[1:], &d.suffixLens)
	case strings.HasSuffix(domain, "*"):
		return insert(&d.prefix, domain[:len(domain)-1], &d.prefixLens)
	}
	return insert(&d.exact, domain, nil)
}

// find returns the virtual host of an authority, or 0. Beyond Envoy's rules the authority is tried without its port when
// nothing matches it with its port, as Envoy itself does with ignore_port_in_host_matching.
func (d *domains) find(authority string) int {
	name := authority
	if hasUpperASCII(name) {
		name = string(lowerASCII(name, nil))
	}
	if host := d.search(name); host != 0 {
		return host
	}
	if bare, ok := cutPort(name); ok {
		if host := d.search(bare); host != 0 {
			return host
		}
	}
	return d.all
}

func (d *domains) search(name string) int {
	if host, ok := d.exact[name]; ok {
		return host
	}
	// A wildcard stands for at least one character.
	for _, n := range d.suffixLens {
		if n < len(name) {
			if host, ok := d.suffix[name[len(name)-n:]]; ok {
				return host
			}
		}
	}
	for _, n := range d.prefixLens {
		if n < len(name) {
			if host, ok := d.prefix[name[:n]]; ok {
				return host
			}
		}
	}
	return 0
}

// cutPort cuts a host's port off, as Envoy does it: at the last colon, unless a bracket follows (HeaderUtility::
// getPortStart). Whether digits follow is not looked at.
func cutPort(host string) (string, bool) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.IndexByte(host[i:], ']') >= 0 {
		return host, false
	}
	return host[:i], true
}

// checkDomain says why a domain, in Envoy's syntax, can never match an authority, and what was meant where that can be
// told. Domains are compared in lower case, so upper case is no mistake.
func checkDomain(s string) (why, fix string) {
	lower := strings.ToLower(s)
	if lower == "*" {
		return "", ""
	}
	if why := domainFault(lower); why != "" {
		if fix = canonicalDomain(lower); fix != "" && (fix == lower || domainFault(fix) != "") {
			fix = ""
		}
		return why, fix
	}
	return "", ""
}

func domainFault(s string) string {
	body := s
	if strings.HasPrefix(s, "*") {
		body = s[1:]
	} else if strings.HasSuffix(s, "*") {
		body = s[:len(s)-1]
	}
	switch {
	case s == "":
		return "a domain is not empty"
	case strings.Contains(s, "://"):
		return "a domain has no scheme"
	case strings.ContainsAny(s, `/\?#`):
		return "a domain has no path"
	case strings.Contains(s, "@"):
		return "a domain has no user name"
	case strings.ContainsAny(s, " \t\r\n"):
		return "a domain has no blanks"
	case !isASCII(s):
		return "requests carry international names in their xn-- form"
	case strings.Contains(body, "*"):
		return "a star stands at the beginning or at the end of a domain, and only once"
	}
	if body == s { // exact
		host, port := s, ""
		if h, ok := cutPort(s); ok {
			if strings.Contains(h, ":") && !strings.HasPrefix(h, "[") {
				return "an IPv6 address stands in brackets"
			}
			host, port = h, s[len(h)+1:]
			if _, ok := parsePort(port); !ok {
				return "a port is a number from 1 to 65535"
			}
		}
		if strings.HasPrefix(host, "[") {
			if _, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]")); err != nil || !strings.HasSuffix(host, "]") {
				return "this is no IPv6 address"
			}
			return ""
		}
		if host == "" || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
			return "a domain has no empty labels"
		}
	} else if strings.Contains(body, "..") {
		return "a domain has no empty labels"
	}
	for i := 0; i < len(body); i++ {
		if c := body[i]; c <= ' ' || c == 0x7f || strings.IndexByte("\"<>`{|}^", c) >= 0 {
			return "a domain has letters, digits, hyphens, underscores and dots"
		}
	}
	return ""
}

// canonicalDomain returns what the author of a faulty domain most likely meant.
func canonicalDomain(s string) string {
	s = strings.TrimSpace(s)
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if i := strings.IndexAny(s, `/\?#`); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Is6() && addr.Zone() == "" {
		return "[" + string(appendIPv6(nil, addr)) + "]"
	}
	if !isASCII(s) {
		star := ""
		if rest, ok := strings.CutPrefix(s, "*."); ok {
			star, s = "*.", rest
		}
		ascii, err := idna.New(idna.MapForLookup(), idna.Transitional(false)).ToASCII(s)
		if err != nil {
			return ""
		}
		s = star + ascii
	}
	return s
}
