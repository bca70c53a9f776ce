package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/corsproc/corsproc/server"
	"github.com/corsproc/corsproc/server/logs"
)

// settingsFrom reads the settings as serve does, from flags, environment and a settings file called file.
func settingsFrom(t *testing.T, flags []string, env map[string]string, file, content string) (server.Settings, error) {
	t.Helper()
	for name, value := range env {
		t.Setenv(name, value)
	}
	if file != "" {
		path := filepath.Join(t.TempDir(), file)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "--config", path)
	}
	cmd := newServe()
	if err := cmd.ParseFlags(flags); err != nil {
		t.Fatal(err)
	}
	return readSettings(cmd.Flags(), logs.JSON)
}

// defaults are the settings of `serve --policies p`: the table of the documentation.
func defaults() server.Settings {
	return server.Settings{
		Policies: "p", Listen: []string{"127.0.0.1:9002"}, AdminListen: "127.0.0.1:9003", SocketMode: 0o660,
		Reflection: true, Transport: server.TransportLoop, MaxConnections: 1024, MaxMessageBytes: 262144, ReloadInterval: 30 * time.Second,
		DrainDelay: 5 * time.Second, DrainTimeout: 15 * time.Second, LogLevel: slog.LevelInfo, LogFormat: logs.JSON,
	}
}

// nobodyAsks are settings without an address for Envoy.
func nobodyAsks(s *server.Settings) { s.Listen = nil }

func TestSettings(t *testing.T) {
	policies := []string{"--policies", "p"}
	for _, test := range []struct {
		name    string
		flags   []string
		env     map[string]string
		file    string
		content string
		want    func(*server.Settings)
	}{
		{name: "defaults", flags: policies, want: func(*server.Settings) {}},
		{name: "every flag",
			flags: []string{"--policies=q", "--listen=127.0.0.1:1", "--listen", "unix:///s,[::1]:2", "--admin-listen=", "--socket-mode=600", "--plaintext",
				"--reflection=false", "--transport=grpc", "--max-connections=1", "--max-concurrent-streams=2", "--max-message-bytes=3", "--admin-hosts=a,b", "--pprof", "--reload-interval=0",
				"--drain-delay=1m30s", "--drain-timeout=0s", "--log-level=WARN", "--log-format=text"},
			want: func(s *server.Settings) {
				*s = server.Settings{Policies: "q", Listen: []string{"127.0.0.1:1", "unix:///s", "[::1]:2"}, SocketMode: 0o600, Plaintext: true, Transport: server.TransportGRPC,
					MaxConnections: 1, MaxConcurrentStreams: 2, MaxMessageBytes: 3, AdminHosts: []string{"a", "b"}, Pprof: true,
					DrainDelay: 90 * time.Second, LogLevel: slog.LevelWarn, LogFormat: logs.Text}
			}},
		{name: "every variable",
			env: map[string]string{"CORSPROC_POLICIES": "q", "CORSPROC_LISTEN": "127.0.0.1:1, unix:///s", "CORSPROC_ADMIN_LISTEN": "", "CORSPROC_SOCKET_MODE": "0o600",
				"CORSPROC_PLAINTEXT": "true", "CORSPROC_REFLECTION": "false", "CORSPROC_TRANSPORT": "grpc", "CORSPROC_MAX_CONNECTIONS": "1", "CORSPROC_MAX_CONCURRENT_STREAMS": "2", "CORSPROC_MAX_MESSAGE_BYTES": "3",
				"CORSPROC_ADMIN_HOSTS": "a,b", "CORSPROC_PPROF": "1", "CORSPROC_RELOAD_INTERVAL": "0", "CORSPROC_DRAIN_DELAY": "90s", "CORSPROC_DRAIN_TIMEOUT": "0s",
				"CORSPROC_LOG_LEVEL": "warn", "CORSPROC_LOG_FORMAT": "text"},
			want: func(s *server.Settings) {
				*s = server.Settings{Policies: "q", Listen: []string{"127.0.0.1:1", "unix:///s"}, SocketMode: 0o600, Plaintext: true, Transport: server.TransportGRPC,
					MaxConnections: 1, MaxConcurrentStreams: 2, MaxMessageBytes: 3, AdminHosts: []string{"a", "b"}, Pprof: true,
					DrainDelay: 90 * time.Second, LogLevel: slog.LevelWarn, LogFormat: logs.Text}
			}},
		{name: "no listener, by a flag", flags: []string{"--policies=p", "--listen="}, want: nobodyAsks},
		{name: "no listener, by a variable", flags: policies, env: map[string]string{"CORSPROC_LISTEN": ""}, want: nobodyAsks},
		{name: "no listener, by a text in YAML", flags: policies, file: "s.yaml", content: "listen: \"\"\n", want: nobodyAsks},
		{name: "no listener, by a list in YAML", flags: policies, file: "s.yaml", content: "listen: []\n", want: nobodyAsks},
		{name: "no listener, in TOML", flags: policies, file: "s.toml", content: "listen = []\n", want: nobodyAsks},
		{name: "no listener, in JSON", flags: policies, file: "s.json", content: `{"listen": ""}`, want: nobodyAsks},
		{name: "no listener, though the file has one", flags: []string{"--policies=p", "--listen="}, file: "s.yaml", content: "listen: 127.0.0.1:1\n", want: nobodyAsks},
		{name: "YAML", file: "s.yaml", content: `
policies: q
listen: [127.0.0.1:1, "unix:///s"]
admin-listen: ""
socket-mode: 0600
plaintext: true
reflection: false
transport: grpc
max-connections: 1
max-concurrent-streams: "2"
max-message-bytes: 3
admin-hosts:
  - a
  - b
pprof: true
reload-interval: 0
drain-delay: 90s
drain-timeout: 0s
log-level: warn
log-format: text
`, want: func(s *server.Settings) {
			*s = server.Settings{Policies: "q", Listen: []string{"127.0.0.1:1", "unix:///s"}, SocketMode: 0o600, Plaintext: true, Transport: server.TransportGRPC,
				MaxConnections: 1, MaxConcurrentStreams: 2, MaxMessageBytes: 3, AdminHosts: []string{"a", "b"}, Pprof: true,
				DrainDelay: 90 * time.Second, LogLevel: slog.LevelWarn, LogFormat: logs.Text}
		}},
		{name: "TOML", file: "s.toml", content: `
policies = "q"
listen = ["127.0.0.1:1", "unix:///s"]
socket-mode = "0600"
pprof = true
max-connections = 1
drain-delay = "90s"
reload-interval = 0
`, want: func(s *server.Settings) {
			s.Policies, s.Listen, s.SocketMode, s.Pprof = "q", []string{"127.0.0.1:1", "unix:///s"}, 0o600, true
			s.MaxConnections, s.DrainDelay, s.ReloadInterval = 1, 90*time.Second, 0
		}},
		{name: "JSON", file: "s.json", content: `{"policies": "q", "listen": "127.0.0.1:1,[::1]:2", "plaintext": true, "max-connections": 1, "drain-delay": "90s"}`,
			want: func(s *server.Settings) {
				s.Policies, s.Listen, s.Plaintext = "q", []string{"127.0.0.1:1", "[::1]:2"}, true
				s.MaxConnections, s.DrainDelay = 1, 90*time.Second
			}},
		{name: "empty file", flags: policies, file: "s.yaml", want: func(*server.Settings) {}},
		{name: "file of comments", flags: policies, file: "s.yml", content: "# nothing yet\n", want: func(*server.Settings) {}},
		{name: "the environment beats the file", flags: policies, env: map[string]string{"CORSPROC_DRAIN_DELAY": "2s"}, file: "s.yaml", content: "drain-delay: 3s\ndrain-timeout: 4s\n",
			want: func(s *server.Settings) { s.DrainDelay, s.DrainTimeout = 2*time.Second, 4*time.Second }},
		{name: "a flag beats both", flags: []string{"--policies=p", "--drain-delay=1s"}, env: map[string]string{"CORSPROC_DRAIN_DELAY": "2s"}, file: "s.yaml", content: "drain-delay: 3s\n",
			want: func(s *server.Settings) { s.DrainDelay = time.Second }},
		{name: "a flag that says the default beats both", flags: []string{"--policies=p", "--drain-delay=5s", "--pprof=false"}, env: map[string]string{"CORSPROC_DRAIN_DELAY": "2s"}, file: "s.yaml", content: "pprof: true\n",
			want: func(*server.Settings) {}},
		{name: "an empty variable counts", flags: policies, env: map[string]string{"CORSPROC_ADMIN_LISTEN": "", "CORSPROC_ADMIN_HOSTS": ""}, file: "s.yaml", content: "admin-listen: 127.0.0.1:1\nadmin-hosts: [a]\n",
			want: func(s *server.Settings) { s.AdminListen = "" }},
		{name: "a list of flags replaces a list of the file", flags: []string{"--policies=p", "--admin-hosts=a"}, file: "s.yaml", content: "admin-hosts: [b, c]\n",
			want: func(s *server.Settings) { s.AdminHosts = []string{"a"} }},
		{name: "variables of a Kubernetes service", flags: policies, env: map[string]string{
			"CORSPROC_SERVICE_HOST": "10.0.0.1", "CORSPROC_PORT": "tcp://10.0.0.1:9002", "CORSPROC_PORT_9002_TCP_ADDR": "10.0.0.1", "CORSPROC_SERVICE_PORT": "9002"},
			want: func(*server.Settings) {}},
		{name: "what a flag overrides need not be right", flags: []string{"--policies=p", "--drain-delay=1s"}, env: map[string]string{"CORSPROC_DRAIN_DELAY": "soon"},
			want: func(s *server.Settings) { s.DrainDelay = time.Second }},
		{name: "TLS", flags: []string{"--policies=p", "--listen=:9002", "--tls-cert=c", "--tls-key=k"},
			env:  map[string]string{"CORSPROC_TLS_CERT": "other", "CORSPROC_TLS_CLIENT_NAMES": "spiffe://example.org/a, envoy.example.org"},
			file: "s.yaml", content: "tls-client-ca: a\ntls-key: other\n",
			want: func(s *server.Settings) {
				s.Listen, s.TLSCert, s.TLSKey, s.TLSClientCA = []string{":9002"}, "c", "k", "a"
				s.TLSClientNames = []string{"spiffe://example.org/a", "envoy.example.org"}
			}},
		{name: "a list of client names in a file", flags: policies, file: "s.toml", content: "tls-cert = \"c\"\ntls-key = \"k\"\ntls-client-ca = \"a\"\ntls-client-names = [\"a\", \"b\"]\n",
			want: func(s *server.Settings) {
				s.TLSCert, s.TLSKey, s.TLSClientCA, s.TLSClientNames = "c", "k", "a", []string{"a", "b"}
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := defaults()
			test.want(&want)
			got, err := settingsFrom(t, test.flags, test.env, test.file, test.content)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("settings\n%+v\nwant\n%+v", got, want)
			}
		})
	}
}

func TestConfigFromEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(path, []byte("policies: q\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := settingsFrom(t, nil, map[string]string{"CORSPROC_CONFIG": path}, "", "")
	if err != nil || got.Policies != "q" {
		t.Errorf("policies %q, %v", got.Policies, err)
	}
}

func TestSettingsErrors(t *testing.T) {
	policies := []string{"--policies", "p"}
	for _, test := range []struct {
		name    string
		flags   []string
		env     map[string]string
		file    string
		content string
		status  int
		want    []string // a part of each line
	}{
		{name: "no policies", status: 2, want: []string{"--policies is required"}},
		{name: "no policies in the environment", env: map[string]string{"CORSPROC_POLICIES": ""}, status: 1, want: []string{"CORSPROC_POLICIES: is empty"}},
		{name: "all at once", flags: []string{"--policies=p", "--drain-delay=-1s", "--listen=nonsense"}, env: map[string]string{"CORSPROC_PPROF": "yes"}, file: "s.yaml", content: "max-connections: 0\nlog-level: loud\n",
			status: 2, want: []string{"s.yaml: max-connections: \"0\" is no number from 1", `CORSPROC_PPROF: "yes" is neither true nor false`,
				`--drain-delay: "-1s" is negative`, `s.yaml: log-level: "loud" is no log level`, `listen: "nonsense" is no address`}},
		{name: "environment only", flags: policies, env: map[string]string{"CORSPROC_DRAIN_DELAY": "5", "CORSPROC_MAX_CONNECTIONS": "", "CORSPROC_LOG_FORMAT": "xml"},
			status: 1, want: []string{"CORSPROC_MAX_CONNECTIONS: \"\" is no number", `CORSPROC_DRAIN_DELAY: "5" has no unit; write for instance 5s`, "CORSPROC_LOG_FORMAT"}},
		{name: "no listener", flags: policies, env: map[string]string{"CORSPROC_LISTEN": "", "CORSPROC_ADMIN_LISTEN": "", "CORSPROC_PPROF": "x"}, status: 1, want: []string{"CORSPROC_PPROF", "listen: no address is given, and admin-listen is empty too"}},
		{name: "flags", flags: []string{"--policies=p", "--socket-mode=0999", "--max-message-bytes=0", "--max-concurrent-streams=-1", "--plaintext=maybe", "--reload-interval=30"}, status: 2,
			want: []string{`--socket-mode: "0999" is no file mode`, `--plaintext: "maybe"`, `--max-concurrent-streams: "-1"`, `--max-message-bytes: "0"`, `--reload-interval: "30" has no unit`}},
		{name: "unknown keys", flags: policies, file: "s.yaml", content: "drain_delay: 5s\nListen: [a]\nconfig: x\ntls-sert: x\n", status: 1,
			want: []string{"Listen: unknown key; did you mean listen?", "config: unknown key", "drain_delay: unknown key; did you mean drain-delay?", "tls-sert: unknown key"}},
		{name: "unknown keys in TOML", flags: policies, file: "s.toml", content: "[drain]\ndelay = \"5s\"\n", status: 1, want: []string{"drain: unknown key"}},
		{name: "bare numbers in YAML", flags: policies, file: "s.yaml", content: "drain-delay: 5\ndrain-timeout: 1.5\n", status: 1, want: []string{`drain-delay: "5" has no unit`, `drain-timeout: "1.5" has no unit`}},
		{name: "bare numbers in TOML", flags: policies, file: "s.toml", content: "drain-delay = 5\nsocket-mode = 660\nmax-connections = 1.5\n", status: 1,
			want: []string{"socket-mode: 660 is no text", `max-connections: "1.5"`, `drain-delay: "5" has no unit`}},
		{name: "types in JSON", flags: policies, file: "s.json", content: `{"admin-listen": 9003, "listen": [1], "pprof": 1, "log-level": ["info"], "max-connections": {"a": 1}}`, status: 1,
			want: []string{"listen: is a list of something else than texts", "admin-listen: 9003 is no text", "max-connections: is neither a value nor a list", "pprof: 1 is neither true nor false", "log-level: is a list where a single value is wanted"}},
		{name: "null", flags: policies, file: "s.yaml", content: "admin-listen:\n", status: 1, want: []string{"admin-listen: has no value"}},
		{name: "twice", flags: policies, file: "s.yaml", content: "drain-delay: 1s\ndrain-delay: 2s\n", status: 1, want: []string{"line 2: drain-delay: stands twice"}},
		{name: "two documents", flags: policies, file: "s.yaml", content: "drain-delay: 1s\n---\ndrain-delay: 2s\n", status: 1, want: []string{"one document"}},
		{name: "no mapping", flags: policies, file: "s.yaml", content: "- a\n", status: 1, want: []string{"keys and values"}},
		{name: "nested", flags: policies, file: "s.yaml", content: "drain-delay: {a: 1}\n", status: 1, want: []string{"drain-delay: is neither a value nor a list"}},
		{name: "syntax", flags: policies, file: "s.json", content: "{", status: 1, want: []string{"s.json: line 1: unexpected end of JSON input"}},
		{name: "empty files of TLS", flags: policies, env: map[string]string{"CORSPROC_TLS_CERT": "", "CORSPROC_TLS_KEY": "", "CORSPROC_TLS_CLIENT_CA": "", "CORSPROC_TLS_CLIENT_NAMES": ""}, status: 1,
			want: []string{"CORSPROC_TLS_CERT: is empty; name a file in PEM form", "CORSPROC_TLS_KEY: is empty", "CORSPROC_TLS_CLIENT_CA: is empty", "CORSPROC_TLS_CLIENT_NAMES: is empty; list SPIFFE URIs"}},
		{name: "names that are none", flags: append(policies, "--tls-cert=c", "--tls-key=k", "--tls-client-ca=a", "--tls-client-names=*.example.org,spiffe://example.org"), status: 2,
			want: []string{`--tls-client-names: "*.example.org": names are compared whole`, `"spiffe://example.org" is a trust domain`}},
		{name: "half a pair beside something else", flags: append(policies, "--tls-cert=c"), env: map[string]string{"CORSPROC_DRAIN_DELAY": "x"}, status: 1,
			want: []string{"CORSPROC_DRAIN_DELAY", `tls-cert: "c" is half a pair; set --tls-key`}},
		{name: "a large file", flags: policies, file: "s.yaml", content: strings.Repeat("#", maxSettingsBytes+1), status: 1, want: []string{"s.yaml: a settings file has at most 1048576 bytes"}},
		{name: "another format", flags: policies, file: "s.ini", content: "", status: 1, want: []string{"s.ini: the name of a settings file ends in"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := settingsFrom(t, test.flags, test.env, test.file, test.content)
			status := new(exitError)
			if !errors.As(err, &status) {
				t.Fatalf("error %v", err)
			}
			if status.status != test.status {
				t.Errorf("exit status %d, want %d", status.status, test.status)
			}
			lines := strings.Split(err.Error(), "\n")
			missing := len(lines) != len(test.want)
			for _, want := range test.want {
				missing = missing || !strings.Contains(err.Error(), want)
			}
			if missing {
				t.Errorf("error\n%v\nwant\n%s", err, strings.Join(test.want, "\n"))
			}
		})
	}
}

// A file mode in YAML is what was written, whatever YAML makes of a leading zero.
func TestSocketMode(t *testing.T) {
	for written, want := range map[string]fs.FileMode{"0660": 0o660, "660": 0o660, `"0660"`: 0o660, "0o640": 0o640, "440": 0o440} {
		got, err := settingsFrom(t, []string{"--policies=p"}, nil, "s.yaml", "socket-mode: "+written+"\n")
		if err != nil || got.SocketMode != want {
			t.Errorf("socket-mode: %s is %o (%v), want %o", written, got.SocketMode, err, want)
		}
	}
}
