package regex

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import "regexp"

// ProbeOrigins are origins of many owners. An expression that accepts every one of them accepts everybody, whatever its
// author had in mind.
func ProbeOrigins(scheme string) []string {
	hosts := []string{"example.com", "attacker.net", "evil.org", "phishing.io", "mallory.dev"}
	for i, host := range hosts {
		hosts[i] = scheme + "://" + host
	}
	return hosts
}

// AcceptsAll reports whether an expression matches every one of some origins.
func AcceptsAll(re *regexp.Regexp, origins []string) bool {
	for _, o := range origins {
		if !re.MatchString(o) {
			return false
		}
	}
	return true
}
