package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

const (
	passingTest = "policies: good.yaml\ntests:\n  - name: a may read\n    fetch: {origin: https://a.example, url: https://b.example/}\n    expect: ALLOWED\n"
	failingTest = "policies: good.yaml\ntests:\n  - name: a may write\n    fetch: {origin: https://a.example, url: https://b.example/, method: PUT}\n    expect: ALLOWED\n"
)

// TestTest holds exit statuses, and what goes to which stream.
func TestTest(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "good.yaml", goodPolicies)
	write(t, "bad.yaml", badPolicies)
	write(t, "pass_test.yaml", passingTest)
	write(t, "fail_test.yaml", failingTest)
	write(t, "bad_test.yaml", strings.Replace(passingTest, "https://a.example", "https://A.example/", 1))
	write(t, "policies_test.yaml", strings.Replace(passingTest, "good.yaml", "bad.yaml", 1))
	for _, dir := range []string{"none", "some"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, "none/policies.yaml", goodPolicies)
	write(t, "some/tests.yaml", strings.Replace(passingTest, "good.yaml", "../good.yaml", 1))
	const failure = `FAIL  fail_test.yaml:3:5: a may write
      fetch       PUT https://b.example/ from https://a.example
      expected    allowed
      got         refused (method_not_allowed)
      preflight   refused (method_not_allowed) by policies.p, good.yaml:1:15
      request     not sent, because the preflight fails
      console     Access to fetch at 'https://b.example/' from origin 'https://a.example' has been blocked by CORS policy: Method PUT is not allowed by Access-Control-Allow-Methods in preflight response.
      to allow it add PUT to policies.p.allow_methods (good.yaml:1:15)
`
	const badOrigin = `bad_test.yaml:4:21: tests[0].fetch.origin: no browser sends the origin "https://A.example/": an origin has no path and is lower-case; write https://a.example
        fetch: {origin: https://A.example/, url: https://b.example/}
                        ^
corsproc: the tests of bad_test.yaml cannot be run
`
	for _, c := range []struct {
		args   string
		stdin  string
		status int
		stdout string // the whole of it
		stderr string // contained; empty: nothing at all
	}{
		{args: "pass_test.yaml", status: 0, stdout: "1 passed, 0 failed.\n"},
		{args: "-v pass_test.yaml", status: 0, stdout: "ok    pass_test.yaml:3:5: a may read: allowed\n1 passed, 0 failed.\n"},
		{args: "-", stdin: passingTest, status: 0, stdout: "1 passed, 0 failed.\n"},
		{args: "some pass_test.yaml", status: 0, stdout: "2 passed, 0 failed.\n"},
		{args: "fail_test.yaml", status: 1, stdout: failure + "0 passed, 1 failed.\n"},
		{args: "fail_test.yaml pass_test.yaml --verbose", status: 1, stdout: failure + "ok    pass_test.yaml:3:5: a may read: allowed\n1 passed, 1 failed.\n"},
		{args: "bad_test.yaml", status: 2, stderr: badOrigin},
		{args: "bad_test.yaml fail_test.yaml", status: 2, stdout: failure + "0 passed, 1 failed, 1 of 2 files not run.\n", stderr: badOrigin},
		{args: "policies_test.yaml", status: 2, stderr: "bad.yaml:3:21: policies.p.allow_origins[0]: "},
		{args: "policies_test.yaml", status: 2, stderr: "corsproc: the tests of policies_test.yaml cannot be run: the policies of bad.yaml do not load\n"},
		{args: "good.yaml", status: 2, stderr: "good.yaml:1:1: this is a policy file, not a policy test file"},
		{args: "none", status: 2, stderr: "none is a directory without policy test files"},
		{args: "missing_test.yaml", status: 2, stderr: "missing_test.yaml does not exist"},
		{args: "missing_test.yaml pass_test.yaml", status: 2, stdout: "1 passed, 0 failed.\n", stderr: "missing_test.yaml does not exist"},
		{args: "- -", stdin: passingTest, status: 2, stderr: "only once"},
		{args: "-", status: 2, stderr: "-:1:1: the file says nothing"},
		{args: "", status: 2, stderr: "test takes one PATH or several"},
		{args: "--format sarif pass_test.yaml", status: 2, stderr: "write text or json or junit"},
		{args: "--format json bad_test.yaml", status: 2, stderr: badOrigin, stdout: `{"files":[{"file":"bad_test.yaml","policies":"good.yaml","tests":[],"findings":[{` +
			`"severity":"error","code":"page-origin","file":"bad_test.yaml","line":4,"column":21,"field":"tests[0].fetch.origin",` +
			`"message":"no browser sends the origin \"https://A.example/\": an origin has no path and is lower-case","fix":"https://a.example"}]}],"passed":0,"failed":0}` + "\n"},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, stdout, stderr := runIn(t, c.stdin, append([]string{"test"}, strings.Fields(c.args)...)...)
			if status != c.status || stdout != c.stdout || !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" {
				t.Errorf("exit status %d, printed\n%s%s", status, stdout, stderr)
			}
		})
	}
	if _, _, stderr := runIn(t, "", "check", "pass_test.yaml"); stderr != "" {
		t.Error(stderr)
	}
	if status, stdout, _ := runIn(t, "", "check", "pass_test.yaml"); status != 1 || !strings.Contains(stdout, "pass_test.yaml:1:1: this is a policy test file") {
		t.Errorf("check of a test file: %d, %s", status, stdout)
	}
}

// TestTestJSON: every key is there that a program may ask for.
func TestTestJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "good.yaml", goodPolicies)
	write(t, "a_test.yaml", passingTest+strings.SplitAfter(failingTest, "tests:\n")[1]+"    reason: method_not_allowed\n")
	status, stdout, stderr := runIn(t, "", "test", "--format", "json", "a_test.yaml")
	if status != 1 || stderr != "" || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("exit status %d, printed %q, %q", status, stdout, stderr)
	}
	var got struct {
		Files []struct {
			File, Policies string
			Tests          []map[string]any
			Findings       []any
		}
		Passed, Failed int
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Files) != 1 || got.Files[0].File != "a_test.yaml" || got.Files[0].Policies != "good.yaml" || got.Passed != 1 || got.Failed != 1 {
		t.Errorf("%s", stdout)
	}
	for i, want := range []string{
		`{"name":"a may read","passed":true,"expected":"allowed","expected_reason":"","got":"allowed","got_reason":"allowed",
			"at":{"file":"a_test.yaml","line":3,"column":5,"field":"tests[0]"},
			"fetch":{"origin":"https://a.example","url":"https://b.example/","method":"","credentials":"","headers":{},"virtual_host":"","route_name":"","websocket":false,"path_as_is":false},
			"rule":{"file":"good.yaml","line":1,"column":32,"field":"policies.p.allow_origins[0]"}}`,
		`{"name":"a may write","passed":false,"expected":"allowed","expected_reason":"method_not_allowed","got":"refused","got_reason":"method_not_allowed",
			"at":{"file":"a_test.yaml","line":6,"column":5,"field":"tests[1]"},
			"fetch":{"origin":"https://a.example","url":"https://b.example/","method":"PUT","credentials":"","headers":{},"virtual_host":"","route_name":"","websocket":false,"path_as_is":false},
			"rule":{"file":"good.yaml","line":1,"column":15,"field":"policies.p"}}`,
	} {
		test := got.Files[0].Tests[i]
		if x, there := test["explanation"].(map[string]any); there != (i == 1) || there && (x["verdict"] != "refused" || x["browser"] == nil) {
			t.Errorf("explanation of %d: %v", i, x)
		}
		delete(test, "explanation")
		var wanted any
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		g, _ := json.Marshal(test)
		w, _ := json.Marshal(wanted)
		if string(g) != string(w) {
			t.Errorf("got  %s\nwant %s", g, w)
		}
	}
}

func TestTestJUnit(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "good.yaml", goodPolicies)
	write(t, "a_test.yaml", failingTest)
	status, stdout, _ := runIn(t, "", "test", "--format", "junit", "a_test.yaml")
	var report struct {
		XMLName  xml.Name
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal([]byte(stdout), &report); err != nil || status != 1 || report.XMLName.Local != "testsuites" || report.Failures != 1 {
		t.Errorf("exit status %d, %v, printed\n%s", status, err, stdout)
	}
	if want := `<testcase name="a may write" classname="a_test.yaml" file="a_test.yaml" line="3" time="0">`; !strings.Contains(stdout, want) {
		t.Errorf("no %s in\n%s", want, stdout)
	}
}

// TestTestHostile: what is no test file at all is told so, in bounded time and memory.
func TestTestHostile(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "binary.yaml", "\x7fELF\x02\x01\x00\x00")
	write(t, "large.yaml", "")
	if err := os.Truncate("large.yaml", 100<<20); err != nil {
		t.Fatal(err)
	}
	write(t, "deep.yaml", "tests: "+strings.Repeat("[", 1_000_000))
	bomb := "policies: p.yaml\ntests:\n  - &a0 [x]\n"
	for i := range 30 {
		bomb += fmt.Sprintf("  - &a%d [%s*a%d]\n", i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	write(t, "bomb.yaml", bomb)
	for _, link := range []string{"loop.yaml", "loop"} {
		if err := os.Symlink(link, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo("pipe.yaml", 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, "to-pipe.yaml", strings.Replace(passingTest, "good.yaml", "pipe.yaml", 1))
	write(t, "to-loop.yaml", strings.Replace(passingTest, "good.yaml", "loop", 1))
	for args, want := range map[string]string{
		"binary.yaml":  "binary.yaml:1:5: the control character U+0002",
		"large.yaml":   "large.yaml:1:1: the file is larger than 64 MiB",
		"deep.yaml":    "nested more than 100 deep",
		"bomb.yaml":    "anchors are not allowed",
		"loop.yaml":    "loop.yaml is a symbolic link that leads back to itself",
		"loop":         "loop is a symbolic link that leads back to itself",
		"pipe.yaml":    "pipe.yaml is a pipe that nothing was written to",
		"to-pipe.yaml": "to-pipe.yaml:1:11: policies: pipe.yaml is a pipe that nothing was written to",
		"to-loop.yaml": "to-loop.yaml:1:11: policies: loop is a symbolic link that leads back to itself",
		".":            "loop.yaml is a symbolic link that leads back to itself",
	} {
		status, stdout, stderr := runIn(t, "", "test", args)
		if status != 2 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit status %d, no %q in\n%s%s", args, status, want, stdout, stderr)
		}
	}
}

// TestShippedTests runs every policy test file of the repository that people copy, as it is and with each of its
// expectations turned into another.
func TestShippedTests(t *testing.T) {
	var files []string
	err := filepath.WalkDir("../../envoy", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, "policies_test.yaml") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	expectation := regexp.MustCompile(`expect: [A-Z]+`)
	for _, file := range files {
		if status, stdout, stderr := runIn(t, "", "test", file); status != 0 || stderr != "" {
			t.Errorf("%s: exit status %d, printed\n%s%s", file, status, stdout, stderr)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		folder, err := filepath.Abs(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(data), "\npolicies: ", "\npolicies: "+folder+"/", 1)
		all := expectation.FindAllStringIndex(text, -1)
		if len(all) < 10 {
			t.Errorf("%s: only %d tests", file, len(all))
		}
		for _, at := range all {
			other := "expect: ALLOWED"
			if text[at[0]:at[1]] == other {
				other = "expect: REFUSED"
			}
			status, stdout, _ := runIn(t, text[:at[0]]+other+text[at[1]:], "test", "-")
			if status != 1 || !strings.HasSuffix(stdout, " passed, 1 failed.\n") {
				t.Errorf("%s: with %q at %d: exit status %d, printed\n%s", file, other, at[0], status, stdout)
			}
		}
	}
}

// TestTestCompletion: a shell offers test files and folders, and formats.
func TestTestCompletion(t *testing.T) {
	if _, stdout, _ := runIn(t, "", "__complete", "test", ""); stdout != "yaml\nyml\njson\n:8\n" {
		t.Errorf("%q", stdout)
	}
	if _, stdout, _ := runIn(t, "", "__complete", "test", "--format", ""); !strings.HasPrefix(stdout, "text\njson\njunit\n") {
		t.Errorf("%q", stdout)
	}
}
