package learn_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/learn"
	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/policy/policytest"
)

// goldens are logs in testdata, and how they are read. What comes of each stands beside it: findings, policies, tests, or
// a report where there are policies that might come into force.
var goldens = []struct {
	name     string
	log      string // empty: that of the name
	routes   string
	fields   []string
	trust    learn.Trust
	policies bool
}{
	{name: "shop"},
	{name: "preflightonly"},
	{name: "reflects"},
	{name: "reflects-trusted", log: "reflects", trust: learn.Trust{Places: []string{"public", "api"}}},
	{name: "malformed"},
	{name: "malformed-trusted", log: "malformed", trust: learn.Trust{All: true}},
	{name: "dangerous"},
	{name: "dangerous-trusted", log: "dangerous", trust: learn.Trust{All: true}},
	{name: "answers"},
	{name: "everybody"},
	{name: "split"},
	{name: "split-none", log: "split", routes: "none"},
	{name: "split-2", log: "split", routes: "2"},
	{name: "split-name", log: "split", routes: "name"},
	{name: "modes"},
	{name: "places"},
	{name: "family"},
	{name: "hostile"},
	{name: "hostile-trusted", log: "hostile", trust: learn.Trust{All: true}},
	{name: "forms"},
	{name: "fields", fields: []string{
		"time=ts", "authority=request.host", "method=request.method", "path=request.uri", "origin=request.headers.Origin", "cookie=request.headers.Cookie",
		"allow_origin=resp_headers.Access-Control-Allow-Origin", "allow_credentials=resp_headers.Access-Control-Allow-Credentials", "vary=resp_headers.Vary",
	}},
	{name: "headerless"},
	{name: "headerless-report", log: "headerless", policies: true},
	{name: "breakage", policies: true},
	{name: "exposing", policies: true},
}

func TestGoldens(t *testing.T) {
	codes := map[string]bool{}
	for _, c := range goldens {
		t.Run(c.name, func(t *testing.T) {
			if c.log == "" {
				c.log = c.name
			}
			options := learn.Options{Trust: c.trust}
			if c.routes != "" {
				var err error
				if options.Routes, err = learn.ParseRoutes(c.routes); err != nil {
					t.Fatal(err)
				}
			}
			for _, f := range c.fields {
				if err := options.Fields.Add(f); err != nil {
					t.Fatal(err)
				}
			}
			if c.policies {
				policies := compiled(t, c.log+".policies.yaml", nil)
				options.Policies, options.Locate = policies.Set, policies.Location
			}
			log, err := os.ReadFile("testdata/" + c.log + ".jsonl")
			if err != nil {
				t.Fatal(err)
			}
			got := outcome(t, options, log)
			for _, line := range strings.Split(got, "\n") {
				if i := strings.LastIndexByte(line, '['); i >= 0 && strings.HasSuffix(line, "]") && !strings.HasPrefix(line, "#") {
					codes[strings.Trim(line[i:], "[]")] = true
				}
			}
			golden := filepath.Join("testdata", c.name+".golden")
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("%v; it comes out as\n%s", err, got)
			}
		})
	}
	for _, code := range []string{
		learn.CodeReflectsAnyOrigin, learn.CodeGrantsNull, learn.CodeGrantsInsecure, learn.CodeGrantsLookAlike, learn.CodeMissingVary, learn.CodeHeaderTwice,
		learn.CodeStarWithCredentials, learn.CodePreflightStatus, learn.CodeGrantsDiffer, learn.CodeDecidedByCorsproc, learn.CodeNoResponseHeaders, learn.CodeNotJSON,
	} { // CodeTableFull: TestLimits
		if !codes[code] {
			t.Errorf("no log shows %s", code)
		}
	}
}

// outcome returns all that comes of a log. The policies load, and the tests pass with them.
func outcome(t *testing.T, options learn.Options, log []byte) string {
	t.Helper()
	l := learn.New(options)
	if err := l.Read(context.Background(), "access.log", bytes.NewReader(log)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if options.Policies != nil {
		report, findings := l.Report()
		b.WriteString("-- findings --\n")
		learn.WriteFindings(&b, findings)
		b.WriteString("-- report --\n")
		learn.WriteBreakage(&b, report, false)
		return b.String()
	}
	learned := l.Learn(false)
	b.WriteString("-- findings --\n")
	learn.WriteFindings(&b, learned.Findings)
	policies, tests := learned.File.Bytes(), learned.TestFile()
	fmt.Fprintf(&b, "-- policies --\n%s-- tests --\n%s", policies, tests)
	passes(t, policies, tests)
	return b.String()
}

// passes asserts that policies load, and that tests of them pass.
func passes(t *testing.T, policies, tests []byte) *policy.Set {
	t.Helper()
	set := compiled(t, "policies.yaml", policies).Set
	if tests == nil {
		return set
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"policies.yaml": policies, "learned_test.yaml": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := policytest.Run([]string{filepath.Join(dir, "learned_test.yaml")}, nil)
	if r.Err != nil || r.Results.GetFailed() > 0 || r.Results.GetPassed() == 0 {
		var b bytes.Buffer
		policytest.WriteText(&b, r.Results, false, false)
		policyfile.WriteText(&b, r.Findings)
		t.Fatalf("%v\n%s\n%s\n%s", r.Err, b.String(), policies, tests)
	}
	return set
}

// compiled returns policies that load, of a file in testdata where there are no bytes.
func compiled(t *testing.T, name string, data []byte) *policyfile.Result {
	t.Helper()
	if data == nil {
		var err error
		if data, err = os.ReadFile("testdata/" + name); err != nil {
			t.Fatal(err)
		}
	}
	content := policyfile.Content{Files: []policyfile.File{{Name: name, Data: data}}}
	r := content.Compile()
	if r.Set == nil {
		var b bytes.Buffer
		policyfile.WriteText(&b, r.Findings)
		t.Fatalf("the policies do not load\n%s%s", b.String(), data)
	}
	return r
}
