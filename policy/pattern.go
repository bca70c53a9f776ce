package policy

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// A pattern is an entry of allow_origins, deny_origins or an origin set, taken apart.
type pattern struct {
	kind   patternKind
	origin origin // scheme, host and port; text is the pattern as written
	host   hostKind
	index  int // in its list, where that is kept
}

type patternKind uint8

const (
	patternAny    patternKind = iota // "*"
	patternNull                      // "null"
	patternSet                       // "@name"; name in origin.host
	patternOrigin                    // scheme://host[:port], with or without wildcards
)

type hostKind uint8

const (
	hostExact hostKind = iota
	hostSub            // *.host: one or more labels in front of host
	hostAny            // *
)

// anyPort in a pattern's port stands for ":*": any port, also none.
const anyPort = -1

// isExact reports whether the pattern is one single origin.
func (p *pattern) isExact() bool {
	return p.kind == patternOrigin && p.host == hostExact && p.origin.port != anyPort
}

// neverSent are schemes whose documents have opaque origins or that no document can have: no Origin header carries them
// (URL standard, "origin"; Fetch, WebSocket handshakes carry the page's http(s) origin).
var neverSent = []string{"about", "blob", "data", "filesystem", "ftp", "javascript", "mailto", "view-source", "ws", "wss"}

// parsePattern takes an origin pattern apart. Where that cannot be done it returns why.
func parsePattern(s string) (pattern, string) {
	p := pattern{kind: patternOrigin}
	if p.parseUsual(s) {
		return p, nameFault(p.origin.host, p.host == hostSub)
	}
	p = pattern{kind: patternOrigin}
	switch {
	case s == "*":
		return pattern{kind: patternAny}, ""
	case s == "null":
		return pattern{kind: patternNull}, ""
	case strings.HasPrefix(s, "@"):
		return pattern{kind: patternSet, origin: origin{host: s[1:]}}, ""
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return pattern{}, "an origin pattern is scheme://host[:port], \"*\", \"null\" or \"@\" and the name of an origin set"
	}
	if slices.Contains(neverSent, scheme) {
		return pattern{}, "no browser sends an Origin of the scheme " + scheme
	}
	// What is left when the wildcards are taken away is an origin, and is held to the same grammar.
	concrete, anyPorts := s, false
	if base, ok := strings.CutSuffix(concrete, ":*"); ok && rest != ":*" {
		concrete, rest, anyPorts = base, base[len(scheme)+len("://"):], true
	}
	switch {
	case rest == "*" || strings.HasPrefix(rest, "*:"):
		p.host = hostAny
		concrete = scheme + "://any" + rest[1:]
	case strings.HasPrefix(rest, "*."):
		p.host = hostSub
		concrete = scheme + "://" + rest[len("*."):]
	case strings.Contains(rest, "*"):
		return pattern{}, "a star stands for the first labels of a host (*.example.com), for the whole host or for the port, and nowhere else"
	}
	o, ok := parseOrigin(concrete)
	switch {
	case !ok || o.scheme == "file" && s != "file://":
		return pattern{}, originFault(scheme, strings.TrimPrefix(concrete, scheme+"://"))
	case anyPorts && o.port != 0:
		return pattern{}, "a pattern has one port, or :* for any"
	}
	if p.host == hostSub && (strings.HasPrefix(o.host, "[") || isIPv4(o.host)) {
		return pattern{}, "an IP address has no subdomains"
	}
	if o.scheme == "http" || o.scheme == "https" {
		if fault := nameFault(o.host, p.host == hostSub); fault != "" {
			return pattern{}, fault
		}
	}
	p.origin = o
	p.origin.text = s
	if anyPorts {
		p.origin.port = anyPort
	}
	if p.host == hostAny {
		p.origin.host = ""
	}
	return p, ""
}

// parseUsual parses what nearly all patterns are: exact http(s) origins, and *.domain with or without a port of its own.
// It reports false for all else, whether that is a pattern or not.
func (p *pattern) parseUsual(s string) bool {
	o := &p.origin
	if len(s) > maxOriginLen {
		return false
	}
	switch {
	case strings.HasPrefix(s, "https://"):
		o.scheme = "https"
	case strings.HasPrefix(s, "http://"):
		o.scheme = "http"
	default:
		return false
	}
	o.text = s
	start := len(o.scheme) + len("://")
	if strings.HasPrefix(s[start:], "*.") {
		p.host = hostSub
		start += len("*.")
	}
	return o.parseWeb(s, start) && (p.host == hostExact || o.host[0] != '[' && !isIPv4(o.host))
}

// canonicalPattern returns the spelling that the author of a pattern that cannot be parsed most likely meant, with the
// reason why what is written matches nothing. It is a guess where it says more than another spelling of what is written,
// or less. It reports false where there is no one such spelling.
func canonicalPattern(s string) (fix, why string, guess, ok bool) {
	var reasons []string
	say := func(reason string) {
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	t := strings.TrimSpace(s)
	if t != s {
		say("has no blanks around it")
	}
	if strings.EqualFold(t, "null") {
		return "null", "the opaque origin is written in lower case", false, true
	}
	scheme, rest, found := strings.Cut(t, "://")
	if web, after, ok := strings.Cut(t, ":"); !found && ok && (strings.EqualFold(web, "https") || strings.EqualFold(web, "http")) {
		scheme, rest, found = web, strings.TrimPrefix(after, "/"), true
		say("has two slashes after its scheme")
	}
	if !found {
		rest = strings.TrimPrefix(t, "//")
		if rest == "" || strings.ContainsAny(rest, " \t@") {
			return "", "", false, false
		}
		scheme, guess = "https", true
		if host, _, _ := strings.Cut(rest, ":"); host == "localhost" {
			scheme = "http"
		}
		say("begins with a scheme")
	}
	if lower := strings.ToLower(scheme); lower != scheme {
		scheme = lower
		say("is lower-case")
	}
	if web, ok := map[string]string{"ws": "http", "wss": "https"}[scheme]; ok {
		scheme, guess = web, true
		say("is that of the page, which is http or https also for WebSockets")
	}
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		guess = guess || rest[i:] != "/"
		rest = rest[:i]
		say("has no path")
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest, guess = rest[i+1:], true
		say("has no user name")
	}
	if scheme == "http" || scheme == "https" {
		guess = guess || strings.HasPrefix(rest, ".")
		rest = canonicalHostPort(scheme, rest, say)
	}
	fix = scheme + "://" + rest
	if fix == s {
		return "", "", false, false
	}
	if p, why := parsePattern(fix); why != "" || p.kind != patternOrigin {
		return "", "", false, false
	}
	return fix, "an origin " + joinWords(reasons), guess, true
}

// canonicalHostPort returns host and port of an http(s) pattern as a browser would serialise them, as far as that can be
// told, and says what it changed.
func canonicalHostPort(scheme, s string, say func(string)) string {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') && strings.Count(s, ":") == strings.Count(s[:i], ":")+1 {
		host, port = s[:i], s[i+1:]
	}
	if trimmed := strings.TrimLeft(port, "0"); trimmed != port && trimmed != "" {
		port = trimmed
		say("has a port without leading zeros")
	}
	if n, ok := parsePort(port); ok && n == defaultPort(scheme) {
		port = ""
		say("leaves the default port out")
	} else if port == "" && host != s {
		say("has no colon without a port")
	}
	star := ""
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		star, host = "*.", rest
	} else if rest, ok := strings.CutPrefix(host, "."); ok {
		star, host = "*.", rest
		say("covers subdomains by \"*.\"")
	}
	if lower := strings.ToLower(host); lower != host {
		host = lower
		say("is lower-case")
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil && addr.Is6() && addr.Zone() == "" {
			if canonical := "[" + string(appendIPv6(nil, addr)) + "]"; canonical != host {
				host = canonical
				say("writes an IPv6 address in its shortest form")
			}
		}
	} else if !isASCII(host) {
		if ascii, err := idna.New(idna.MapForLookup(), idna.Transitional(false)).ToASCII(host); err == nil {
			host = ascii
			say("writes an international name in its xn-- form")
		}
	}
	if port != "" {
		return star + host + ":" + port
	}
	return star + host
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// joinWords joins parts of a sentence: "a", "a and b", "a, b and c".
func joinWords(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
