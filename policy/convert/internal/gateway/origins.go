package gateway

// Tested by origins_test.go and policy/convert/gateway_test.go.

import (
	"regexp"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
)

// A gatewayOrigin is what an entry of allowOrigins is in a policy: a pattern, else an expression, else nothing, and why.
type gatewayOrigin struct{ pattern, regex, nothing string }

// apiOrigin is what Gateway API's text of HTTPCORSFilter says of origins: "*" covers labels to its left, and a port
// that is missing is the scheme's own, in origins and in the configuration. So :443 is the same as none.
func apiOrigin(text string) gatewayOrigin {
	switch {
	case text == "*":
		return gatewayOrigin{pattern: "*"}
	case len(text) > maxGatewayOrigin || !apiOriginForm.MatchString(text):
		return gatewayOrigin{nothing: "it is none of *, http(s)://host, http(s)://*.host and http(s)://*, with or without a port; write it as one of them"}
	case strings.HasPrefix(text, "https://"):
		text = strings.TrimSuffix(text, ":443")
	default:
		text = strings.TrimSuffix(text, ":80")
	}
	if fault := build.PatternFault(text); fault != "" {
		return gatewayOrigin{nothing: "no browser sends such an origin: " + fault}
	}
	return gatewayOrigin{pattern: text}
}

// envoyGatewayOrigin is what Envoy Gateway makes of an origin (wildcard2regex): the text itself, byte for byte, or an
// expression for the whole Origin with .* for each star. So https://* has any port, :443 is never sent, and neither is
// upper case.
func envoyGatewayOrigin(text string) gatewayOrigin {
	switch {
	case text == "*":
		return gatewayOrigin{pattern: "*"}
	case len(text) > maxGatewayOrigin || !envoyGatewayOriginForm.MatchString(text):
		return gatewayOrigin{nothing: "it is none of *, scheme://host, scheme://*.host and scheme://*, with or without a port; write it as one of them"}
	}
	scheme, host, _ := strings.Cut(text, "://")
	star := strings.HasPrefix(host, "*")
	pattern := text
	if host == "*" {
		pattern += ":*"
	}
	fault := build.PatternFault(pattern)
	switch {
	case fault == "":
		return gatewayOrigin{pattern: pattern}
	case !star:
		return gatewayOrigin{nothing: "Envoy Gateway compares it as text, and no browser sends it: " + fault}
	case strings.ToLower(text) != text:
		return gatewayOrigin{nothing: "Envoy Gateway compares it as text, and browsers send origins in lower case"}
	case (scheme == "http" || scheme == "https") && build.PatternFault(scheme+"://any"+strings.TrimLeft(host, "*.abcdefghijklmnopqrstuvwxyz0123456789_-")) != "":
		return gatewayOrigin{nothing: "Envoy Gateway compares its port as text, and browsers send no such port: they leave out 80 of http and 443 of https"}
	}
	return gatewayOrigin{regex: wildcardRegex(text)}
}

// wildcardRegex is the expression that Envoy Gateway makes of an origin with stars.
func wildcardRegex(text string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*")
}

// maxGatewayOrigin is the most that the schemas take.
const maxGatewayOrigin = 253

// The forms that the schemas of Gateway API 1.7 and of Envoy Gateway 1.9 take. Gateway API 1.3 took any absolute URI.
var (
	apiOriginForm          = regexp.MustCompile(`^https?://((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?$`)
	envoyGatewayOriginForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://(\*|(\*\.)?([\w-]+\.?)*[\w-]+)(:\d{1,5})?$`)
)
