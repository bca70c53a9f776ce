package policy

import (
	"fmt"
	"regexp"
	"strings"
)

// lintPath finds paths that no browser sends, and such in which a star was meant to stand for something.
func (l *linter) lintPath(at func() Place, t *route) {
	if t.kind == routeRegex {
		if before, ok := strings.CutSuffix(t.text, "/*"); ok && before != "" {
			l.warn(at(), CodePathStar, t.text,
				"in an expression /* is a slash that may be left out or repeated; what stands for any rest is /.*", before+"/.*", nil)
		}
		return
	}
	if !isPathKind(t.kind) {
		return
	}
	sent := asSent(t.text)
	switch {
	case isTemplate(t.text):
		l.warn(at(), CodePathTemplate, t.text,
			"this looks like a template, and nothing in a path stands for something else: write regex: '"+templateRegex(t)+"'", "", nil)
	case t.kind == routePrefix && isAmbiguous(t.text+"x"), // "/." alone also begins "/.well-known"
		t.kind != routePrefix && isAmbiguous(t.text):
		l.warn(at(), CodeUnreachableRoute, t.text,
			"a path like this can be read in two ways, and the other way leads elsewhere: nothing is ever granted here", "", nil)
	case strings.ContainsAny(t.text, "{}"):
		l.warn(at(), CodeUnreachableRoute, t.text,
			"no request gets here: nothing in a path stands for something else, and braces arrive as "+sent+"; a regex can say what varies", "", nil)
	case sent != t.text:
		l.warn(at(), CodeUnreachableRoute, t.text, "no request gets here: this is not how browsers send such a path", sent, nil)
	case strings.Contains(t.text, "*"):
		l.warn(at(), CodePathStar, t.text,
			"a star in a path is nothing but a star; prefix covers all paths that begin alike, and a regex can say what varies", "", nil)
	}
}

// templateSegment is a segment that other routers let stand for any: :id, {id}, {id:[0-9]+}, <id>, <int:id>.
var templateSegment = regexp.MustCompile(`^(:[A-Za-z_][A-Za-z0-9_]*\??|\{[A-Za-z_*][^/{}]*\}|<[A-Za-z_][A-Za-z0-9_:]*>)$`)

// isTemplate reports whether a path has such a segment, and can be shown.
func isTemplate(path string) bool {
	if !strings.ContainsAny(path, ":{<") || strings.Contains(path, "'") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if templateSegment.MatchString(segment) {
			return true
		}
	}
	return false
}

// templateRegex returns the expression that says what a template means.
func templateRegex(t *route) string {
	segments := strings.Split(t.text, "/")
	for i, segment := range segments {
		if templateSegment.MatchString(segment) {
			segments[i] = "[^/]+"
		} else {
			segments[i] = regexp.QuoteMeta(segment)
		}
	}
	rest := ""
	switch t.kind {
	case routePrefix:
		rest = ".*"
	case routeSegments:
		rest = "(/.*)?"
	}
	return strings.Join(segments, "/") + rest
}

// asSent returns a path with what browsers escape in one (URL standard, "path percent-encode set").
func asSent(path string) string {
	escaped := func(c byte) bool { return c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>`{}", c) >= 0 }
	i := 0
	for i < len(path) && !escaped(path[i]) {
		i++
	}
	if i == len(path) {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if c := path[i]; escaped(c) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
