package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/corsproc/corsproc/policy/browser"
)

// Routes says how places are split into routes.
type Routes int8

const (
	RoutesAuto   Routes = iota // by the first path segment, where one origin was granted under one and refused under another
	RoutesNone   Routes = -1   // never
	RoutesByName Routes = -2   // by Envoy's name of the route
	maxDepth     Routes = 4    // 1 to 4: always, by so many path segments
)

// RoutesNames are the values of --routes.
var RoutesNames = []string{"auto", "none", "name", "1", "2", "3", "4"}

// ParseRoutes reads a value of --routes.
func ParseRoutes(s string) (Routes, error) {
	switch s {
	case "auto":
		return RoutesAuto, nil
	case "none":
		return RoutesNone, nil
	case "name":
		return RoutesByName, nil
	}
	if len(s) == 1 && s[0] >= '1' && s[0] <= '0'+byte(maxDepth) {
		return Routes(s[0] - '0'), nil
	}
	return 0, fmt.Errorf("%q is none of %s", s, strings.Join(RoutesNames, ", "))
}

// routeOf returns the route under which a line counts, and whether that is a whole path. Empty: the place itself.
func (r Routes) routeOf(v *values) (route []byte, exact bool) {
	switch r {
	case RoutesNone:
		return nil, false
	case RoutesByName:
		if route = v.of[fieldRoute]; len(route) > maxValueBytes || bytes.IndexByte(route, '*') >= 0 {
			return nil, false // a star would stand for other names too
		}
		return route, false
	case RoutesAuto:
		r = 1
	}
	return pathPrefix(v, int(r))
}

// pathPrefix returns the first segments of a path, or all of a path that has fewer.
func pathPrefix(v *values, segments int) (prefix []byte, exact bool) {
	path := normalPath(v)
	if len(path) == 0 || path[0] != '/' {
		return nil, false
	}
	end := 0
	for range segments {
		if end == len(path) {
			return short(path), true // it ends before
		}
		next := bytes.IndexByte(path[end+1:], '/')
		if next < 0 {
			next = len(path) - end - 1
		}
		if next == 0 { // an empty segment: the path ends with a slash
			return short(path), true
		}
		end += 1 + next
	}
	return short(path[:end]), false
}

// short returns a path that is not too long to be kept, and else nothing: the beginning of one is another path.
func short(path []byte) []byte {
	if len(path) > maxValueBytes {
		return nil
	}
	return path
}

// pathOf returns the path of a line without query and fragment.
func pathOf(v *values) []byte {
	path := v.of[fieldPath]
	if i := bytes.IndexAny(path, "?#"); i >= 0 {
		return path[:i]
	}
	return path
}

// maxNormalPath is the longest path that is normalised; longer ones count as they are.
const maxNormalPath = 8 << 10

// normalPath returns the path of a line as Envoy with the reference configuration hands it on.
func normalPath(v *values) []byte {
	path := pathOf(v)
	if len(path) <= maxNormalPath && (bytes.IndexByte(path, '%') >= 0 || bytes.IndexByte(path, '\\') >= 0 || bytes.Contains(path, []byte("//")) || bytes.Contains(path, []byte("/."))) {
		if normal, ok := browser.EnvoyPath(string(path)); ok {
			return []byte(normal)
		}
	}
	return path
}
