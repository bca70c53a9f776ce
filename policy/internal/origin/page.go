package origin

import "strings"

// CheckPage reports whether a browser sends s as the Origin of some page: an origin as it is serialised, or "null".
// Where it does not, why says so, for people, and fix is the right spelling where there is one.
func CheckPage(s string) (fix, why string, ok bool) {
	isPage := func(s string) bool {
		p, why := ParsePattern(s)
		return why == "" && (p.IsExact() || p.Kind == PatternNull)
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
		fix, _, ok := CheckPage(rest)
		if ok {
			fix = rest
		}
		if fix != "" {
			return fix, "a page of the scheme blob has the origin of the page that made it", false
		}
	}
	if severalOrigins(s) != nil {
		return "", "these are several origins, and a page has one", false
	}
	if fix, why, _, found := canonical(s); found && isPage(fix) {
		return fix, why, false
	}
	if p, why := ParsePattern(s); why != "" && strings.Contains(s, "://") && !strings.Contains(s, "*") && p.Kind != PatternSet {
		return "", why, false
	}
	return "", "an origin is scheme://host[:port], as a browser writes it, or null", false
}
