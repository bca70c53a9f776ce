package policy

import "strings"

// CheckOrigin reports whether a browser sends s as the Origin of some page: an origin as it is serialised, or "null".
// Where it does not, why says so, for people, and fix is the right spelling where there is one.
func CheckOrigin(s string) (fix, why string, ok bool) {
	isPage := func(s string) bool {
		p, why := parsePattern(s)
		return why == "" && (p.isExact() || p.kind == patternNull)
	}
	if isPage(s) {
		return "", "", true
	}
	scheme, rest, _ := strings.Cut(s, ":")
	switch strings.ToLower(scheme) {
	case "data":
		return "null", "a page of the scheme data has the opaque origin", false
	case "blob": // its origin is that of the page that made it (URL standard, section 4.7, "origin")
		if !strings.HasPrefix(rest, "http") {
			break
		}
		fix, _, ok := CheckOrigin(rest)
		if ok {
			fix = rest
		}
		if fix != "" {
			return fix, "a page of the scheme blob has the origin of the page that made it", false
		}
	}
	if fix, why, _, found := canonicalPattern(s); found && isPage(fix) {
		return fix, why, false
	}
	if p, why := parsePattern(s); why != "" && strings.Contains(s, "://") && !strings.Contains(s, "*") && p.kind != patternSet {
		return "", why, false
	}
	return "", "an origin is scheme://host[:port], as a browser writes it, or null", false
}
