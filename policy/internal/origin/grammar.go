package origin

// Tested by policy/internal/regex/grammar_test.go.

import (
	"regexp"
	"strings"
	"sync"
)

// The grammar of http(s) origins as expressions: what Parse accepts of these schemes, but for the bound on its
// length. Expressions can be held against each other (package regex does it), functions cannot. TestOriginGrammar keeps
// both alike.
const (
	grammarLabel = `[a-z0-9_-]`
	// A last label that is no number, which would make the host an IPv4 address (readHost, isNumber).
	grammarLastLabel = `(?:[a-z_-]` + grammarLabel + `*|[1-9][0-9]*[a-z_-]` + grammarLabel + `*|0[0-9]+[a-z_-]` + grammarLabel + `*|` +
		`0[a-wyz_-]` + grammarLabel + `*|0x[0-9a-f]*[g-z_-]` + grammarLabel + `*)`
	grammarDomain = `(?:` + grammarLabel + `+\.)*` + grammarLastLabel + `\.?`
	grammarOctet  = `(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	grammarIPv4   = `(?:` + grammarOctet + `\.){3}` + grammarOctet
	grammarGroup  = `[1-9a-f][0-9a-f]{0,3}` // of an IPv6 address, other than 0

	grammarLongPort = `[1-9][0-9]{3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]`
	grammarNot80    = `(?::(?:[1-9]|[1-79][0-9]|8[1-9]|[1-9][0-9]{2}|` + grammarLongPort + `))?`
	grammarNot443   = `(?::(?:[1-9]|[1-9][0-9]|[1-35-9][0-9]{2}|4[0-35-9][0-9]|44[0-24-9]|` + grammarLongPort + `))?`

	// Hosts that are this machine (W3C Secure Contexts, section 3.1, for the addresses, also where IPv6 maps them, and
	// RFC 6761, section 6.3, for localhost and its subdomains).
	grammarLoopback = `(?:(?:` + grammarLabel + `+\.)*localhost\.?|127(?:\.` + grammarOctet + `){3}|\[::1\]|\[::ffff:7f[0-9a-f]{2}:(?:0|` + grammarGroup + `)\])`
)

// grammarIPv6 returns an expression for the bracketed IPv6 addresses as they are serialised (URL standard, "IPv6
// serializer"): the first of the longest runs of two or more groups that are 0 is written "::".
func grammarIPv6() string {
	var all [][]string
	for zeros := range 1 << 8 { // which of the eight groups are 0
		isZero := func(group int) bool { return group < 8 && zeros>>group&1 == 1 }
		from, length := 0, 1 // of the longest run
		for i := 0; i < 8; i++ {
			end := i
			for isZero(end) {
				end++
			}
			if end-i > length {
				from, length = i, end-i
			}
			i = end
		}
		var parts []string
		for i := 0; i < 8; i++ {
			switch {
			case length > 1 && i == from:
				parts = append(parts, "::")
				i += length - 1
				continue
			case i > 0 && parts[len(parts)-1] != "::":
				parts = append(parts, ":")
			}
			if isZero(i) {
				parts = append(parts, "0")
			} else {
				parts = append(parts, grammarGroup)
			}
		}
		all = append(all, parts)
	}
	return `\[` + oneOf(all) + `\]`
}

// oneOf returns an expression for some sequences of parts. What several begin with is there once.
func oneOf(all [][]string) string {
	var order, texts []string
	rests := map[string][][]string{} // by the first part
	for _, parts := range all {
		if len(parts) == 0 {
			texts = append(texts, "")
			continue
		}
		if rests[parts[0]] == nil {
			order = append(order, parts[0])
		}
		rests[parts[0]] = append(rests[parts[0]], parts[1:])
	}
	for _, first := range order {
		texts = append(texts, first+oneOf(rests[first]))
	}
	return "(?:" + strings.Join(texts, "|") + ")"
}

// The http(s) origins as expressions, in parts. A loopback origin is in another part as well.
const (
	GrammarLoopback    = `http://` + grammarLoopback + grammarNot80                            // http, on this machine
	GrammarHTTP        = `http://(?:` + grammarDomain + `|` + grammarIPv4 + `)` + grammarNot80 // http, not of an IPv6 address
	GrammarBracketed   = `http://\[[0-9a-f:]+\]` + grammarNot80                                // http, of what may be an IPv6 address
	GrammarHTTPDomain  = `http://` + grammarDomain + grammarNot80                              // http, of a domain
	GrammarHTTPSDomain = `https://` + grammarDomain + grammarNot443                            // https, of a domain
)

// GrammarHTTPIPv6 returns the expression for the http origins of IPv6 addresses, which is by far the largest.
func GrammarHTTPIPv6() string { return `http://` + grammarIPv6() + grammarNot80 }

var loopback = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^` + grammarLoopback + `$`) })

// IsLoopback reports whether a host of an origin is this machine: localhost and its subdomains, and the loopback
// addresses.
func IsLoopback(host string) bool { return loopback().MatchString(host) }
