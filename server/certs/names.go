package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

const spiffeScheme = "spiffe://"

// What a SPIFFE ID consists of (SPIFFE ID, sections 2.1 and 2.2): bytes that mean the same wherever they are compared.
var (
	spiffeTrustDomain = regexp.MustCompile(`^[a-z0-9._-]+$`)
	spiffeSegment     = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	dnsLabel          = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$`)
)

// CheckClientName reports what keeps a name from being one that a client certificate can be asked for: a SPIFFE ID of a
// workload, or a DNS name. Names are compared whole, so that a wildcard is neither.
func CheckClientName(name string) error {
	switch {
	case name == "":
		return errors.New("a name is empty; write SPIFFE URIs or DNS names")
	case strings.Contains(name, "*"):
		return fmt.Errorf("%q: names are compared whole, wildcards are none; list each name", name)
	case strings.HasPrefix(strings.ToLower(name), spiffeScheme):
		return checkSPIFFE(name)
	case strings.Contains(name, "/"):
		return fmt.Errorf("%q is neither a SPIFFE URI nor a DNS name; write for instance %sexample.org/ns/edge/sa/envoy or envoy.example.org", name, spiffeScheme)
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return fmt.Errorf("%q is an IP address, which is no name of a client; write a SPIFFE URI or a DNS name", name)
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) > 63 || len(name) > 253 || !dnsLabel.MatchString(label) {
			return fmt.Errorf("%q is no DNS name; write names as they stand in the certificate, without port, final dot and blanks", name)
		}
	}
	return nil
}

func checkSPIFFE(name string) error {
	if !strings.HasPrefix(name, spiffeScheme) {
		return fmt.Errorf("%q: the scheme of a SPIFFE URI is lower-case; write %s%s", name, spiffeScheme, name[len(spiffeScheme):])
	}
	domain, path, _ := strings.Cut(name[len(spiffeScheme):], "/")
	if !spiffeTrustDomain.MatchString(domain) {
		return fmt.Errorf("%q: a trust domain consists of lower-case letters, digits, dots, hyphens and underscores", name)
	}
	if path == "" {
		return fmt.Errorf("%q is a trust domain and no workload; write the whole name of each client, for instance %s%s/ns/edge/sa/envoy", name, spiffeScheme, domain)
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." || !spiffeSegment.MatchString(segment) {
			return fmt.Errorf("%q: the path of a SPIFFE URI consists of letters, digits, dots, hyphens and underscores between single slashes", name)
		}
	}
	return nil
}

// clientNameError is that a client certificate, though of the right CA, is another's.
type clientNameError struct{ has []string }

func (e *clientNameError) Error() string {
	if len(e.has) == 0 {
		return "the client certificate carries neither a URI nor a DNS name, and tls-client-names asks for one"
	}
	quoted := make([]string, 0, maxToldNames)
	for i, name := range e.has {
		if i == maxToldNames {
			quoted = append(quoted, "and others")
			break
		}
		quoted = append(quoted, printable.Quoted(name, maxToldName))
	}
	return "the client certificate carries none of tls-client-names: it has " + strings.Join(quoted, ", ")
}

const (
	// maxToldNames is how many names of a certificate a message says, and maxToldName how many bytes of each.
	maxToldNames = 3
	maxToldName  = 128
)

// verifyNames returns a check that a client's own certificate carries one of names. It is made for each connection, also for
// one that resumes a session.
func verifyNames(names []string) func(tls.ConnectionState) error {
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[canonicalName(name)] = true
	}
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 { // what the TLS library has refused already
			return new(clientNameError)
		}
		leaf := state.PeerCertificates[0]
		var has []string
		for _, uri := range leaf.URIs {
			if has = append(has, uri.String()); wanted[uri.String()] {
				return nil
			}
		}
		for _, name := range leaf.DNSNames {
			if has = append(has, name); wanted[strings.ToLower(name)] {
				return nil
			}
		}
		return &clientNameError{has}
	}
}

// canonicalName returns a name as it is compared: DNS names ignoring case (RFC 4343), URIs as they are.
func canonicalName(name string) string {
	if strings.HasPrefix(name, spiffeScheme) {
		return name
	}
	return strings.ToLower(name)
}
