package match

// Tested by policy/naive_test.go.

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// Domains finds the virtual host of an authority by Envoy's rules (source/common/router/config_impl.cc,
// RouteMatcher::findVirtualHost): exact, then the longest suffix wildcard, then the longest prefix wildcard. Keys are
// lower-case and without their star.
type Domains struct {
	Index
	suffixLens, PrefixLens []int   // longest first
	Everything             HostKey // of "*"; 0: none, as that is default
}

// The spaces of the index.
const (
	domainExact = iota
	DomainSuffix
	DomainPrefix
)

// HostKey is a virtual host and which of its domains it is found by.
type HostKey uint64

// MakeHostKey makes the key of a virtual host, other than 0, from its index and that of the domain.
func MakeHostKey(host, domain int) HostKey { return HostKey(host)<<32 | HostKey(uint32(domain)) }

// Host returns the index of the virtual host, Domain that of the domain in it.
func (k HostKey) Host() int   { return int(k >> 32) }
func (k HostKey) Domain() int { return int(uint32(k)) }

// Add takes a lower-case domain in. It returns what has it already, or 0.
func (d *Domains) Add(domain string, key HostKey) (had HostKey) {
	switch {
	case domain == "*":
		if d.Everything == 0 {
			d.Everything = key
			return 0
		}
		return d.Everything
	case strings.HasPrefix(domain, "*"):
		AddLength(&d.suffixLens, len(domain)-1)
		return HostKey(d.Index.Add(DomainSuffix, domain[1:], uint64(key)))
	case strings.HasSuffix(domain, "*"):
		AddLength(&d.PrefixLens, len(domain)-1)
		return HostKey(d.Index.Add(DomainPrefix, domain[:len(domain)-1], uint64(key)))
	}
	return HostKey(d.Index.Add(domainExact, domain, uint64(key)))
}

// AddLength enters n into lens, which are sorted from the longest to the shortest.
func AddLength(lens *[]int, n int) {
	at, found := slices.BinarySearchFunc(*lens, n, func(have, want int) int { return want - have })
	if !found {
		*lens = slices.Insert(*lens, at, n)
	}
}

// Find returns the virtual host of an authority, or 0. Beyond Envoy's rules the authority is tried without its port when
// nothing matches it with its port, as Envoy itself does with ignore_port_in_host_matching.
func (d *Domains) Find(authority string) int {
	if d.used == 0 {
		return d.Everything.Host()
	}
	key := d.exact(authority)
	if key != 0 {
		return key.Host()
	}
	name := authority
	if fetch.HasUpperASCII(name) {
		name = string(fetch.LowerASCII(name, nil))
		key = d.exact(name)
	}
	if key == 0 {
		key = d.wildcard(name)
	}
	if key == 0 {
		if bare, ok := CutPort(name); ok {
			if key = d.exact(bare); key == 0 {
				key = d.wildcard(bare)
			}
		}
	}
	if key == 0 {
		key = d.Everything
	}
	return key.Host()
}

func (d *Domains) exact(name string) HostKey { return HostKey(d.Index.Find(domainExact, name)) }

// wildcard looks for wildcards, the longest first. One stands for at least one character.
func (d *Domains) wildcard(name string) HostKey {
	for _, n := range d.suffixLens {
		if n < len(name) {
			if key := d.Index.Find(DomainSuffix, name[len(name)-n:]); key != 0 {
				return HostKey(key)
			}
		}
	}
	for _, n := range d.PrefixLens {
		if n < len(name) {
			if key := d.Index.Find(DomainPrefix, name[:n]); key != 0 {
				return HostKey(key)
			}
		}
	}
	return 0
}

// CutPort cuts a host's port off, as Envoy does it: at the last colon, unless a bracket follows (HeaderUtility::
// getPortStart). Whether digits follow is not looked at.
func CutPort(host string) (string, bool) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.IndexByte(host[i:], ']') >= 0 {
		return host, false
	}
	return host[:i], true
}

// CheckDomain says why a domain, in Envoy's syntax, can never match an authority, and what was meant where that can be
// told. Domains are compared in lower case, so upper case is no mistake.
func CheckDomain(s string) (why, fix string) {
	lower := strings.ToLower(s)
	if lower == "*" {
		return "", ""
	}
	if why := domainFault(lower); why != "" {
		fix, guess := canonicalDomain(lower)
		switch {
		case fix == "" || fix == lower || domainFault(fix) != "":
			return why, ""
		case guess:
			return why + "; if " + fix + " is meant, write that", ""
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
	case !fetch.IsASCII(s):
		return "requests carry international names in their xn-- form"
	case strings.Contains(body, "*"):
		return "a star stands at the beginning or at the end of a domain, and only once"
	}
	if body == s { // exact
		host, port := s, ""
		if h, ok := CutPort(s); ok {
			if strings.Contains(h, ":") && !strings.HasPrefix(h, "[") {
				return "an IPv6 address stands in brackets"
			}
			host, port = h, s[len(h)+1:]
			if _, ok := origin.ParsePort(port); !ok {
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

// canonicalDomain returns what the author of a faulty domain most likely meant. It is a guess where it says less than what
// is written.
func canonicalDomain(s string) (fix string, guess bool) {
	s = strings.TrimSpace(s)
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if i := strings.IndexAny(s, `/\?#`); i >= 0 {
		s, guess = s[:i], s[i:] != "/"
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s, guess = s[i+1:], true
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Is6() && addr.Zone() == "" {
		return "[" + string(origin.AppendIPv6(nil, addr)) + "]", guess
	}
	if !fetch.IsASCII(s) {
		star := ""
		if rest, ok := strings.CutPrefix(s, "*."); ok {
			star, s = "*.", rest
		}
		ascii, err := idna.New(idna.MapForLookup(), idna.Transitional(false)).ToASCII(s)
		if err != nil {
			return "", false
		}
		s = star + ascii
	}
	return s, guess
}
