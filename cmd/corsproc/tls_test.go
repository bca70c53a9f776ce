package main

import (
	"strings"
	"testing"

	"github.com/corsproc/corsproc/server/tlstest"
)

// TestHealthTLS asks a service with TLS, and one with mutual TLS.
func TestHealthTLS(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", goodPolicies)
	ca, strangers := tlstest.NewCA(t, "ca"), tlstest.NewCA(t, "strangers")
	tlstest.WriteFile(t, ".", "ca.pem", ca.PEM)
	tlstest.WriteFile(t, ".", "strangers.pem", strangers.PEM)
	ca.Issue(tlstest.Leaf{Names: []string{"corsproc.example.com", "127.0.0.1"}}).Write(t, ".", "s")
	ca.Issue(tlstest.Leaf{Names: []string{"probe.example.com"}}).Write(t, ".", "c")
	strangers.Issue(tlstest.Leaf{Names: []string{"probe.example.com"}}).Write(t, ".", "x")

	pair := []string{"--policies", "policies.yaml", "--log-format", "json", "--tls-cert", "s.crt", "--tls-key", "s.key"}
	plain, _ := serve(t, "--policies", "policies.yaml", "--log-format", "json")
	oneWay, _ := serve(t, pair...)
	mutual, _ := serve(t, append(pair, "--tls-client-ca", "ca.pem", "--tls-client-names", "probe.example.com")...)
	for _, c := range []struct {
		flags                 string
		plain, oneWay, mutual int
	}{
		{"", 0, 1, 1},
		{"--tls", 1, 1, 1},
		{"--tls-ca ca.pem", 1, 0, 1},
		{"--tls-ca strangers.pem", 1, 1, 1},
		{"--tls-ca ca.pem --tls-server-name corsproc.example.com", 1, 0, 1},
		{"--tls-ca ca.pem --tls-server-name other.example.com", 1, 1, 1},
		{"--tls-insecure", 1, 0, 1},
		{"--tls-insecure --tls-cert c.crt --tls-key c.key", 1, 0, 0},
		{"--tls-ca ca.pem --tls-cert c.crt --tls-key c.key", 1, 0, 0},
		{"--tls-ca ca.pem --tls-cert x.crt --tls-key x.key", 1, 0, 1},
		{"--tls-ca missing.pem", 1, 1, 1},
		{"--tls-ca c.key", 1, 1, 1},
		{"--tls-ca ca.pem --tls-cert c.crt --tls-key x.key", 1, 1, 1},
		{"--tls-ca ca.pem --tls-cert c.crt", 2, 2, 2},
		{"--tls-ca ca.pem --tls-insecure", 2, 2, 2},
	} {
		for i, s := range []*served{plain, oneWay, mutual} {
			want := []int{c.plain, c.oneWay, c.mutual}[i]
			status, stdout, stderr := runIn(t, "", append([]string{"health", s.Listen}, strings.Fields(c.flags)...)...)
			if status != want || (stdout == "SERVING\n") != (want == 0) || (stderr == "") != (want == 0) {
				t.Errorf("health %s: service %d: status %d, want %d: %s%s", c.flags, i, status, want, stdout, stderr)
			}
		}
	}
}

// TestHealthTLSHint: one side speaks TLS and the other does not.
func TestHealthTLSHint(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", goodPolicies)
	tlstest.NewCA(t, "ca").Issue(tlstest.Leaf{}).Write(t, ".", "s")
	plain, _ := serve(t, "--policies", "policies.yaml", "--log-format", "json")
	secure, _ := serve(t, "--policies", "policies.yaml", "--log-format", "json", "--tls-cert", "s.crt", "--tls-key", "s.key")
	if _, _, stderr := runIn(t, "", "health", secure.Listen); !strings.Contains(stderr, "is asked with --tls") {
		t.Error(stderr)
	}
	if _, _, stderr := runIn(t, "", "health", "--tls", plain.Listen); !strings.Contains(stderr, "is asked without") {
		t.Error(stderr)
	}
}

// TestServeTLSErrors: the statuses with which a service that is to speak TLS does not start.
func TestServeTLSErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", goodPolicies)
	write(t, "settings.yaml", "tls-cert: s.crt\n")
	ca := tlstest.NewCA(t, "ca")
	ca.Issue(tlstest.Leaf{}).Write(t, ".", "s")
	ca.Issue(tlstest.Leaf{}).Write(t, ".", "other")
	for _, c := range []struct {
		flags  string
		status int
		want   string
	}{
		{"--tls-cert s.crt", 1, `tls-cert: "s.crt" is half a pair; set --tls-key`},
		{"--tls-key s.key", 1, `tls-key: "s.key" is half a pair; set --tls-cert`},
		{"--config settings.yaml", 1, `tls-cert: "s.crt" is half a pair`},
		{"--config settings.yaml --tls-key other.key", 1, "are no pair"},
		{"--tls-client-ca s.crt", 1, "tls-client-ca: "},
		{"--tls-cert s.crt --tls-key s.key --tls-client-names a", 1, "set --tls-client-ca too"},
		{"--tls-cert s.crt --tls-key missing", 1, `tls-key: "missing" does not exist`},
		{"--tls-cert policies.yaml --tls-key s.key", 1, `tls-cert: "policies.yaml": holds no certificate`},
		{"--tls-cert s.crt --tls-key s.key --tls-client-ca s.key", 1, `tls-client-ca: "s.key": holds no certificate`},
		{"--tls-cert s.crt --tls-key s.key --tls-client-ca s.crt --tls-client-names *", 2, "--tls-client-names: "},
		{"--tls-cert=", 2, "--tls-cert: is empty"},
		{"--listen :0", 1, "set --tls-cert and --tls-key"},
		{"--listen :0 --tls-client-ca s.crt", 1, "can be reached by other machines"},
	} {
		status, _, stderr := runIn(t, "", append([]string{"serve", "--policies", "policies.yaml"}, strings.Fields(c.flags)...)...)
		if status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d, want %d: %s", c.flags, status, c.status, stderr)
		}
	}
}
