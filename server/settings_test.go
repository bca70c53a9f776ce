package server

import (
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		settings Settings
		want     []string // a part of each sentence
	}{
		{settings: Settings{Listen: []string{"127.0.0.1:9002"}}},
		{settings: Settings{Listen: []string{"127.8.8.8:0", "[::1]:9002", "localhost:9002", "LocalHost:9002", "unix:///run/a.sock", "[::ffff:127.0.0.1]:1"}}},
		{settings: Settings{Listen: []string{":9002"}, Plaintext: true}},
		{settings: Settings{Listen: []string{"127.0.0.1:9002"}, AdminListen: ":9003", AdminHosts: []string{"corsproc.internal"}}},
		{settings: Settings{}, want: []string{"listen: no address is given, and admin-listen is empty too"}},
		{settings: Settings{AdminListen: "127.0.0.1:9003"}},
		{settings: Settings{AdminListen: "unix:///run/admin.sock", TLSCert: "c", TLSKey: "k"}},
		{settings: Settings{AdminListen: "127.0.0.1:9003", TLSCert: "c"}, want: []string{`tls-cert: "c" is half a pair`}},
		{settings: Settings{AdminListen: "9003"}, want: []string{`admin-listen: "9003" is no address`}},
		{settings: Settings{Listen: []string{":9002", "0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.com:1", "localhost.example.com:1"}},
			want: []string{`":9002" can be reached`, `"0.0.0.0:1" can`, `"[::]:1" can`, `"10.0.0.1:1" can`, `"example.com:1" can`, `"localhost.example.com:1" can`}},
		{settings: Settings{Listen: []string{"9002", "127.0.0.1", "127.0.0.1:", "unix://a.sock", "unix:///", ""}, Plaintext: true},
			want: []string{`"9002" is no address`, `"127.0.0.1" is no`, `"127.0.0.1:" is no`, `"unix://a.sock" has no absolute path`, `"unix:///" has`, `"" is no address`}},
		{settings: Settings{Listen: []string{"127.0.0.1:1"}, AdminListen: "x", AdminHosts: []string{"a:9003", "https://a", "*.a"}},
			want: []string{`admin-listen: "x" is no address`, `admin-hosts: "a:9003"`, `admin-hosts: "https://a"`, `admin-hosts: "*.a"`}},
		{settings: Settings{Listen: []string{"unix:///" + strings.Repeat("a", maxSocketPath-1)}}},
		{settings: Settings{Listen: []string{"unix:///" + strings.Repeat("a", maxSocketPath), "unix:/run/a.sock", "unix:a.sock"}},
			want: []string{"bytes that the path of a socket may have", "write unix:///run/a.sock", `"unix:a.sock" is no address; write unix:///path`}},
		{settings: Settings{Listen: []string{":9002"}, TLSCert: "c", TLSKey: "k"}},
		{settings: Settings{Listen: []string{":9002", "unix:///s"}, TLSCert: "c", TLSKey: "k", TLSClientCA: "a",
			TLSClientNames: []string{"spiffe://example.org/ns/edge/sa/envoy", "envoy.example.org"}}},
		{settings: Settings{Listen: []string{":9002"}, TLSCert: "c", TLSKey: "k", Plaintext: true}},
		{settings: Settings{Listen: []string{":9002"}, TLSCert: "c"}, want: []string{`tls-cert: "c" is half a pair; set --tls-key`}},
		{settings: Settings{Listen: []string{":9002"}, TLSKey: "k"}, want: []string{`tls-key: "k" is half a pair; set --tls-cert`}},
		{settings: Settings{Listen: []string{"127.0.0.1:1"}, TLSCert: "c", TLSClientCA: "a", TLSClientNames: []string{"a"}}, want: []string{`tls-cert: "c" is half a pair`}},
		{settings: Settings{Listen: []string{":9002"}, TLSClientCA: "a"}, want: []string{`":9002" can be reached`, `tls-client-ca: "a" is for TLS alone; set --tls-cert and --tls-key`}},
		{settings: Settings{Listen: []string{"127.0.0.1:1"}, TLSCert: "c", TLSKey: "k", TLSClientNames: []string{"a", "b"}}, want: []string{`tls-client-names: "a,b" are names in certificates, for which clients are asked only with a CA; set --tls-client-ca`}},
		{settings: Settings{Listen: []string{"127.0.0.1:1"}, TLSClientNames: []string{"a"}}, want: []string{"tls-client-names: \"a\" are names"}},
		{settings: Settings{Listen: []string{"127.0.0.1:1"}, TLSCert: "c", TLSKey: "k", TLSClientCA: "a", TLSClientNames: []string{"a", "*.b", ""}},
			want: []string{`tls-client-names: "*.b": names are compared whole`, "tls-client-names: a name is empty"}},
	} {
		var got []string
		if err := test.settings.Validate(); err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		if len(got) != len(test.want) {
			t.Errorf("%+v: %d problems, want %d: %q", test.settings, len(got), len(test.want), got)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], test.want[i]) {
				t.Errorf("%+v: %q, want it to say %q", test.settings, got[i], test.want[i])
			}
		}
	}
}
