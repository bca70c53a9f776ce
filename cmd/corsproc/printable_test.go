package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// unseen is what may stand in the name of a file, an argument or a value, and must not get to a terminal or a build's log:
// a control sequence, other control characters (C0, DEL, C1), line and paragraph separators, controls that reorder text,
// what nobody sees, and what is no text.
const unseen = "a\x1b[31mb\ac\x7fd\u009b31me\u2028f\u2029g\u202eh\u2066i\u061cj\ufeffk\u00adl\U000e0001m\xffn\r"

// TestNothingUnseen: whatever a command is given, and however it says what it has to say, nothing that is not to be seen
// gets out, and nothing that runs a build takes for a command.
func TestNothingUnseen(t *testing.T) {
	t.Chdir(t.TempDir())
	const pwned = "::error title=x::y ##[warning]z ##vso[task.complete]"
	name, command := unseen+".yaml", pwned+".yaml"
	mapped := strings.Map(func(r rune) rune { // what a policy file may hold
		if r < ' ' || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == '\ufffd' {
			return -1
		}
		return r
	}, unseen)
	good := "policies:\n  p: {allow_origins: [https://a.example]}\nvirtual_hosts:\n- {name: 'h " + mapped + "', domains: [h.example], policies: [p]}\n" +
		"- {name: 'h2 ##[error]x " + mapped + "', policies: [p]}\n"
	bad := "policies:\n  p:\n    allow_origins:\n    - https://A.example\n    - 'https://" + mapped + "'\n    - |-\n      ::error::from a file\n      ##[error]from a file\n"
	tests := func(policies, url string) string {
		return "policies: " + strings.ReplaceAll(policies, "::error", "x") + "\ntests:\n- name: 't " + mapped + " ##[error]'\n  fetch: {origin: https://b.example, url: '" + url + "', virtual_host: 'h " + mapped + "'}\n  expect: ALLOWED\n"
	}
	write(t, name, good)
	write(t, command, good)
	write(t, "good.yaml", good)
	write(t, "other.yaml", strings.ReplaceAll(good, "policies: [p]", "policies: [none]"))
	write(t, "bad "+name, bad)
	write(t, "::bad.yaml", bad)
	write(t, "t "+name, tests("good.yaml", "https://h.example/"))
	write(t, "::t.yaml", tests("good.yaml", "https://h.example/"))
	write(t, "u "+name, tests("missing"+mapped, "https://h.example/"))
	write(t, "settings "+name, "policies: good.yaml\nlisten: 'nowhere"+mapped+"'\nunknown"+mapped+": 1\n")
	if err := os.Mkdir("d"+unseen, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join("d"+unseen, name), bad)

	var calls [][]string
	add := func(args ...string) { calls = append(calls, args) }
	for _, format := range []string{"text", "json", "github", "sarif"} {
		for _, path := range []string{name, command, "bad " + name, "::bad.yaml", "d" + unseen, "missing" + unseen, "::missing", "::error::x ##[error]y"} {
			add("check", "--format", format, path)
		}
	}
	for _, format := range []string{"text", "json"} {
		for _, path := range []string{name, "bad " + name, "::bad.yaml", "missing" + unseen} {
			add("explain", "--format", format, "--policies", path, "--origin", "https://b.example", "--virtual-host", "h "+mapped, "https://h.example/"+mapped+"#"+unseen)
			add("diff", "--format", format, path, "other.yaml")
			add("diff", "--format", format, "other.yaml", path)
		}
		add("explain", "--format", format, "--policies", name, "--origin", unseen, "https://h.example/")
		add("explain", "--format", format, "--policies", name, "--origin", "https://b.example", "-X", unseen, "https://h.example/")
		add("explain", "--format", format, "--policies", name, "--origin", "https://b.example", "-H", unseen+": 1", "https://h.example/")
		add("explain", "--format", format, "--policies", name, "--origin", "https://b.example", "-H", "x: "+unseen, "https://h.example/")
		add("explain", "--format", format, "--policies", name, "--origin", "https://b.example", "-H", unseen, "https://h.example/")
		add("explain", "--format", format, "--policies", name, "--origin", "https://b.example", "--credentials", unseen, "https://h.example/")
		add("explain", "--format", format, "--policies", name, "--origin", "https://b.example", unseen)
		add("serve", "--log-format", format, "--policies", "bad "+name)
		add("serve", "--log-format", format, "--policies", "missing"+unseen)
		add("serve", "--log-format", format, "--policies", name, "--listen", "nowhere"+unseen+":1")
		add("serve", "--log-format", format, "--policies", name, "--listen", "127.0.0.1:0", "--admin-listen", "", "--tls-cert", unseen, "--tls-key", unseen)
		add("serve", "--log-format", format, "--config", "settings "+name)
		add("serve", "--log-format", format, "--config", "missing"+unseen)
	}
	for _, format := range []string{"text", "json", "junit"} {
		for _, path := range []string{"t " + name, "::t.yaml", "u " + name, name, "d" + unseen, "missing" + unseen} {
			add("test", "-v", "--format", format, path)
		}
	}
	for _, format := range []string{"text", "json", "junit"} {
		for _, path := range []string{name, command, "bad " + name, "::bad.yaml", "missing" + unseen} {
			add("verify", "--format", format, "--policies", path, "--connect", "127.0.0.1:1", "--virtual-host", "h "+mapped, "http://h.example/"+mapped+"#"+unseen)
		}
		add("verify", "--format", format, "--policies", name, unseen)
		add("verify", "--format", format, "--policies", name, "-H", unseen, "--connect", unseen, "--virtual-host", unseen, "--route", unseen, "--ca", unseen, "http://h.example/")
		add("verify", "--format", format, "--policies", name, "-H", "x: "+unseen, "--virtual-host", "::error::x ##[error]y", "http://h.example/")
		add("verify", "--format", format, "--policies", name, "--ca", unseen, "http://h.example/")
	}
	add(unseen)
	add("help", unseen)
	add("check", "--"+unseen)
	add("check", "--format", unseen, "good.yaml")
	add("health", unseen)
	add("health", "127.0.0.1:1", "--tls-ca", unseen)
	add("completion", unseen)
	add("version", unseen)
	add("__complete", "explain", "--policies", name, "--virtual-host", "")

	for _, args := range calls {
		var stdout, stderr strings.Builder
		status := run(context.Background(), args, strings.NewReader(""), &stdout, &stderr)
		out := stdout.String() + stderr.String()
		if out == "" && (status != 0 || args[0] != "check") {
			t.Errorf("%q says nothing", args)
		}
		for line := range strings.Lines(out) {
			line = strings.TrimSuffix(line, "\n")
			if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%q writes %q", args, line[max(0, i-20):min(len(line), i+20)])
			}
			if text := strings.TrimLeft(line, " "); strings.HasPrefix(text, "::") && !strings.Contains(strings.Join(args, " "), "github") {
				t.Errorf("%q writes a line that is a command: %q", args, line)
			}
			if strings.Contains(line, "##[") && !isData(args) {
				t.Errorf("%q writes a line that has a command in it: %q", args, line)
			}
		}
		checkParses(t, args, stdout.String())
	}
}

// isData reports whether what a command writes is for programs, or one command of GitHub Actions.
func isData(args []string) bool {
	all := strings.Join(args, " ")
	return strings.Contains(all, "github") || strings.Contains(all, "json") || strings.Contains(all, "sarif") || strings.Contains(all, "junit")
}

// checkParses holds that what is for programs is still what they know.
func checkParses(t *testing.T, args []string, out string) {
	t.Helper()
	if all := strings.Join(args, " "); strings.Contains(all, "--format json") || strings.Contains(all, "sarif") {
		if out != "" && !json.Valid([]byte(out)) {
			t.Errorf("%q is no JSON", args)
		}
	} else if strings.Contains(all, "junit") && out != "" {
		for d := xml.NewDecoder(strings.NewReader(out)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Errorf("%q is no XML: %v", args, err)
				break
			}
		}
	}
}
