package main

import (
	"os"
	"strings"
	"testing"
)

const faultyPolicies = `policies:
  shop: # keep this
    allow_origins:
      - https://Shop.example.com/
    max_age: 3h
default:
  policies: [shop]
`

// TestCheckFormats holds the one finding of each severity in every format.
func TestCheckFormats(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", `policies:
  shop: {allow_origins: [https://shop.example.com], max_age: 3h}
  spare: {}
default: {policies: [shp]}
`)
	for format, want := range map[string][]string{
		"text": {
			"policies.yaml:2:62: hint: policies.shop.max_age:", "\n      shop: {allow_origins:", "\n    " + strings.Repeat(" ", 61) + "^\n",
			"\npolicies.yaml:3:3: warning: policies.spare:", "\npolicies.yaml:4:22: default.policies[0]:",
		},
		"json":   {`"severity":"hint"`, `"code":"unused-policy"`, `"line":4,"column":22`},
		"github": {"::notice file=policies.yaml,line=2,col=62,title=max-age-capped::", "\n::warning file=policies.yaml,line=3,col=3,title=unused-policy::", "\n::error file=policies.yaml,line=4,col=22,title=unknown-policy::"},
		"sarif":  {`"version": "2.1.0"`, `"ruleId": "unknown-policy"`, `"startColumn": 62`},
	} {
		status, stdout, stderr := runIn(t, "", "check", "--format", format, "policies.yaml")
		if status != 1 || stderr != "" {
			t.Errorf("%s: exit status %d, %s", format, status, stderr)
		}
		for _, w := range want {
			if !strings.Contains(stdout, w) {
				t.Errorf("%s: no %q in\n%s", format, w, stdout)
			}
		}
	}
}

// TestCheckStrict: warnings keep nothing from loading, but for --strict; hints never do.
func TestCheckStrict(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "hint.yaml", "policies: {p: {allow_origins: [https://a.example], max_age: 3h}}\n")
	write(t, "warning.yaml", "policies: {p: {allow_origins: [\"null\"]}}\n")
	for args, want := range map[string]int{
		"hint.yaml": 0, "--strict hint.yaml": 0, "warning.yaml": 0, "--strict warning.yaml": 1, "--strict hint.yaml warning.yaml": 1,
	} {
		if status, _, _ := runIn(t, "", append([]string{"check"}, strings.Fields(args)...)...); status != want {
			t.Errorf("check %s: exit status %d, want %d", args, status, want)
		}
	}
}

func TestCheckFix(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", faultyPolicies)
	write(t, "left.yaml", "policies: {p: {allow_origins: [https://A.example, x y]}}\n")

	status, stdout, stderr := runIn(t, "", "check", "--fix", "policies.yaml", "left.yaml")
	if status != 1 || stderr != "" {
		t.Errorf("exit status %d, %s", status, stderr)
	}
	if !strings.HasPrefix(stdout, "left.yaml:1:51: ") || !strings.Contains(stdout, "\npolicies.yaml:5:14: hint: ") || strings.Contains(stdout, "hop.example.com") {
		t.Errorf("left are\n%s", stdout)
	}
	for name, want := range map[string]string{
		"policies.yaml": strings.Replace(faultyPolicies, "https://Shop.example.com/", "https://shop.example.com", 1),
		"left.yaml":     "policies: {p: {allow_origins: [https://a.example, x y]}}\n",
	} {
		if data, err := os.ReadFile(name); err != nil || string(data) != want {
			t.Errorf("%s is\n%s%v", name, data, err)
		}
	}

	info, err := os.Stat("policies.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := runIn(t, "", "check", "--fix", "policies.yaml"); status != 0 {
		t.Errorf("what is right has exit status %d", status)
	}
	if again, err := os.Stat("policies.yaml"); err != nil || !os.SameFile(info, again) || !again.ModTime().Equal(info.ModTime()) {
		t.Error("what is right is written again")
	}

	if status, stdout, _ := runIn(t, faultyPolicies, "check", "--fix", "-"); status != 2 || stdout != "" {
		t.Errorf("standard input: exit status %d, %s", status, stdout)
	}
	if err := os.Symlink("gone.yaml", "dangling.yaml"); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := runIn(t, "", "check", "--fix", "dangling.yaml"); status != 2 || !strings.Contains(stderr, "dangling.yaml") {
		t.Errorf("an unreadable file: exit status %d, %s", status, stderr)
	}
}

// TestErrorsArePrintable: names that the command line and directories bring do not reach a terminal as control sequences.
func TestErrorsArePrintable(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{{"check", "\x1b[31mred.yaml"}, {"check", "--\x1b[31mred"}, {"test", "\x1b[31mred.yaml"}} {
		status, stdout, stderr := runIn(t, "", args...)
		if status != 2 || stdout != "" || strings.Contains(stderr, "\x1b") || !strings.Contains(stderr, "[31mred") {
			t.Errorf("%q: exit status %d, %q, %q", args, status, stdout, stderr)
		}
	}
}
