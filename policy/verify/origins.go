package verify

// Tested by questions_test.go.

import (
	"net/netip"
	"strings"
)

// stranger is a page that no policy means.
const stranger = "https://corsproc-verify.example"

// An originParts is an origin, or a pattern, taken apart.
type originParts struct{ scheme, host, port string }

func partsOf(s string) (o originParts, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return o, false
	}
	host, port := rest, ""
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		host, port = rest[:i], rest[i+1:]
	}
	return originParts{scheme, host, port}, true
}

func (o originParts) String() string {
	if o.port == "" {
		return o.scheme + "://" + o.host
	}
	return o.scheme + "://" + o.host + ":" + o.port
}

func (o originParts) isWeb() bool { return o.scheme == "http" || o.scheme == "https" }

// kindOf returns what kind of pattern one is: what a gateway that understands one pattern of a kind and not another does
// not tell apart.
func kindOf(pattern string) string {
	o, ok := partsOf(pattern)
	if !ok {
		return pattern // "*" and "null"
	}
	scheme, host, port := o.scheme, "exact", "default port"
	if !o.isWeb() {
		scheme = "other"
	}
	switch {
	case o.host == "*":
		host = "any host"
	case strings.HasPrefix(o.host, "*."):
		host = "subdomains"
	case strings.Contains(o.host, "*"):
		host = "part of a label"
	}
	switch o.port {
	case "":
	case "*":
		port = "any port"
	default:
		port = "port"
	}
	return scheme + ", " + host + ", " + port
}

// covered returns origins that a pattern covers, of each thing that a wildcard may stand for one.
func covered(pattern string) []string {
	o, ok := partsOf(pattern)
	switch {
	case pattern == "*":
		return []string{stranger}
	case !ok:
		return []string{pattern} // "null"
	}
	var hosts []string
	switch {
	case o.host == "*" && o.isWeb():
		hosts = []string{"any.corsproc-verify.example"}
	case o.host == "*":
		hosts = []string{"corsproc-verify"}
	case strings.HasPrefix(o.host, "*."):
		hosts = []string{"corsproc-verify" + o.host[1:], "a.b" + o.host[1:]}
		if len(hosts[0]) > maxHost {
			hosts = []string{"a" + o.host[1:]} // the longest names have no room for more
		}
	default:
		label, _, _ := strings.Cut(o.host, ".")
		for _, text := range []string{"a1", "a"} {
			if len(label)+len(text)-1 <= maxLabel && len(o.host)+len(text)-1 <= maxHost || text == "a" {
				hosts = append(hosts, strings.Replace(o.host, "*", text, 1))
				break
			}
		}
	}
	ports := []string{o.port}
	if o.port == "*" {
		ports = []string{"", "8443"}
	}
	var all []string
	for i, host := range hosts {
		for j, port := range ports {
			if i == 0 || j == 0 {
				all = append(all, originParts{o.scheme, host, port}.String())
			}
		}
	}
	return all
}

// maxHost and maxLabel are the lengths of the longest name of a host, and of the longest label in one.
const (
	maxHost  = 253
	maxLabel = 63
)

// nearMisses returns what looks like an origin that a pattern covers and is another one: another scheme, another port, a
// host that begins or ends with it, one in which a dot is another character, of a wildcard the host that it is below, and of a
// star in a label what that does not stand for.
func nearMisses(pattern, origin string) []string {
	o, ok := partsOf(origin)
	if !ok {
		return nil
	}
	var all []string
	add := func(change func(o *originParts)) {
		p := o
		if change(&p); p != o && len(p.host) <= maxHost {
			all = append(all, p.String())
		}
	}
	if o.isWeb() {
		add(func(o *originParts) { o.scheme = map[string]string{"https": "http", "http": "https"}[o.scheme] })
	}
	add(func(o *originParts) {
		if o.port == "" {
			o.port = "8444"
		} else {
			o.port = ""
		}
	})
	if !o.isWeb() {
		add(func(o *originParts) { o.host += "x" })
		return all
	}
	if strings.HasPrefix(o.host, "[") {
		return all
	}
	add(func(o *originParts) { o.host += ".evil.example" })
	if p, ok := partsOf(pattern); ok && strings.HasPrefix(p.host, "*.") {
		add(func(o *originParts) { o.host = p.host[2:] })
		add(func(o *originParts) { o.host = "evil" + p.host[2:] })
	} else if ok && strings.Contains(p.host, "*") && p.host != "*" {
		for _, text := range []string{"", "a.b", "a_b"} {
			add(func(o *originParts) { o.host = strings.Replace(p.host, "*", text, 1) })
		}
		add(func(o *originParts) { o.host = "evil." + o.host })
	} else if _, err := netip.ParseAddr(o.host); err != nil {
		add(func(o *originParts) { o.host = "evil" + o.host })
		add(func(o *originParts) { o.host = strings.Replace(o.host, ".", "x", 1) })
	}
	return all
}

// malformed returns values of Origin that no browser sends, as like to an origin as can be.
func malformed(origin string) []string {
	o, ok := partsOf(origin)
	if !ok || !o.isWeb() {
		o, _ = partsOf(stranger)
	}
	path := o.String() + "/"
	o.host = strings.ToUpper(o.host)
	if o.String()+"/" == path {
		return []string{path} // an address has no case
	}
	return []string{o.String(), path}
}
