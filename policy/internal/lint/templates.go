package lint

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"regexp"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
)

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
func templateRegex(t *compiled.Route) string {
	segments := strings.Split(t.Text, "/")
	for i, segment := range segments {
		if templateSegment.MatchString(segment) {
			segments[i] = "[^/]+"
		} else {
			segments[i] = regexp.QuoteMeta(segment)
		}
	}
	rest := ""
	switch t.Kind {
	case compiled.RoutePrefix:
		rest = ".*"
	case compiled.RouteSegments:
		rest = "(/.*)?"
	}
	return strings.Join(segments, "/") + rest
}
