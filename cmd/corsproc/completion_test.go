package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompletion asks for completions as the scripts of the shells do. The number behind the words says what a shell does
// beside them: 0 completes files, 4 nothing, 8 files with these endings, and directories.
func TestCompletion(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", `
policies: {a: {allow_origins: [https://a.example]}}
virtual_hosts:
  - {name: api, policies: [a], routes: [{route_name: orders, policies: [a]}, {route_name: "public/*", policies: [a]}, {path: /x, policies: [a]}]}
  - {domains: [nameless.example], policies: [a], routes: [{route_name: orders, policies: [none]}]}
  - {name: "shop/*", policies: [a], routes: [{route_name: cart, policies: [none]}]}
`)
	write(t, "bad.yaml", badPolicies)
	for _, c := range []struct{ line, want string }{
		{"explain --policies policies.yaml --virtual-host ?", "api shop/* :4"},
		{"explain --policies policies.yaml --virtual-host s?", "shop/* :4"},
		{"explain --policies policies.yaml --virtual-host=a?", "api :4"},
		{"explain --policies bad.yaml --virtual-host ?", ":4"},
		{"explain --policies missing.yaml --virtual-host ?", ":4"},
		{"explain --policies - --virtual-host ?", ":4"},
		{"explain --virtual-host ?", ":4"},
		{"explain --policies policies.yaml --route ?", "cart orders public/* :4"},
		{"explain --policies policies.yaml --route p?", "public/* :4"},
		{"explain --policies policies.yaml --virtual-host shop/web --route ?", "cart :4"},
		{"explain --virtual-host api --policies policies.yaml --route o?", "orders :4"},
		{"explain --policies ?", "yaml yml json :8"},
		{"explain --credentials ?", "omit same-origin include :4"},
		{"explain --credentials s?", "same-origin :4"},
		{"explain --format ?", "text json :4"},
		{"explain -X ?", "GET POST PUT PATCH DELETE HEAD OPTIONS :4"},
		{"explain --method P?", "POST PUT PATCH :4"},
		{"explain --header ?", ":4"},
		{"explain --policies policies.yaml --origin ?", ":4"},
		{"explain --policies policies.yaml --origin null https://api.example.com/ ?", ":4"},
		{"learn --policies ?", "yaml yml json :8"},
		{"learn --routes ?", "auto none name 1 2 3 4 :4"},
		{"learn --field allow_o?", "allow_origin= :6"},
		{"learn --trust-reflected=?", ":4"},
		{"learn ?", ":0"},
		{"serve --policies ?", "yaml yml json :8"},
		{"serve --config ?", "yaml yml toml json :8"},
		{"serve --transport ?", "loop grpc :4"},
		{"serve --log-level w?", "warn :4"},
		{"serve --log-format ?", "text json :4"},
		{"serve --tls-cert ?", ":0"},
		{"diff ?", "yaml yml json :8"},
		{"diff old.yaml ?", "yaml yml json :8"},
		{"diff old.yaml new.yaml ?", ":4"},
		{"diff --format j?", "text json :4"},
		{"completion ?", "bash zsh fish powershell :4"},
		{"completion f?", "fish :4"},
		{"completion bash ?", ":4"},
	} {
		t.Run(c.line, func(t *testing.T) {
			args := strings.Fields("__complete " + strings.TrimSuffix(c.line, "?"))
			if strings.HasSuffix(c.line, " ?") {
				args = append(args, "")
			}
			status, got, stderr := runIn(t, "", args...)
			if got = strings.Join(strings.Fields(got), " "); status != 0 || got != c.want {
				t.Errorf("status %d, got %q, want %q\n%s", status, got, c.want, stderr)
			}
		})
	}
}

// TestCompletionScripts: each shell gets a script of its own, and a call without a shell one sentence.
func TestCompletionScripts(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "complete -o default", "zsh": "#compdef corsproc", "fish": "complete -c corsproc", "powershell": "Register-ArgumentCompleter",
	} {
		if status, script, stderr := runIn(t, "", "completion", shell); status != 0 || !strings.Contains(script, want) || stderr != "" {
			t.Errorf("%s: status %d, %d bytes, %s", shell, status, len(script), stderr)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"completion", "completion takes one SHELL, but was given 0"},
		{"completion bash zsh", "completion takes one SHELL, but was given 2"},
		{"completion csh", "write bash, zsh, fish or powershell"},
	} {
		if status, stdout, stderr := runIn(t, "", strings.Fields(c.args)...); status != 2 || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d, %q, %s", c.args, status, stdout, stderr)
		}
	}
}

// TestCompletionInBash runs the script in a real Bash that has nothing else: no package bash-completion either.
func TestCompletionInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "corsproc"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Chdir(dir)
	write(t, "policies.yaml", "virtual_hosts: [{name: api, policies: [none]}, {name: 'shop/*', policies: [none]}]")
	write(t, "policies.txt", "")
	if err := os.Mkdir("pool", 0o700); err != nil {
		t.Fatal(err)
	}
	const ask = `
source <(corsproc completion bash)
compopt() { :; } # outside of a completion Bash has none
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
__start_corsproc
echo "${COMPREPLY[*]}"`
	for _, c := range []struct{ line, want string }{
		{"corsproc exp", "explain"},
		{"corsproc check --format ", "text json github sarif"},
		{"corsproc explain --policies p", "policies.yaml pool"},
		{"corsproc diff policies.yaml po", "policies.yaml pool"},
		{"corsproc explain --policies policies.yaml --virtual-host ", "api shop/*"},
		{"corsproc explain --policies policies.yaml --virtual-host=a", "api"},
		{"corsproc explain --origin https://a.example:8443 --policies policies.yaml --virtual-host s", `shop/\*`}, // the only one is written out
	} {
		cmd := exec.Command(bash, "--norc", "--noprofile", "-f", "-c", ask, "bash", c.line)
		cmd.Env = append(os.Environ(), "PATH="+dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%q: got %q, want %q (%v)", c.line, got, c.want, err)
		}
	}
}
