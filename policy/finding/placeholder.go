package finding

// Tested by finding_test.go.

import (
	"regexp"
	"strings"
)

// placeholder is a variable of a template: ${ORIGIN}, $ORIGIN, {{ .Values.origin }}, %ORIGIN%, <% … %>.
var placeholder = regexp.MustCompile(`\$\{[^}]*\}|\$\([A-Za-z_]|\{\{|\}\}|<%|%>|(^|[^\\])\$[A-Za-z_][A-Za-z0-9_]+|^%[A-Za-z_][A-Za-z0-9_]*%$`)

// maxPlaceholder is how much of a text is searched for variables: a value of megabytes is not read twice.
const maxPlaceholder = 6520 // bytes: twenty origins of the greatest length

// IsPlaceholder reports whether a text has a variable of a template in it that nobody has filled in. Only the beginning of a
// very long one is looked at.
func IsPlaceholder(s string) bool {
	s = s[:min(len(s), maxPlaceholder)]
	return strings.ContainsAny(s, "$%{}") && placeholder.MatchString(s)
}

// PlaceholderMessage is what is said of such a text.
const PlaceholderMessage = "this has a variable in it that nobody has filled in: policy files are taken as they are, so fill templates in before (envsubst, Helm and the like)"
