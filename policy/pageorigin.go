package policy

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
	if fix, why, found := canonicalPattern(s); found && isPage(fix) {
		return fix, why, false
	}
	return "", "an origin is scheme://host[:port], as a browser writes it, or null", false
}
