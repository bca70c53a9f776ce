package finding

import "regexp"

// placeholder is a variable of a template: ${ORIGIN}, $ORIGIN, {{ .Values.origin }}, %ORIGIN%, <% … %>.
var placeholder = regexp.MustCompile(`\$\{[^}]*\}|\$\([A-Za-z_]|\{\{|\}\}|<%|%>|(^|[^\\])\$[A-Za-z_][A-Za-z0-9_]+|^%[A-Za-z_][A-Za-z0-9_]*%$`)

// IsPlaceholder reports whether a text has a variable of a template in it that nobody has filled in.
func IsPlaceholder(s string) bool { return placeholder.MatchString(s) }

// PlaceholderMessage is what is said of such a text.
const PlaceholderMessage = "this has a variable in it that nobody has filled in: policy files are taken as they are, so fill templates in before (envsubst, Helm and the like)"
