package verify

// Tested by questions_test.go.

import (
	"net/netip"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// stranger is a page that no policy means.
const stranger = "https://corsproc-verify.example"

// kindOf returns what kind of pattern one is: what a gateway that understands one pattern of a kind and not another does
// not tell apart.
func kindOf(pattern string) string {
	o, ok := origin.Cut(pattern)
	if !ok {
		return pattern // "*" and "null"
	}
	scheme, host, port := o.Scheme, "exact", "default port"
	if !o.IsWeb() {
		scheme = "other"
	}
	switch {
	case o.Host == "*":
		host = "any host"
	case strings.HasPrefix(o.Host, "*."):
		host = "subdomains"
	case strings.Contains(o.Host, "*"):
		host = "part of a label"
	}
	switch o.Port {
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
	o, ok := origin.Cut(pattern)
	switch {
	case pattern == "*":
		return []string{stranger}
	case !ok:
		return []string{pattern} // "null"
	}
	var hosts []string
	switch {
	case o.Host == "*" && o.IsWeb():
		hosts = []string{"any.corsproc-verify.example"}
	case o.Host == "*":
		hosts = []string{"corsproc-verify"}
	case strings.HasPrefix(o.Host, "*."):
		hosts = []string{"corsproc-verify" + o.Host[1:], "a.b" + o.Host[1:]}
		if len(hosts[0]) > maxHost {
			hosts = []string{"a" + o.Host[1:]} // the longest names have no room for more
		}
	default:
		label, _, _ := strings.Cut(o.Host, ".")
		for _, text := range []string{"a1", "a"} {
			if len(label)+len(text)-1 <= maxLabel && len(o.Host)+len(text)-1 <= maxHost || text == "a" {
				hosts = append(hosts, strings.Replace(o.Host, "*", text, 1))
				break
			}
		}
	}
	ports := []string{o.Port}
	if o.Port == "*" {
		ports = []string{"", "8443"}
	}
	var all []string
	for i, host := range hosts {
		for j, port := range ports {
			if i == 0 || j == 0 {
				all = append(all, origin.Parts{Scheme: o.Scheme, Host: host, Port: port}.String())
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
func nearMisses(pattern, page string) []string {
	o, ok := origin.Cut(page)
	if !ok {
		return nil
	}
	var all []string
	add := func(change func(o *origin.Parts)) {
		p := o
		if change(&p); p != o && len(p.Host) <= maxHost {
			all = append(all, p.String())
		}
	}
	if o.IsWeb() {
		add(func(o *origin.Parts) { o.Scheme = map[string]string{"https": "http", "http": "https"}[o.Scheme] })
	}
	add(func(o *origin.Parts) {
		if o.Port == "" {
			o.Port = "8444"
		} else {
			o.Port = ""
		}
	})
	if !o.IsWeb() {
		add(func(o *origin.Parts) { o.Host += "x" })
		return all
	}
	if strings.HasPrefix(o.Host, "[") {
		return all
	}
	add(func(o *origin.Parts) { o.Host += ".evil.example" })
	if p, ok := origin.Cut(pattern); ok && strings.HasPrefix(p.Host, "*.") {
		add(func(o *origin.Parts) { o.Host = p.Host[2:] })
		add(func(o *origin.Parts) { o.Host = "evil" + p.Host[2:] })
	} else if ok && strings.Contains(p.Host, "*") && p.Host != "*" {
		for _, text := range []string{"", "a.b", "a_b"} {
			add(func(o *origin.Parts) { o.Host = strings.Replace(p.Host, "*", text, 1) })
		}
		add(func(o *origin.Parts) { o.Host = "evil." + o.Host })
	} else if _, err := netip.ParseAddr(o.Host); err != nil {
		add(func(o *origin.Parts) { o.Host = "evil" + o.Host })
		add(func(o *origin.Parts) { o.Host = strings.Replace(o.Host, ".", "x", 1) })
	}
	return all
}

// malformed returns values of Origin that no browser sends, as like to an origin as can be.
func malformed(page string) []string {
	o, ok := origin.Cut(page)
	if !ok || !o.IsWeb() {
		o, _ = origin.Cut(stranger)
	}
	path := o.String() + "/"
	o.Host = strings.ToUpper(o.Host)
	if o.String()+"/" == path {
		return []string{path} // an address has no case
	}
	return []string{o.String(), path}
}
