package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

const (
	logGranted = `{"virtual_host":"api","authority":"api.example.com","method":"GET","path":"/","origin":"https://a.example","status":200,"allow_origin":"https://a.example","vary":"Origin"}` + "\n"
	logRefused = `{"virtual_host":"api","authority":"api.example.com","method":"GET","path":"/","origin":"https://b.example","status":200,"vary":"Origin"}` + "\n"
	logNull    = `{"virtual_host":"api","authority":"api.example.com","method":"GET","path":"/","origin":"null","status":200,"allow_origin":"null","vary":"Origin"}` + "\n"
)

// TestLearn holds how learn is called: exit statuses, streams, and what it says where it cannot say anything.
func TestLearn(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "good.log", logGranted+logRefused)
	write(t, "null.log", logGranted+logNull)
	write(t, "text.log", "no\nJSON\n")
	write(t, "empty.log", "")
	write(t, "keys.log", `{"ts":1,"a\u001b[31m":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"eleventh":11}`+"\n")
	write(t, "quiet.log", `{"origin":null,"status":200,"method":"GET"}`+"\n")
	write(t, "nested.log", `{"req":{"origin":"https://a.example","host":"api.example.com"},"req.method":"GET","code":200,"acao":["https://a.example"],"vary":"Origin"}`+"\n")
	write(t, "broken.gz", "\x1f\x8bnonsense")
	write(t, "cut.gz", packed(t, "gzip", strings.Repeat(logGranted, 100))[:100])
	write(t, "good.gz", packed(t, "gzip", logGranted)+packed(t, "gzip", logRefused))
	write(t, "good.txt", packed(t, "zstd", logGranted+logRefused))
	write(t, "policies.yaml", "policies: {a: {allow_origins: [https://a.example]}}\ndefault: {policies: [a]}\n")
	write(t, "none.yaml", "default: {policies: [none]}\n")
	write(t, "bad.yaml", badPolicies)
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	const learned = "- https://a.example"
	for _, c := range []struct {
		args   string
		stdin  string
		status int
		stdout string // contained; "-": nothing at all
		stderr string // the same
	}{
		{args: "good.log", stdout: learned, stderr: "-"},
		{args: "-", stdin: logGranted, stdout: learned, stderr: "-"},
		{args: "-", stdin: strings.TrimSpace(logGranted), stdout: learned, stderr: "-"},
		{args: "-", stdin: packed(t, "gzip", logGranted), stdout: learned, stderr: "-"},
		{args: "-", stdin: packed(t, "zstd", logGranted), stdout: learned, stderr: "-"},
		{args: "good.gz", stdout: "2 lines, 2 of pages", stderr: "-"},
		{args: "good.txt", stdout: learned, stderr: "-"},
		{args: "good.log good.gz -", stdin: logNull, stdout: "5 lines", stderr: "-:1: warning: api: null is granted"},
		{args: "text.log good.log", stdout: learned, stderr: "text.log:2: warning: this line is not a JSON object [not-json]\n"},
		{args: "null.log", stdout: "# withheld [grants-null]: 1 origin: null\n", stderr: "null.log:2: warning: api: null is granted"},
		{args: "null.log --trust-reflected", stdout: `- "null"`, stderr: "[grants-null]\n"},
		{args: "--trust-reflected null.log", stdout: `- "null"`, stderr: "[grants-null]\n"},
		{args: "--trust-reflected=api null.log", stdout: `- "null"`, stderr: "[grants-null]\n"},
		{args: "--trust-reflected=other --trust-reflected=api null.log", stdout: `- "null"`, stderr: "[grants-null]\n"},
		{args: "--trust-reflected=other null.log", stdout: "withheld", stderr: "[grants-null]\ncorsproc: --trust-reflected: no place of the logs is called other; without =PLACE it is about all of them\n"},
		{args: "--trust-reflected=everywhere null.log", stdout: "withheld", stderr: "no place of the logs is called everywhere;"},
		{args: "--trust-reflected=everywhere null.log -", stdin: strings.ReplaceAll(logNull, "\"api", "\"everywhere"), stdout: "withheld [grants-null]: 1 origin: null\n  - name: api\n", stderr: "[grants-null]\n"},
		{args: "--trust-reflected=other --format json null.log", stdout: "withheld", stderr: "\"}]}\n"},
		{args: "null.log --format json", stdout: learned, stderr: `{"findings":[{"severity":"warning","code":"grants-null","file":"null.log","line":2,"column":0,"field":"api","message":"`},
		{args: "good.log --format=json", stdout: learned, stderr: "{\"findings\":[]}\n"},
		{args: "good.log --routes 1", stdout: "- path: /\n", stderr: "-"},
		{args: "quiet.log", stdout: "policies: [passthrough]", stderr: "-"},
		{args: "nested.log --field origin=req.origin --field authority=req.host --field method=req.method --field status=code --field allow_origin=acao", stdout: learned, stderr: "-"},

		{args: "good.log --policies policies.yaml", stdout: "Lost: 0, gained: 0.\n", stderr: "-"},
		{args: "--policies none.yaml good.log", status: 1, stdout: "- api: https://a.example loses everything: origin_not_allowed (1 line)\n    by default.policies, none.yaml:1:21\n", stderr: "-"},
		{args: "--policies - good.log", stdin: "default: {policies: [none]}\n", status: 1, stdout: "-:1:21", stderr: "-"},
		{args: "--policies none.yaml null.log", status: 1, stdout: "Lost: 2, gained: 0.\n", stderr: "[grants-null]"},

		{args: "", status: 2, stdout: "-", stderr: "learn takes one LOG or several"},
		{args: "missing.log", status: 2, stdout: "-", stderr: "missing.log"},
		{args: "good.log missing.log", status: 2, stdout: "-", stderr: "missing.log"},
		{args: "folder", status: 2, stdout: "-", stderr: "folder is a directory"},
		{args: "broken.gz", status: 2, stdout: "-", stderr: "broken.gz cannot be read: "},
		{args: "good.log cut.gz", status: 2, stdout: "-", stderr: "cut.gz cannot be read: "},
		{args: "text.log", status: 2, stdout: "-", stderr: "no line of the logs is a JSON object"},
		{args: "empty.log", status: 2, stdout: "-", stderr: "no line of the logs is a JSON object"},
		{args: "keys.log", status: 2, stdout: "-", stderr: `envoy/access-log.yaml, or say with --field origin=PATH where the Origin header stands; keys that are there: ts, a\x1b[31m, c, d, e, f, g, h, i, j` + "\n"},
		{args: "- -", status: 2, stdout: "-", stderr: "only once"},
		{args: "--policies - -", status: 2, stdout: "-", stderr: "only once"},
		{args: "--policies bad.yaml good.log", status: 2, stdout: "-", stderr: "bad.yaml:3:21"},
		{args: "--policies missing.yaml good.log", status: 2, stdout: "-", stderr: "missing.yaml"},
		{args: "--policies= good.log", status: 2, stdout: "-", stderr: "--policies is empty"},
		{args: "--policies none.yaml --routes 1 good.log", status: 2, stdout: "-", stderr: "--routes is about what is learned"},
		{args: "--routes 5 good.log", status: 2, stdout: "-", stderr: `"5" is none of auto, none, name, 1, 2, 3, 4`},
		{args: "--field nonsense=x good.log", status: 2, stdout: "-", stderr: "nonsense"},
		{args: "--field origin good.log", status: 2, stdout: "-", stderr: "NAME=PATH"},
		{args: "--field origin= good.log", status: 2, stdout: "-", stderr: "NAME=PATH"},
		{args: "--format yaml good.log", status: 2, stdout: "-", stderr: "yaml"},
		{args: "--tests= good.log", status: 2, stdout: "-", stderr: "--tests"},
		{args: "--tests no/such/folder.yaml good.log", status: 2, stdout: "-", stderr: "no/such/folder.yaml"},
		{args: "--trust-reflected= good.log", status: 2, stdout: "-", stderr: "no place"},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, stdout, stderr := runIn(t, c.stdin, append([]string{"learn"}, strings.Fields(c.args)...)...)
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			for _, stream := range []struct{ want, got string }{{c.stdout, stdout}, {c.stderr, stderr}} {
				if stream.want == "-" && stream.got != "" || stream.want != "-" && !strings.Contains(stream.got, stream.want) {
					t.Errorf("printed %q, want %q", stream.got, stream.want)
				}
			}
		})
	}
}

// packed returns a text compressed.
func packed(t *testing.T, how, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if how == "zstd" {
		var err error
		if w, err = zstd.NewWriter(&b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestLearnTests: the tests that learn writes pass beside what it prints.
func TestLearnTests(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "access.log", logGranted+logRefused+logNull)
	status, policies, stderr := runIn(t, "", "learn", "--tests", "learned_test.yaml", "access.log")
	if status != 0 {
		t.Fatalf("exit status %d, printed %s", status, stderr)
	}
	write(t, "policies.yaml", policies)
	if status, stdout, stderr := runIn(t, "", "test", "learned_test.yaml"); status != 0 || !strings.HasPrefix(stdout, "3 passed") {
		t.Errorf("exit status %d, printed %s%s", status, stdout, stderr)
	}
	write(t, "quiet.log", `{"origin":null}`+"\n")
	status, _, stderr = runIn(t, "", "learn", "--tests", "none_test.yaml", "quiet.log")
	if _, err := os.Stat("none_test.yaml"); err == nil || status != 0 || !strings.Contains(stderr, "none_test.yaml is not written") {
		t.Errorf("exit status %d, printed %s", status, stderr)
	}
}

// TestLearnJSON: every key of a report is there that a program may ask for.
func TestLearnJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "access.log", "x\n"+strings.ReplaceAll(logGranted+logGranted, `"method"`, `"time":"2026-11-29T10:00:00.250Z","method"`)+logRefused)
	write(t, "p.yaml", "policies: {b: {allow_origins: [https://b.example]}}\ndefault: {policies: [b]}\n")
	status, stdout, stderr := runIn(t, "", "learn", "--policies", "p.yaml", "--format", "json", "access.log")
	if status != 1 || strings.Count(stdout, "\n") != 1 || !strings.HasPrefix(stderr, `{"findings":[{"severity":"warning","code":"not-json"`) {
		t.Errorf("exit status %d, printed %q %q", status, stdout, stderr)
	}
	want := `{"summary":{"lines":4,"not_json":1,"cross_origin":3,"lose":1,"gain":1},
		"lose":[{"place":"api","origin":"https://a.example","what":"origin","name":"","reason":"origin_not_allowed","count":2,
			"first_seen":"2026-11-29T10:00:00.250Z","last_seen":"2026-11-29T10:00:00.250Z",
			"rule":{"file":"p.yaml","line":2,"column":21,"field":"default.policies"},
			"change":"add https://a.example to policies.b.allow_origins (p.yaml:1:31)"}],
		"gain":[{"place":"api","origin":"https://b.example","what":"origin","name":"","reason":"allowed","count":1,"first_seen":"","last_seen":"",
			"rule":{"file":"p.yaml","line":1,"column":32,"field":"policies.b.allow_origins[0]"},"change":""}]}`
	var got, wanted any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(wanted)
	if !bytes.Equal(a, b) {
		t.Errorf("printed %s\nwant    %s", a, b)
	}
	// Without a file there is no rule, and nothing is lost where everything is passed through.
	write(t, "empty.yaml", "{}\n")
	if status, stdout, _ := runIn(t, "", "learn", "--policies", "empty.yaml", "--format", "json", "access.log"); status != 0 || !strings.HasSuffix(stdout, `"lose":[],"gain":[]}`+"\n") {
		t.Errorf("exit status %d, printed %s", status, stdout)
	}
}

// TestLearnInterrupted: Ctrl-C prints what was read until then, and its head says so.
func TestLearnInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "none.yaml", "default: {policies: [none]}\n")
	for _, args := range [][]string{{"learn", "-"}, {"learn", "--policies", "none.yaml", "-"}} {
		ctx, interrupt := context.WithCancel(context.Background())
		r, w := io.Pipe()
		go func() {
			io.WriteString(w, strings.Repeat(logGranted, 1000))
			io.WriteString(w, "x") // is only taken when all before it is read
			interrupt()
		}()
		var out, errs bytes.Buffer
		status := run(ctx, args, r, &out, &errs)
		if text := out.String(); status != 130 || !strings.Contains(text, "INCOMPLETE") || !strings.Contains(text, "https://a.example") {
			t.Errorf("exit status %d, printed %s%s", status, text, errs.String())
		}
		w.Close()
	}
}
