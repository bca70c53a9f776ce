package policytest_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/policy/policytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with the golden file of a name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}

// TestBadFiles runs every file of testdata/bad alone and compares all that is said of them, as people read it.
func TestBadFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*")
	if err != nil || len(names) < 20 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	var got bytes.Buffer
	codes := map[finding.Code]bool{}
	for _, name := range names {
		r := policytest.Run([]string{name}, nil)
		if r.Err == nil || len(r.Findings) == 0 || r.Results.GetPassed()+r.Results.GetFailed() > 0 {
			t.Errorf("%s: is run", name)
		}
		if files := r.Results.GetFiles(); len(files) != 1 || len(files[0].GetFindings()) != len(r.Findings) {
			t.Errorf("%s: the results do not have its findings", name)
		}
		for _, f := range r.Findings {
			codes[f.Code] = true
			if f.Line < 1 || f.Column < 1 {
				t.Errorf("%s: a finding without a place: %v", name, f)
			}
		}
		if err := policyfile.WriteText(&got, r.Findings); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "bad.txt", got.Bytes())
	for _, e := range policytest.Catalogue {
		if !codes[e.Code] && e.Bad != "" {
			t.Errorf("no file shows %s", e.Code)
		}
	}
}

// TestOutcomes: every outcome comes as the good file expects it; and where each test expects something else, every one
// fails, with words for people.
func TestOutcomes(t *testing.T) {
	const file = "testdata/good/outcomes_test.yaml"
	r := policytest.Run([]string{file}, nil)
	if r.Err != nil || r.Results.GetFailed() > 0 || r.Results.GetPassed() < 15 {
		t.Fatalf("%v %v", r.Err, r.Results)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.NewReplacer(
		"expect: ALLOWED", "expect: REFUSED", "expect: REFUSED", "expect: ALLOWED",
		"expect: REJECTED", "expect: ALLOWED", "expect: UNDECIDED", "expect: ALLOWED", "../policies.yaml", "testdata/policies.yaml",
	).Replace(string(data))
	failed := policytest.Run([]string{"-"}, strings.NewReader(other))
	if failed.Err != nil || failed.Results.GetPassed() > 0 || failed.Results.GetFailed() != r.Results.GetPassed() {
		t.Fatalf("%v, %d passed, %d failed", failed.Err, failed.Results.GetPassed(), failed.Results.GetFailed())
	}
	var text bytes.Buffer
	if err := policytest.WriteText(&text, failed.Results, false, false); err != nil {
		t.Fatal(err)
	}
	golden(t, "failed.txt", text.Bytes())

	text.Reset()
	if err := policytest.WriteText(&text, r.Results, true, false); err != nil {
		t.Fatal(err)
	}
	golden(t, "passed.txt", text.Bytes())
}

// TestReason: a reason that is written has to come, and one that is not may be any.
func TestReason(t *testing.T) {
	for reason, passes := range map[string]bool{"": true, "reason: origin_not_allowed": true, "reason: origin_denied": false} {
		r := run(t, "policies: testdata/policies.yaml\ntests:\n  - name: a\n    fetch: {origin: https://a.example, url: https://api.example.com/}\n    expect: REFUSED\n    "+reason)
		if got := r.Results.GetPassed() == 1; got != passes {
			t.Errorf("%q: passes %v", reason, got)
		}
	}
}

// TestRejectedExpected: who expects a request to be stopped is told what stops it.
func TestRejectedExpected(t *testing.T) {
	for fetch, want := range map[string]string{
		"url: https://api.example.com/":                                   "reject: ALWAYS at the place",
		"url: https://api.example.com/, method: POST":                     "reject: UNSAFE_METHODS at the place",
		"url: https://api.example.com/orders, method: DELETE":             "this is REFUSED",
		"url: wss://api.example.com/, websocket: true":                    "reject: WEBSOCKETS at the place",
		"url: https://other.example.com/, method: PUT, route_name: other": "route other",
	} {
		r := run(t, "policies: testdata/policies.yaml\ntests:\n  - name: a\n    fetch: {origin: https://a.example, "+fetch+"}\n    expect: REJECTED\n")
		var text bytes.Buffer
		if err := policytest.WriteText(&text, r.Results, false, false); err != nil || !strings.Contains(text.String(), want) {
			t.Errorf("%s: %v no %q in\n%s", fetch, err, want, &text)
		}
	}
}

// run runs a test file on standard input.
func run(t *testing.T, text string) *policytest.Report {
	t.Helper()
	r := policytest.Run([]string{"-"}, strings.NewReader(text))
	if r.Err != nil {
		t.Fatalf("%v %v", r.Err, r.Findings)
	}
	return r
}

const oneTest = "tests:\n  - {name: a, fetch: {origin: https://a.example, url: https://b.example/}, expect: UNDECIDED}\n"

// TestPaths: what a path stands for, and what policies belong to it.
func TestPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"p.yaml":                   "{}",
		"broken.yaml":              "policies: []\n",
		"d/p.yaml":                 "{}",
		"d/shop.yaml":              "policies: p.yaml\n" + oneTest,
		"d/b_test.json":            `{"policies": "../p.yaml", "tests": [{"name": "a", "fetch": {"origin": "null", "url": "http://b.example"}, "expect": "UNDECIDED"}]}`,
		"d/.hidden_test.yaml":      "nonsense",
		"d/below/c_test.yaml":      "nonsense",
		"d/README_test.md":         "nonsense",
		"d/values.yaml":            "{{ nonsense",
		"d/alerts_test.yaml":       "rule_files: [alerts.yaml]\ntests:\n  - {name: a, interval: 1m}\n",
		"broken/a_test.yaml":       "{{ nonsense",
		"two/a.yaml":               "policies: ../broken.yaml\n" + oneTest,
		"two/b.yaml":               "policies: ../broken.yaml\n" + oneTest,
		"two/c.yaml":               "policies: ../p.yaml\n" + oneTest,
		"none/p.yaml":              "{}",
		"stray/p.yaml":             "{}",
		"stray/p_test.yaml":        "policies: .\n" + oneTest,
		"strange names/-/a b.yaml": "policies: \"\\\\/p\\xFF.yaml\"\n" + oneTest,
		"pass.yaml":                "policies: p.yaml\n" + oneTest,
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	abs, err := filepath.Abs("p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		paths    string
		stdin    string
		policies string // of the files that were run, in their order
		passed   int32
		findings []string // their codes
		err      string   // contained
	}{
		{paths: "pass.yaml", policies: "p.yaml", passed: 1},
		{paths: "./d/shop.yaml", policies: "d/p.yaml", passed: 1},
		{paths: "pass.yaml d/shop.yaml pass.yaml", policies: "p.yaml d/p.yaml p.yaml", passed: 3},
		{paths: "d", policies: "p.yaml d/p.yaml", passed: 2},
		{paths: "-", stdin: "policies: d/p.yaml\n" + oneTest, policies: "d/p.yaml", passed: 1},
		{paths: "-", stdin: "policies: " + abs + "\n" + oneTest, policies: abs, passed: 1},
		{paths: "-", stdin: "policies: d\n" + oneTest, policies: "d", err: "the policies of d do not load", findings: []string{"test-file", "test-file", "syntax", "unknown-key", "unknown-key"}},
		{paths: "p.yaml", policies: "", err: "p.yaml cannot be run", findings: []string{"missing-field", "no-tests"}},
		{paths: "none", err: "none is a directory without policy test files"},
		{paths: "missing pass.yaml", policies: "p.yaml", passed: 1, err: "missing does not exist"},
		{paths: "broken", err: "broken/a_test.yaml cannot be run", findings: []string{"syntax"}},
		{paths: "two", policies: "broken.yaml broken.yaml p.yaml", passed: 1, err: "the policies of broken.yaml do not load", findings: []string{"wrong-type"}},
		{paths: "stray", policies: "stray", err: "the policies of stray do not load", findings: []string{"test-file"}},
	} {
		t.Run(c.paths, func(t *testing.T) {
			r := policytest.Run(strings.Fields(c.paths), strings.NewReader(c.stdin))
			var policies, codes []string
			for _, f := range r.Results.GetFiles() {
				policies = append(policies, f.GetPolicies())
			}
			for _, f := range r.Findings {
				codes = append(codes, string(f.Code))
			}
			slices.Sort(codes)
			slices.Sort(c.findings)
			if got := strings.TrimSpace(strings.Join(policies, " ")); got != c.policies || r.Results.GetPassed() != c.passed || !slices.Equal(codes, c.findings) {
				t.Errorf("policies %q, %d passed, findings %v", got, r.Results.GetPassed(), codes)
			}
			if (r.Err == nil) != (c.err == "") || c.err != "" && !strings.Contains(r.Err.Error(), c.err) {
				t.Errorf("error %v", r.Err)
			}
		})
	}
	r := policytest.Run([]string{"strange names/-/a b.yaml"}, nil)
	if len(r.Findings) != 1 || r.Findings[0].Code != policytest.CodePoliciesUnreadable {
		t.Errorf("%v", r.Findings)
	}
}

// TestManyFaults: of a hostile file a bounded number is said.
func TestManyFaults(t *testing.T) {
	var b strings.Builder
	b.WriteString("policies: p.yaml\ntests:\n")
	for range 3000 {
		b.WriteString("  - {name: a, expect: ALLOWED}\n")
	}
	r := policytest.Run([]string{"-"}, strings.NewReader(b.String()))
	if n := len(r.Findings); n != 1001 || !slices.ContainsFunc(r.Findings, func(f finding.Diagnostic) bool { return f.Code == "too-many-findings" }) {
		t.Errorf("%d findings", n)
	}
	b.Reset()
	b.WriteString("policies: p.yaml\ntests: [" + strings.Repeat("{},", policytest.MaxTests) + "{}]\n")
	r = policytest.Run([]string{"-"}, strings.NewReader(b.String()))
	if len(r.Findings) != 1 || r.Findings[0].Code != policytest.CodeTooManyTests {
		t.Errorf("%d findings", len(r.Findings))
	}
}

// TestOutside: a test file, which may be a stranger's, can name any file, and a link in a directory lead to any. Nothing is
// quoted of those that lie neither below the folder of the test file nor below that in which the tests are run.
func TestOutside(t *testing.T) {
	const secret = "hunter2"
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const test = "\ntests: [{name: t, fetch: {origin: https://a.example, url: https://b.example/}, expect: ALLOWED}]\n"
	write("secret", "root:"+secret+":0:0\n")
	write("repository/shop/policies.yaml", "root:"+secret+":0:0\n")
	write("repository/shop/tests/near.yaml", "policies: ../policies.yaml"+test)
	write("repository/shop/tests/far.yaml", "policies: ../../../secret"+test)
	write("repository/shop/tests/absolute.yaml", "policies: "+filepath.Join(root, "secret")+test)
	if err := os.Symlink("../../../secret", filepath.Join(root, "repository/shop/tests/link_test.yaml")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(root, "repository"))
	for path, quoted := range map[string]bool{
		"shop/tests/near.yaml": true, "shop/tests/far.yaml": false, "shop/tests/absolute.yaml": false,
		"shop/tests": true, // near.yaml's
	} {
		r := policytest.Run([]string{path}, nil)
		var b bytes.Buffer
		if err := policyfile.WriteAnnotated(&b, r.Findings, r.Files, false); err != nil || r.Err == nil || b.Len() == 0 {
			t.Fatalf("%s: %v, %v", path, err, r.Err)
		}
		for _, f := range r.Findings {
			if !quoted || f.File != "shop/policies.yaml" {
				if strings.Contains(fmt.Sprint(f, f.Related), secret) {
					t.Errorf("%s: %v", path, f)
				}
			}
		}
		if strings.Contains(b.String(), secret) != quoted {
			t.Errorf("%s:\n%s", path, b.String())
		}
	}
}

// TestFarTooLarge: what is refused for its size is not read first, however large it is.
func TestFarTooLarge(t *testing.T) {
	const test = "- {name: t, fetch: {origin: https://a.example, url: https://h.example/}, expect: ALLOWED}\n"
	for name, text := range map[string]string{
		"tests":    "policies: p.yaml\ntests:\n" + strings.Repeat(test, 20*policytest.MaxTests),
		"fields":   "policies: p.yaml\ntests:\n- name: t\n" + strings.Repeat("  x: y\n", 100*policytest.MaxTests),
		"brackets": "policies: p.yaml\ntests: [" + strings.Repeat("[[[[[]]]]],", 10*policytest.MaxTests) + "]\n",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := policytest.Run([]string{"-"}, strings.NewReader(text))
			runtime.ReadMemStats(&after)
			if len(r.Findings) != 1 || r.Findings[0].Code != policytest.CodeTooManyTests || r.Err == nil {
				t.Errorf("findings: %v", r.Findings)
			}
			// Of a file that is read whole, each test takes some KiB.
			const most = 200 << 20
			if took := after.TotalAlloc - before.TotalAlloc; took > most+6*uint64(len(text)) {
				t.Errorf("%d MiB are taken for a file of %d MiB", took>>20, len(text)>>20)
			}
		})
	}
}
