package lint

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/regex"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/match"
)

// lintPath finds paths of route i that no browser sends, such as are never granted anything, and such in which a star was
// meant to stand for something.
func (l *Linter) lintPath(at func() finding.Location, h *compiled.VirtualHost, i int) {
	t := &h.Routes[i]
	if neverGrants(h, i) {
		l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(), Value: t.Text,
			Message: "a path like this can be read in two ways, and the other way leads elsewhere: nothing is ever granted here", Fix: spelledOut(h, t)})
		return
	}
	if t.Kind == compiled.RouteRegex {
		if before, ok := strings.CutSuffix(t.Text, "/*"); ok && before != "" {
			l.found.Warn(finding.Finding{Code: finding.CodePathStar, Location: at(), Value: t.Text,
				Message: "in an expression /* is a slash that may be left out or repeated; what stands for any rest is /.*", Fix: before + "/.*"})
		}
		return
	}
	if !isPathKind(t.Kind) {
		return
	}
	sent := asSent(t.Text)
	switch {
	case isTemplate(t.Text):
		l.found.Warn(finding.Finding{Code: finding.CodePathTemplate, Location: at(), Value: t.Text,
			Message: "this looks like a template, and nothing in a path stands for something else: write regex: '" + templateRegex(t) + "'"})
	case isResolved(t):
		l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(), Value: t.Text,
			Message: "no request gets here: browsers resolve dot segments, and make slashes of backslashes, before they send a path"})
	case strings.ContainsAny(t.Text, "{}"):
		l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(), Value: t.Text,
			Message: "no request gets here: nothing in a path stands for something else, and braces arrive as " + sent + "; a regex can say what varies"})
	case sent != t.Text:
		l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(), Value: t.Text,
			Message: "no request gets here: this is not how browsers send such a path", Fix: sent})
	case strings.Contains(t.Text, "*"):
		l.found.Warn(finding.Finding{Code: finding.CodePathStar, Location: at(), Value: t.Text,
			Message: "a star in a path is nothing but a star; prefix covers all paths that begin alike, and a regex can say what varies"})
	}
}

// neverGrants reports whether all that route i covers, as far as samples tell, can be read in two ways and leads to places
// that do not decide alike.
func neverGrants(h *compiled.VirtualHost, i int) bool {
	t := &h.Routes[i]
	never := false
	for _, path := range twofoldPaths(t) {
		if h.RouteOf("", path) != i {
			continue // it has an earlier place
		}
		never = false
		for read := range match.OtherReadings(path) {
			never = never || !t.DecidesAs(h.PlaceOf(h.RouteOf("", read)))
		}
		if !never {
			return false
		}
	}
	return never
}

// twofoldPaths returns samples of the paths that a route covers, if all of them can be read in more than one way.
func twofoldPaths(t *compiled.Route) (paths []string) {
	switch {
	case t.Kind == compiled.RoutePrefix && match.IsTwofold(t.Text+"x"): // "/." alone also begins "/.well-known"
		return []string{t.Text + "x"}
	case t.Kind == compiled.RoutePath && match.IsTwofold(t.Text), t.Kind == compiled.RouteSegments && match.IsTwofold(t.Text):
		return []string{t.Text}
	case t.Kind == compiled.RouteRegex && match.IsTwofold(regex.ReachOf(t.Text).Prefix+"x"):
		return regex.SamplePaths(t.Text, t.Pattern)
	}
	return nil
}

// isResolved reports whether browsers resolve what the paths of a route begin with, so that they never send it (URL
// Standard, section 4.4, "path state": an escaped dot is one there too).
func isResolved(t *compiled.Route) bool {
	text := []byte(t.Text)
	if t.Kind == compiled.RoutePrefix {
		text = append(text, 'x') // "/." alone also begins "/.well-known"
	}
	plain := match.TurnBackslashes(match.Decode(text, &isDot))
	return strings.Contains(t.Text, `\`) || len(match.ResolveDots(slices.Clone(plain))) < len(plain)
}

// isDot holds the byte of dot segments.
var isDot = [256]bool{'.': true}

// spelledOut returns a path as it is spelt where all say the same by it (RFC 3986, section 6.2.2), or nothing where that
// is no other spelling, leaves another choice, or is another route's.
func spelledOut(h *compiled.VirtualHost, t *compiled.Route) string {
	if t.Kind == compiled.RouteRegex {
		return ""
	}
	spelled := compiled.Route{Kind: t.Kind, Text: string(match.DecodeUnreserved(match.RaiseDigits([]byte(t.Text))))}
	if spelled.Text == t.Text || len(twofoldPaths(&spelled)) > 0 || slices.ContainsFunc(h.Routes, func(o compiled.Route) bool { return o.Says(&spelled) }) {
		return ""
	}
	return spelled.Text
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
