package policyfile

// Tested by golden_test.go and testdata/bad.txt.

import (
	"slices"
	"strings"
	"unicode"

	"github.com/corsproc/corsproc/policy/finding"
)

// nearest returns the known word that a mistyped one must have meant, or nothing if that is not clear. word is in the
// spelling of the known ones (snakeCase). It is a guess where more was left out than a slip leaves out.
func nearest(word string, known []string) (best string, guess bool) {
	if slices.Contains(known, word) {
		return word, false
	}
	if best := finding.Nearest(word, slices.Values(known)); best != "" {
		return best, false
	}
	if meant := otherWords[word]; slices.Contains(known, meant) {
		return meant, true
	}
	if header, ok := strings.CutPrefix(word, "access_control_"); ok {
		best, _ = nearest(header, known)
		return best, true
	}
	// credentials for allow_credentials: the end of one known word only.
	for _, k := range known {
		if strings.HasSuffix(k, "_"+word) {
			if best != "" {
				return "", false
			}
			best = k
		}
	}
	return best, true
}

// otherWords are what other systems call what a field of a policy file is.
var otherWords = map[string]string{
	"host": "domains", "hosts": "domains", "hostname": "domains", "hostnames": "domains", "server_names": "domains",
	"origin": "allow_origins", "origins": "allow_origins", "cors_policy": "policies", "policy": "policies",
}

// snakeCase spells allowOrigins, Allow-Origins and "allow origins" as allow_origins.
func snakeCase(s string) string {
	var b strings.Builder
	lower := false
	for _, r := range s {
		switch {
		case r == '-' || r == ' ':
			r = '_'
		case unicode.IsUpper(r) && lower:
			b.WriteByte('_')
		}
		lower = unicode.IsLower(r) || unicode.IsDigit(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// upperSnakeCase spells unsafeMethods and unsafe-methods as UNSAFE_METHODS.
func upperSnakeCase(s string) string { return strings.ToUpper(snakeCase(s)) }
