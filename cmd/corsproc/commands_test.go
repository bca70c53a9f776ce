package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// runIn runs the program in the test's folder.
func runIn(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(stdin), &out, &err)
	return status, out.String(), err.String()
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	goodPolicies = "policies: {p: {allow_origins: [https://a.example]}}\ndefault: {policies: [p]}\n"
	badPolicies  = "policies:\n  p:\n    allow_origins: [https://A.example]\ndefault: {policies: [p]}\n"
)

// TestCommands holds what scripts rely on: exit statuses, and what goes to which stream.
func TestCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "good.yaml", goodPolicies)
	write(t, "bad.yaml", badPolicies)
	if err := os.MkdirAll("set", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, "set/a.yaml", "policies: {p: {}}\n")
	write(t, "set/b.yml", "policies: {p: {}}\ndefault: {policies: [p]}\n")
	write(t, "set/.hidden.yaml", "nonsense")
	for _, c := range []struct {
		args   string
		stdin  string
		status int
		stdout string // contained; "-": nothing at all
		stderr string // contained; "-": nothing at all
	}{
		{args: "", status: 2, stdout: "-", stderr: "no command"},
		{args: "--help", status: 0, stdout: "corsproc serve --policies", stderr: "-"},
		{args: "help serve", status: 0, stdout: "--drain-timeout", stderr: "-"},
		{args: "help nonsense", status: 2, stdout: "-", stderr: "nonsense"},
		{args: "nonsense", status: 2, stdout: "-", stderr: "nonsense"},
		{args: "chek x", status: 2, stdout: "-", stderr: "check"},
		{args: "check", status: 2, stdout: "-", stderr: "corsproc: "},
		{args: "check --nonsense good.yaml", status: 2, stdout: "-", stderr: "--nonsense"},
		{args: "check --format xml good.yaml", status: 2, stdout: "-", stderr: "xml"},
		{args: "check good.yaml", status: 0, stderr: "-"},
		{args: "check --strict good.yaml", status: 0, stderr: "-"},
		{args: "check bad.yaml", status: 1, stdout: "bad.yaml:3:21: policies.p.allow_origins[0]: \"https://A.example\":", stderr: "-"},
		{args: "check good.yaml bad.yaml", status: 1, stdout: "bad.yaml:3:21:", stderr: "-"},
		{args: "check -", stdin: badPolicies, status: 1, stdout: "-:3:21:", stderr: "-"},
		{args: "check -", stdin: goodPolicies, status: 0, stderr: "-"},
		{args: "check - -", stdin: goodPolicies, status: 2, stderr: "only once"},
		{args: "check missing.yaml", status: 2, stdout: "-", stderr: "missing.yaml"},
		{args: "check bad.yaml missing.yaml", status: 2, stdout: "bad.yaml:3:21:", stderr: "missing.yaml"},
		{args: "check set", status: 1, stdout: "set/b.yml:1:12: policies.p:", stderr: "-"},
		{args: "check --format json good.yaml", status: 0, stdout: "{\"findings\":[]}\n", stderr: "-"},
		{args: "version", status: 0, stdout: "go1.", stderr: "-"},
		{args: "version extra", status: 2, stdout: "-", stderr: "corsproc: "},
		{args: "completion bash", status: 0, stdout: "corsproc", stderr: "-"},
		{args: "completion zsh", status: 0, stdout: "corsproc", stderr: "-"},
		{args: "completion nonsense", status: 2, stdout: "-", stderr: "nonsense"},
		{args: "health", status: 2, stdout: "-", stderr: "corsproc: "},
		{args: "health 127.0.0.1:1", status: 1, stdout: "-", stderr: "127.0.0.1:1"},
		{args: "serve", status: 2, stdout: "-", stderr: "--policies"},
		{args: "serve --policies good.yaml extra", status: 2, stdout: "-", stderr: "extra"},
		{args: "serve --policies good.yaml --drain-delay soon", status: 2, stdout: "-", stderr: "--drain-delay"},
		{args: "serve --policies good.yaml --max-connections many", status: 2, stdout: "-", stderr: "--max-connections"},
		{args: "serve --policies good.yaml --plaintext false", status: 2, stdout: "-", stderr: "--plaintext=false"},
		{args: "serve --policies good.yaml --admin-hosts http://x", status: 2, stdout: "-", stderr: "--admin-hosts"},
		{args: "serve --policies good.yaml --listen unix:/run/x.sock", status: 1, stdout: "-", stderr: "unix:///run/x.sock"},
		{args: "serve --policies good.yaml --config=", status: 2, stdout: "-", stderr: "--config"},
		{args: "serve --policies missing.yaml", status: 1, stdout: "-", stderr: "missing.yaml"},
		{args: "serve --policies bad.yaml", status: 1, stdout: "-", stderr: "bad.yaml:3:21: policies.p.allow_origins[0]:"},
		{args: "serve --policies good.yaml --listen 192.0.2.1:0", status: 1, stdout: "-", stderr: "--plaintext"},
		{args: "serve --policies good.yaml --listen 127.0.0.1:99999", status: 1, stdout: "-", stderr: "99999"},
		{args: "serve --policies good.yaml --config missing.toml", status: 1, stdout: "-", stderr: "missing.toml"},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, stdout, stderr := runIn(t, c.stdin, strings.Fields(c.args)...)
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			for stream, got := range map[string]string{c.stdout: stdout, c.stderr: stderr} {
				if stream == "-" && got != "" || stream != "-" && !strings.Contains(got, stream) {
					t.Errorf("printed %q, want %q", got, stream)
				}
			}
		})
	}
}

func TestVersionJSON(t *testing.T) {
	_, stdout, _ := runIn(t, "", "version", "--format", "json")
	var v map[string]string
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	for _, key := range []string{"version", "commit", "go", "envoy_api"} {
		if v[key] == "" {
			t.Errorf("%s is not there: %s", key, stdout)
		}
	}
}

// TestSettingErrors: every mistake is told at once.
func TestSettingErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "good.yaml", goodPolicies)
	write(t, "settings.yaml", "policies: good.yaml\ndrain_delay: 5s\nlog-levl: debug\nmax-connections: lots\n")
	t.Setenv("CORSPROC_RELOAD_INTERVAL", "30")
	t.Setenv("CORSPROC_SERVICE_HOST", "10.0.0.1") // Kubernetes sets such ones
	status, _, stderr := runIn(t, "", "serve", "--config", "settings.yaml")
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
	for _, want := range []string{"drain_delay", "drain-delay", "log-levl", "log-level", "max-connections", "CORSPROC_RELOAD_INTERVAL"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%s is not mentioned:\n%s", want, stderr)
		}
	}
	if strings.Contains(stderr, "SERVICE_HOST") {
		t.Errorf("a variable that is none of ours is mentioned:\n%s", stderr)
	}
}

// TestSettingsFileErrors: what is wrong in the settings file is exit 1, and nothing is said to be missing that may stand
// in what cannot be read.
func TestSettingsFileErrors(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       []string
		not        string
	}{
		"syntax":              {"s.yaml", "policies: good.yaml\nlisten: [", []string{"s.yaml"}, "required"},
		"a list":              {"s.yaml", "[]", []string{"keys and values"}, "required"},
		"two documents":       {"s.yaml", "policies: good.yaml\n---\n{}\n", []string{"one document"}, "required"},
		"JSON trailing text":  {"s.json", "{\"policies\": \"good.yaml\"}\nx", []string{"line 2"}, "required"},
		"JSON duplicates":     {"s.json", `{"policies": "good.yaml", "policies": "nope.yaml"}`, []string{"policies: stands twice"}, "required"},
		"TOML syntax":         {"s.toml", "policies = ", []string{"s.toml"}, "required"},
		"a misspelt key":      {"s.yaml", "polices: good.yaml\n", []string{"did you mean policies?", "required"}, "nothing"},
		"several at once":     {"s.yaml", "policies: {a: b}\nlisten: {a: b}\ndrain-delay: soon\nnonsense: 1\nlisten: x\n", []string{"policies", "listen", "drain-delay", "nonsense", "stands twice"}, "required"},
		"JSON, not an object": {"s.json", "[]", []string{"keys and values"}, "required"},
		"JSON surrogates":     {"s.json", `{"policies": "\ud83d\ude00.yaml"}`, []string{"\U0001f600.yaml does not exist"}, "required"},
		"JSON numbers":        {"s.json", `{"policies": "good.yaml", "drain-delay": 5, "socket-mode": 660, "pprof": 1}`, []string{`"5" has no unit`, "660 is no text", "1 is neither true nor false"}, "required"},
		"a table":             {"s.toml", "[listen]\na = 1\n", []string{"listen: is neither a value nor a list", "required"}, "map["},
		"TOML line":           {"s.toml", "policies = 'good.yaml'\nlisten = [\n", []string{"s.toml: line 2: "}, "required"},
		"a list of numbers":   {"s.toml", "policies = \"good.yaml\"\nlisten = [1]\n", []string{"listen"}, "no address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "good.yaml", goodPolicies)
			write(t, c.file, c.text)
			status, _, stderr := runIn(t, "", "serve", "--config", c.file)
			if status != 1 {
				t.Errorf("exit status %d", status)
			}
			for _, want := range c.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q is not said:\n%s", want, stderr)
				}
			}
			if strings.Contains(stderr, c.not) {
				t.Errorf("%q is said:\n%s", c.not, stderr)
			}
		})
	}
}

// TestSettingsFileThatIsAPipe: nothing waits for somebody to write settings.
func TestSettingsFileThatIsAPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("s.yaml", 0o600); err != nil {
		t.Skip(err)
	}
	done := make(chan string, 1)
	go func() {
		_, _, stderr := runIn(t, "", "serve", "--config", "s.yaml")
		done <- stderr
	}()
	select {
	case stderr := <-done:
		if !strings.Contains(stderr, "regular file") {
			t.Error(stderr)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("waits for a writer")
	}
}
