package origin

// Tested by parts_test.go.

import "strings"

// Parts are an origin, or a pattern, cut where its parts meet. Nothing of them is looked at: what a browser sent and what a
// policy says was parsed before.
type Parts struct {
	Scheme string
	Host   string // IPv6 addresses with their brackets
	Port   string // empty: none, which is the scheme's default port
}

// Cut cuts an origin or a pattern into its parts. It reports false for what has none, "null" and "*".
func Cut(s string) (p Parts, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return p, false
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		return Parts{scheme, rest[:i], rest[i+1:]}, true
	}
	return Parts{Scheme: scheme, Host: rest}, true
}

// String puts the parts together.
func (p Parts) String() string {
	if p.Port == "" {
		return p.Scheme + "://" + p.Host
	}
	return p.Scheme + "://" + p.Host + ":" + p.Port
}

// IsWeb reports whether it is the origin of pages of the web, or a pattern of such.
func (p Parts) IsWeb() bool { return p.Scheme == "http" || p.Scheme == "https" }
