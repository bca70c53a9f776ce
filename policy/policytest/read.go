package policytest

// Tested by policytest_test.go.

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// testFile is a test file that was read.
type testFile struct {
	file     policyfile.File
	says     corsprocv1.PolicyTests // what was most likely meant, where there are findings
	message  *policyfile.Message
	fetches  []browser.Fetch      // of the tests, by their index; empty where there are findings
	findings []finding.Diagnostic // what keeps the tests from being run
}

// limits keep a file from being read that is far larger than one of MaxTests: a test has at most three lists and mappings,
// and some lines, more only where its fetch sends many headers.
var limits = policyfile.Limits{
	Entries: 60 * MaxTests, Collections: 5 * MaxTests,
	Code: CodeTooManyTests, Message: fmt.Sprintf("the file is larger than any of %d tests; a file has at most that many", MaxTests),
}

// read reads a test file and checks all that it says.
func read(f policyfile.File) *testFile {
	t := &testFile{file: f}
	t.message = policyfile.ParseMessage(f, &t.says, &limits)
	if t.message.Whole() && t.isEmpty() && holdsPolicies(f) {
		t.findings = []finding.Diagnostic{{
			Severity: finding.Error, Code: CodePolicyFile, Position: finding.Position{File: validText(f.Name), Line: 1, Column: 1},
			Message: "this is a policy file, not a policy test file: corsproc check reads it, and a test file names it in policies",
		}}
		return t
	}
	if t.message.Whole() && !t.message.Refused("") {
		t.check()
	}
	t.findings = t.message.Findings()
	return t
}

// isEmpty reports whether the file says nothing that a test file says.
func (t *testFile) isEmpty() bool { return t.says.GetPolicies() == "" && len(t.says.GetTests()) == 0 }

// isMeant reports whether a file of a directory is to be run: it says something that only policy test files say (other
// programs have files with tests, too), or nobody can tell what it says, and its name speaks of tests.
func (t *testFile) isMeant() bool {
	if !t.message.Whole() {
		return strings.Contains(strings.ToLower(filepath.Base(t.file.Name)), "test")
	}
	return t.says.GetPolicies() != "" || slices.ContainsFunc(t.says.GetTests(), func(test *corsprocv1.PolicyTest) bool {
		return test.GetFetch() != nil || test.GetExpect() != corsprocv1.Expectation_EXPECTATION_UNSPECIFIED
	})
}

// holdsPolicies reports whether a file has something of a policy file.
func holdsPolicies(f policyfile.File) bool {
	var set corsprocv1.PolicySet
	policyfile.ParseMessage(f, &set, nil)
	return len(set.GetPolicies())+len(set.GetOriginSets())+len(set.GetOriginFiles())+len(set.GetVirtualHosts()) > 0 || set.GetDefault() != nil
}

// policiesPath returns the path of the policies under test. A relative one is meant from the folder of the test file.
func (t *testFile) policiesPath() string {
	path := t.says.GetPolicies()
	if t.file.Name != policydir.Stdin && !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(t.file.Name), path)
	}
	if path == policydir.Stdin {
		path = "./" + path // a file of this name: standard input belongs to who calls the program
	}
	return path
}

// folders are those in which lies what may be quoted of the policies: the test file, and not whoever runs it, says where
// they are, and it may be a stranger's. A repository has both below the folder in which its tests are run.
func (t *testFile) folders() []string {
	if t.file.Name == policydir.Stdin {
		return []string{"."}
	}
	return []string{".", filepath.Dir(t.file.Name)}
}

// validText makes text fit for a protobuf string: names of files can be anything.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
