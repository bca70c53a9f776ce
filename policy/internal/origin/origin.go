package origin

// Tested by policy/naive_test.go and policy/internal/regex/grammar_test.go.

import (
	"net/netip"
	"strings"
)

// An Origin is a well-formed value of the Origin header, taken apart. Its parts are substrings of the header.
type Origin struct {
	Text   string // the whole value; for a pattern's origin also
	Scheme string
	Host   string // IPv6 addresses with their brackets
	Port   int32  // 0: none, which is the scheme's default port
	Null   bool   // the opaque origin; no other field is set
}

// MaxLen bounds the work that an Origin header can cause: a scheme of 64 bytes, "://", a host of 253 bytes and a
// port of 5 digits with its colon.
const MaxLen = 64 + 3 + 253 + 6

// maxOpaqueHost bounds the host of an origin whose scheme is neither http nor https.
const maxOpaqueHost = 255

// maxPort is the greatest TCP port.
const maxPort = 65535

// Parse takes apart the value of an Origin header. It reports false for everything that is not exactly one
// serialised origin or "null" (Fetch, section 3.1, "Origin" header): lists, upper case in http(s), default or odd ports,
// blanks, control bytes and so on. Such a value matches no pattern and is never echoed.
//
// The grammar is that of Fetch, with three additions that browsers do send, because the URL standard lets hosts have
// them: underscores, a final dot, and labels that begin or end with a hyphen. "file://" is what some WebViews send.
func Parse(s string) (o Origin, ok bool) {
	ok = o.Parse(s)
	return o, ok
}

// Parse is the function of this name into o, which is zero. Where it reports false, what is in o means nothing.
func (o *Origin) Parse(s string) bool {
	o.Text = s
	switch {
	case len(s) > MaxLen:
		return false
	case strings.HasPrefix(s, "https://"):
		o.Scheme = "https"
	case strings.HasPrefix(s, "http://"):
		o.Scheme = "http"
	default:
		return o.parseOther(s)
	}
	return o.parseWeb(s, len(o.Scheme)+len("://"))
}

// parseWeb parses the host that begins at start, and the port, of the http(s) origin s.
func (o *Origin) parseWeb(s string, start int) (ok bool) {
	end := start
	if rest := s[start:]; rest != "" && rest[0] == '[' {
		end += strings.IndexByte(rest, ']') + 1
		ok = isIPv6(s[start:end])
	} else {
		end, ok = readHost(s, start)
	}
	if !ok {
		return false
	}
	o.Host = s[start:end]
	if end == len(s) {
		return true
	}
	if s[end] != ':' {
		return false
	}
	o.Port, ok = ParsePort(s[end+1:])
	return ok && o.Port != DefaultPort(o.Scheme)
}

// parseOther parses what is no http(s) origin.
func (o *Origin) parseOther(s string) bool {
	switch s {
	case "null":
		o.Null = true
		return true
	case "file://":
		o.Scheme = "file"
		return true
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !isScheme(scheme) {
		return false
	}
	host, port, hasPort := strings.Cut(rest, ":")
	o.Scheme, o.Host = scheme, host
	if hasPort {
		if o.Port, ok = ParsePort(port); !ok {
			return false
		}
	}
	return isOpaqueHost(host)
}

// DefaultPort returns the port that origins of a scheme leave out; 0: the scheme has none (URL standard, special
// schemes, of which only these two get into an Origin header).
func DefaultPort(scheme string) int32 {
	switch scheme {
	case "http":
		return 80
	case "https":
		return 443
	}
	return 0
}

// isScheme reports whether s is a scheme as the URL standard serialises it: a lower-case letter, then lower-case
// letters, digits, "+", "-" and ".".
func isScheme(s string) bool {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// ParsePort reads a port of 1 to 65535 without sign and leading zeros.
func ParsePort(s string) (int32, bool) {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return 0, false
	}
	n := int32(0)
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int32(s[i]-'0')
	}
	return n, n <= maxPort
}

// isOpaqueHost reports whether s can be the host of an origin whose scheme is neither http nor https: an identifier
// that no standard looks into (chrome-extension://…, app://-).
func isOpaqueHost(s string) bool {
	if s == "" || len(s) > maxOpaqueHost {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; !isLabelByte[s[i]] && (c < 'a' || c > 'z') && s[i] != '.' {
			return false
		}
	}
	return true
}

// isLabelByte holds the bytes of a serialised label. The underscore is not in Fetch's grammar, but in real hosts.
var isLabelByte = func() (is [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyz0123456789-_" {
		is[c] = true
	}
	return
}()

// readHost reads a domain or an IPv4 address that begins at start, and returns where it ends: at the end of s or before
// the first byte that belongs to neither. A domain has lower-case labels, of which only the last may be empty (a final
// dot), and whose last one is not a number. A host that ends in a number is an IPv4 address or no host at all (URL
// standard, "ends in a number checker"), so no browser serialises it as a domain.
func readHost(s string, start int) (end int, ok bool) {
	label, last := start, start // the current label, and the last one that is not empty
	i := start
	for ; i < len(s); i++ {
		if isLabelByte[s[i]] {
			continue
		}
		if s[i] != '.' {
			break
		}
		if i == label {
			return i, false
		}
		last, label = label, i+1
	}
	lastEnd := i
	switch {
	case label < i:
		last = label
	case i == start:
		return i, false
	default:
		lastEnd-- // the final dot
	}
	if c := s[last]; '0' <= c && c <= '9' && isNumber(s[last:lastEnd]) {
		return i, IsIPv4(s[start:i])
	}
	return i, true
}

// isNumber reports whether a label is what the URL standard takes for a number: decimal digits, or 0x and hexadecimal
// digits (also none).
func isNumber(label string) bool {
	rest, hex := strings.CutPrefix(label, "0x")
	for i := 0; i < len(rest); i++ {
		if c := rest[i]; (c < '0' || c > '9') && (!hex || c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// IsIPv4 reports whether s is an IPv4 address of four decimal numbers without leading zeros.
func IsIPv4(s string) bool {
	if len(s) < len("0.0.0.0") || len(s) > len("255.255.255.255") || s[0] < '0' || s[0] > '9' {
		return false
	}
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Is4()
}

// isIPv6 reports whether s is a bracketed IPv6 address as the URL standard serialises it.
func isIPv6(s string) bool {
	// The shortest is [::], the longest has eight groups of four digits.
	if len(s) < len("[::]") || len(s) > len("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]") {
		return false
	}
	inner := s[1 : len(s)-1]
	addr, err := netip.ParseAddr(inner)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return false
	}
	var buf [64]byte
	return string(AppendIPv6(buf[:0], addr)) == inner
}

// AppendIPv6 appends an address as the URL standard serialises it: RFC 5952, but without the embedded IPv4 form of its
// section 5, which netip uses for ::ffff:0:0/96.
func AppendIPv6(dst []byte, addr netip.Addr) []byte {
	if !addr.Is4In6() {
		return addr.AppendTo(dst)
	}
	const digits = "0123456789abcdef"
	b := addr.As16()
	dst = append(dst, "::ffff"...)
	for i := 12; i < 16; i += 2 {
		dst = append(dst, ':')
		n := uint16(b[i])<<8 | uint16(b[i+1])
		started := false
		for shift := 12; shift >= 0; shift -= 4 {
			if d := n >> shift & 0xf; d != 0 || started || shift == 0 {
				dst, started = append(dst, digits[d]), true
			}
		}
	}
	return dst
}
