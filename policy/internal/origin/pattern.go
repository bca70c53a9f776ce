package origin

// Tested by policy/naive_test.go and policy/patterns_test.go.

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// A Pattern is an entry of allow_origins, deny_origins or an origin set, taken apart.
type Pattern struct {
	Kind   Kind
	Origin Origin   // scheme, host and port; Text is the pattern as written
	Hosts  HostKind // which hosts, given that of Origin
	Label           // of HostLabel
	Index  int      // in its list, where that is kept
}

// Kind is what a pattern stands for.
type Kind uint8

const (
	PatternAny    Kind = iota // "*"
	PatternNull               // "null"
	PatternSet                // "@name"; the name is in Origin.Host
	PatternOrigin             // scheme://host[:port], with or without wildcards
)

// HostKind says which hosts a pattern covers.
type HostKind uint8

const (
	HostExact HostKind = iota
	HostSub            // *.host: one or more labels in front of the host
	HostAny            // *
	HostLabel          // app-*.host: one label in front of the host, of which a part is written
)

// AnyPort in a pattern's port stands for ":*": any port, also none.
const AnyPort = -1

// IsExact reports whether the pattern is one single origin.
func (p *Pattern) IsExact() bool {
	return p.Kind == PatternOrigin && p.Hosts == HostExact && p.Origin.Port != AnyPort
}

// neverSent are schemes whose documents have opaque origins or that no document can have: no Origin header carries them
// (URL standard, "origin"; Fetch, WebSocket handshakes carry the page's http(s) origin).
var neverSent = []string{"about", "blob", "data", "filesystem", "ftp", "javascript", "mailto", "view-source", "ws", "wss"}

const notAPattern = "an origin pattern is scheme://host[:port], \"*\", \"null\" or \"@\" and the name of an origin set"

// ParsePattern takes an origin pattern apart. Where that cannot be done it returns why.
func ParsePattern(s string) (Pattern, string) {
	p := Pattern{Kind: PatternOrigin}
	if p.parseUsual(s) {
		return p, nameFault(p.Origin.Host, p.Hosts == HostSub)
	}
	p = Pattern{Kind: PatternOrigin}
	switch {
	case s == "*":
		return Pattern{Kind: PatternAny}, ""
	case s == "null":
		return Pattern{Kind: PatternNull}, ""
	case strings.HasPrefix(s, "@"):
		return Pattern{Kind: PatternSet, Origin: Origin{Host: s[1:]}}, ""
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return Pattern{}, notAPattern
	}
	if slices.Contains(neverSent, scheme) {
		return Pattern{}, "no browser sends an Origin of the scheme " + scheme
	}
	if scheme == "file" && rest != "" {
		return Pattern{}, originFault(scheme, rest)
	}
	// What is left when the wildcards are taken away is an origin, and is held to the same grammar.
	concrete, anyPorts := s, false
	if base, ok := strings.CutSuffix(concrete, ":*"); ok && rest != ":*" {
		concrete, rest, anyPorts = base, base[len(scheme)+len("://"):], true
	}
	switch {
	case rest == "*" || strings.HasPrefix(rest, "*:"):
		p.Hosts = HostAny
		concrete = scheme + "://any" + rest[1:]
	case strings.HasPrefix(rest, "*."):
		p.Hosts = HostSub
		concrete = scheme + "://" + rest[len("*."):]
	case strings.Contains(rest, "*"):
		var fault string
		if p.Prefix, p.Suffix, fault = cutStarred(rest); fault != "" {
			return Pattern{}, fault
		}
		p.Hosts = HostLabel
		concrete = strings.Replace(concrete, "*", "x", 1)
	}
	o, ok := Parse(concrete)
	switch {
	case !ok:
		return Pattern{}, originFault(scheme, strings.TrimPrefix(concrete, scheme+"://"))
	case anyPorts && o.Port != 0:
		return Pattern{}, "a pattern has one port, or :* for any"
	}
	if p.Hosts == HostSub && (strings.HasPrefix(o.Host, "[") || IsIPv4(o.Host)) {
		return Pattern{}, "an IP address has no subdomains"
	}
	if p.Hosts == HostLabel {
		o.Host = o.Host[len(p.Prefix)+len("x")+len(p.Suffix)+len("."):]
		if fault := labelFault(p.Prefix, p.Suffix, o.Host); fault != "" {
			return Pattern{}, fault
		}
	}
	if o.Scheme == "http" || o.Scheme == "https" {
		if fault := nameFault(o.Host, p.Hosts == HostSub); fault != "" {
			return Pattern{}, fault
		}
	}
	p.Origin = o
	p.Origin.Text = s
	if anyPorts {
		p.Origin.Port = AnyPort
	}
	if p.Hosts == HostAny {
		p.Origin.Host = ""
	}
	return p, ""
}

// parseUsual parses what nearly all patterns are: exact http(s) origins, and *.domain with or without a port of its own.
// It reports false for all else, whether that is a pattern or not.
func (p *Pattern) parseUsual(s string) bool {
	o := &p.Origin
	if len(s) > MaxLen {
		return false
	}
	switch {
	case strings.HasPrefix(s, "https://"):
		o.Scheme = "https"
	case strings.HasPrefix(s, "http://"):
		o.Scheme = "http"
	default:
		return false
	}
	o.Text = s
	start := len(o.Scheme) + len("://")
	if strings.HasPrefix(s[start:], "*.") {
		p.Hosts = HostSub
		start += len("*.")
	}
	return o.parseWeb(s, start) && (p.Hosts == HostExact || o.Host[0] != '[' && !IsIPv4(o.Host))
}

// canonical returns the spelling that the author of a pattern that cannot be parsed most likely meant, with the
// reason why what is written matches nothing. It is a guess where it says more than another spelling of what is written,
// or less. It reports false where there is no one such spelling.
func canonical(s string) (fix, why string, guess, ok bool) {
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
	if web, after, ok := strings.Cut(t, "//"); !found && ok && (strings.EqualFold(web, "https") || strings.EqualFold(web, "http")) {
		scheme, rest, found = web, after, true
		say("has a colon after its scheme")
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
	if p, why := ParsePattern(fix); why != "" || p.Kind != PatternOrigin {
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
	if n, ok := ParsePort(port); ok && n == DefaultPort(scheme) {
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
	} else if label, rest, ok := strings.Cut(host, "."); ok && strings.Count(label, "*") == 1 {
		star, host = strings.ToLower(label)+".", rest
		if star != label+"." {
			say("is lower-case")
		}
	}
	if lower := strings.ToLower(host); lower != host {
		host = lower
		say("is lower-case")
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil && addr.Is6() && addr.Zone() == "" {
			if canonical := "[" + string(AppendIPv6(nil, addr)) + "]"; canonical != host {
				host = canonical
				say("writes an IPv6 address in its shortest form")
			}
		}
	} else if !fetch.IsASCII(host) {
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

// joinWords joins parts of a sentence: "a", "a and b", "a, b and c".
func joinWords(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
