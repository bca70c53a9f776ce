package istio

// Tested by policy/convert/istio_test.go and policy/convert/istio_envoy_test.go.

import "strings"

// A hostIndex is hosts of which some are wildcards: *, or *. and a name.
type hostIndex map[string]bool

// around returns the longest wildcard that covers a host, and is another one; empty: none does.
func (x hostIndex) around(host string) string {
	rest := strings.TrimPrefix(host, "*")
	for i := 0; i < len(rest); i++ {
		if w := "*" + rest[i:]; rest[i] == '.' && w != host && x[w] {
			return w
		}
	}
	if host != "*" && x["*"] {
		return "*"
	}
	return ""
}

// covers reports whether a host is one of the index or covered by one.
func (x hostIndex) covers(host string) bool { return x[host] || x.around(host) != "" }
