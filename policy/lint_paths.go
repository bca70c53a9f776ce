package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/match"
)

// lintPath finds paths of route i that no browser sends, such as are never granted anything, and such in which a star was
// meant to stand for something.
func (l *linter) lintPath(at func() finding.Location, h *virtualHost, i int) {
	t := &h.routes[i]
	if h.neverGrants(i) {
		l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(), Value: t.text,
			Message: "a path like this can be read in two ways, and the other way leads elsewhere: nothing is ever granted here", Fix: h.spelledOut(t)})
		return
	}
	if t.kind == routeRegex {
		if before, ok := strings.CutSuffix(t.text, "/*"); ok && before != "" {
			l.found.Warn(finding.Finding{Code: finding.CodePathStar, Location: at(), Value: t.text,
				Message: "in an expression /* is a slash that may be left out or repeated; what stands for any rest is /.*", Fix: before + "/.*"})
		}
		return
	}
	if !isPathKind(t.kind) {
		return
	}
	sent := asSent(t.text)
	switch {
	case isTemplate(t.text):
		l.found.Warn(finding.Finding{Code: finding.CodePathTemplate, Location: at(), Value: t.text,
			Message: "this looks like a template, and nothing in a path stands for something else: write regex: '" + templateRegex(t) + "'"})
	case t.isResolved():
		l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(), Value: t.text,
			Message: "no request gets here: browsers resolve dot segments, and make slashes of backslashes, before they send a path"})
	case strings.ContainsAny(t.text, "{}"):
		l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(), Value: t.text,
			Message: "no request gets here: nothing in a path stands for something else, and braces arrive as " + sent + "; a regex can say what varies"})
	case sent != t.text:
		l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(), Value: t.text,
			Message: "no request gets here: this is not how browsers send such a path", Fix: sent})
	case strings.Contains(t.text, "*"):
		l.found.Warn(finding.Finding{Code: finding.CodePathStar, Location: at(), Value: t.text,
			Message: "a star in a path is nothing but a star; prefix covers all paths that begin alike, and a regex can say what varies"})
	}
}

// neverGrants reports whether all that route i covers, as far as samples tell, can be read in two ways and leads to places
// that do not decide alike.
func (h *virtualHost) neverGrants(i int) bool {
	t := &h.routes[i]
	never := false
	for _, path := range t.twofoldPaths() {
		if h.route("", path) != i {
			continue // it has an earlier place
		}
		never = false
		for read := range match.OtherReadings(path) {
			never = never || !t.decidesAs(h.at(h.route("", read)))
		}
		if !never {
			return false
		}
	}
	return never
}

// twofoldPaths returns samples of the paths that a route covers, if all of them can be read in more than one way.
func (t *route) twofoldPaths() (paths []string) {
	switch {
	case t.kind == routePrefix && match.IsTwofold(t.text+"x"): // "/." alone also begins "/.well-known"
		return []string{t.text + "x"}
	case t.kind == routePath && match.IsTwofold(t.text), t.kind == routeSegments && match.IsTwofold(t.text):
		return []string{t.text}
	case t.kind == routeRegex && match.IsTwofold(regexReach(t.text).prefix+"x"):
		return t.samplePaths()
	}
	return nil
}

// isResolved reports whether browsers resolve what the paths of a route begin with, so that they never send it (URL
// Standard, section 4.4, "path state": an escaped dot is one there too).
func (t *route) isResolved() bool {
	text := []byte(t.text)
	if t.kind == routePrefix {
		text = append(text, 'x') // "/." alone also begins "/.well-known"
	}
	plain := match.TurnBackslashes(match.Decode(text, &isDot))
	return strings.Contains(t.text, `\`) || len(match.ResolveDots(slices.Clone(plain))) < len(plain)
}

// isDot holds the byte of dot segments.
var isDot = [256]bool{'.': true}

// spelledOut returns a path as it is spelt where all say the same by it (RFC 3986, section 6.2.2), or nothing where that
// is no other spelling, leaves another choice, or is another route's.
func (h *virtualHost) spelledOut(t *route) string {
	if t.kind == routeRegex {
		return ""
	}
	spelled := route{kind: t.kind, text: string(match.DecodeUnreserved(match.RaiseDigits([]byte(t.text))))}
	if spelled.text == t.text || len(spelled.twofoldPaths()) > 0 || slices.ContainsFunc(h.routes, func(o route) bool { return o.says(&spelled) }) {
		return ""
	}
	return spelled.text
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
