package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDiffText: places, and what changes there.
func TestDiffText(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "old.yaml", goodPolicies)
	write(t, "new.yaml", "policies: {p: {allow_origins: [https://b.example], allow_methods: [PUT]}}\ndefault: {policies: [p], reject: ALWAYS}\n")
	write(t, "same.yaml", "default: {policies: [q]}\npolicies: {q: {allow_origins: [https://a.example], allow_methods: [GET]}}\n")
	write(t, "bad.yaml", badPolicies)
	const changed = `default
  + https://b.example may read responses, without credentials; method PUT
  - https://a.example may no longer read responses (before: without credentials)
  - reject: ALWAYS instead of NEVER; of pages that are not allowed this stops everything
`
	for _, c := range []struct {
		args   string
		stdin  string
		status int
		stdout string // the whole of it
		stderr string // contained
	}{
		{args: "old.yaml new.yaml", status: 1, stdout: changed},
		{args: "- new.yaml", stdin: goodPolicies, status: 1, stdout: changed},
		{args: "old.yaml same.yaml", status: 0, stdout: "Both grant the same.\n"},
		{args: "old.yaml old.yaml --format json", status: 0, stdout: "{\"differences\":[]}\n"},
		{args: "old.yaml", status: 2, stderr: "diff takes two policy sets, OLD and NEW, but was given 1"},
		{args: "- -", stdin: goodPolicies, status: 2, stderr: "only once"},
		{args: "old.yaml missing.yaml", status: 2, stderr: "missing.yaml does not exist"},
		{args: "bad.yaml missing.yaml", status: 2, stderr: "bad.yaml:3:21: policies.p.allow_origins[0]"},
		{args: "old.yaml new.yaml --format sarif", status: 2, stderr: "sarif"},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, stdout, stderr := runIn(t, c.stdin, append([]string{"diff"}, strings.Fields(c.args)...)...)
			if status != c.status || stdout != c.stdout || !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" {
				t.Errorf("exit status %d, printed\n%s%s", status, stdout, stderr)
			}
		})
	}
}

// TestDiffJSON: every key is there that a program may ask for.
func TestDiffJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "old.yaml", "policies: {p: {allow_origins: [https://a.example]}}\nvirtual_hosts: [{name: h, policies: [p]}]\n")
	write(t, "new.yaml", "policies: {p: {allow_origins: [https://a.example], allow_methods: ['*']}}\nvirtual_hosts: [{name: h, policies: [p]}]\n")
	status, stdout, _ := runIn(t, "", "diff", "old.yaml", "new.yaml", "--format", "json")
	if status != 1 || strings.Count(stdout, "\n") != 1 {
		t.Errorf("exit status %d, printed %q", status, stdout)
	}
	want := `{"differences":[{
		"places":[{"virtual_host":"h","only":[],"route":"","text":"virtual host h"}],
		"changes":[{"effect":"gain","what":"methods","origins":["https://a.example"],"except":[],"values":["*"],"old":"","new":"*",
			"text":"https://a.example may use every method"}]}]}`
	var got, wanted any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(wanted)
	if string(g) != string(w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}
