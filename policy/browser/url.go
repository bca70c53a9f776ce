package browser

// Tested by usage_test.go, model_test.go and against_url_test.go.

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// target is a URL as a browser has parsed it (URL standard, section 4.4, for the special schemes http, https, ws, wss).
type target struct {
	scheme   string // as it is asked for: ws and wss too
	host     string
	port     string // empty: the scheme's default
	path     string // with its query, as sent
	fragment string // with its #, never sent
}

// origin returns the URL's origin. That of a WebSocket is compared as that of http or https.
func (t target) origin() origin.Parts {
	scheme := t.scheme
	switch scheme {
	case "ws":
		scheme = "http"
	case "wss":
		scheme = "https"
	}
	return origin.Parts{Scheme: scheme, Host: t.host, Port: t.port}
}

// authority returns what is sent as Host or :authority.
func (t target) authority() string {
	if t.port == "" {
		return t.host
	}
	return t.host + ":" + t.port
}

// String returns the URL as a browser shows it, without its fragment.
func (t target) String() string { return t.scheme + "://" + t.authority() + t.path }

// defaultPorts are the ports that URLs leave out.
var defaultPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443"}

// parseURL parses an absolute URL as a browser does. What browsers mend without a word (backslashes, dot segments,
// blanks, upper case in hosts) is mended, because it decides under which path a policy is found.
func parseURL(s string, webSocket bool) (t target, err error) {
	if len(s) > MaxURLBytes {
		return t, fmt.Errorf("is longer than %d bytes", MaxURLBytes)
	}
	s = strings.ToValidUTF8(strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }), "\uFFFD")
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	scheme, rest, ok := strings.Cut(s, ":")
	t.scheme = strings.ToLower(scheme)
	switch {
	case !ok || !(strings.HasPrefix(strings.ReplaceAll(rest, `\`, "/"), "//")):
		return t, errors.New("is not absolute; write https://host/path")
	case defaultPorts[t.scheme] == "":
		return t, errors.New("is neither http nor https")
	case webSocket:
		t.scheme = map[string]string{"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}[t.scheme]
	case t.scheme[0] == 'w':
		return t, errors.New("is that of a WebSocket, which fetch does not open (--websocket does, in a test file websocket: true)")
	}
	rest, t.fragment = split(rest[2:], "#")
	rest, query := split(rest, "?")
	authority, path := split(rest, `/\`)
	if strings.Contains(authority, "@") {
		return t, errors.New("has a user name or password, with which fetch throws")
	}
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
	}
	if t.host, err = parseHost(host); err != nil {
		return t, err
	}
	if t.port, err = parsePort(port); err != nil {
		return t, err
	}
	if t.port == defaultPorts[t.scheme] {
		t.port = ""
	}
	t.path = parsePath(path) + escape(query, ` "#<>'`)
	t.fragment = escape(t.fragment, " \"<>`")
	return t, nil
}

// split cuts s in front of the first of some characters.
func split(s, chars string) (before, after string) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func parsePort(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return "", fmt.Errorf("has no port of 0 to 65535 after its host: %q", cut(s))
	}
	return strconv.FormatUint(port, 10), nil
}

// hostProfile maps hosts as browsers do: UTS 46, not transitional, without the rules for host names (URL standard,
// section 3.3, "domain to ASCII").
var hostProfile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false))

// parseHost returns a host as a browser serialises it.
func parseHost(s string) (string, error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !strings.HasSuffix(inner, "]") || !addr.Is6() || addr.Zone() != "" {
			return "", fmt.Errorf("has no host that is an IPv6 address: %q", cut(s))
		}
		if addr.Is4In6() { // which browsers never write with dots
			b := addr.As16()
			return fmt.Sprintf("[::ffff:%x:%x]", uint(b[12])<<8|uint(b[13]), uint(b[14])<<8|uint(b[15])), nil
		}
		return "[" + addr.String() + "]", nil
	}
	host, err := hostProfile.ToASCII(unescape(s))
	if host == "" {
		return "", errors.New("has no host")
	}
	if err != nil || strings.ContainsFunc(host, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("#%/:<>?@[\\]^|", r)
	}) {
		return "", fmt.Errorf("has a host that no name can be: %q", cut(s))
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if last := labels[len(labels)-1]; isNumber(last) || strings.HasPrefix(last, "0x") {
		// Browsers read a host that ends in a number as an address, in any spelling; only the one that they write is taken.
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is4() {
			return "", fmt.Errorf("has a host that ends in a number and is no address of the form 192.0.2.1: %q", cut(s))
		}
	}
	return host, nil
}

// parsePath resolves dot segments, and escapes what a path cannot hold (URL standard, section 4.4, "path state").
func parsePath(s string) string {
	return resolvePath(s, func(segment string) string { return escape(segment, " \"#<>?^`{}") })
}

// resolvePath resolves dot segments, escaped ones too, takes backslashes for slashes, and writes each segment that stays.
func resolvePath(s string, write func(segment string) string) string {
	var segments []string
	rest := strings.ReplaceAll(s, `\`, "/")
	all := strings.Split(strings.TrimPrefix(rest, "/"), "/")
	for i, segment := range all {
		last := i == len(all)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".":
			if last {
				segments = append(segments, "")
			}
		case "..":
			if len(segments) > 0 {
				segments = segments[:len(segments)-1]
			}
			if last {
				segments = append(segments, "")
			}
		default:
			segments = append(segments, write(segment))
		}
	}
	return "/" + strings.Join(segments, "/")
}

// escape percent-encodes control bytes, everything beyond ASCII, and some more.
func escape(s, more string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || strings.IndexByte(more, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape decodes what is percent-encoded, and leaves alone what only looks like it.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
