package policytest

// Tested by policytest_test.go.

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// MaxTests is how many tests a file may have: what is said of each that fails takes some thousand bytes.
const MaxTests = 20_000

// knownReasons are what reason may be: those of decisions, and those that only a browser has.
var knownReasons = func() (names []string) {
	for _, r := range policy.Reasons() {
		names = append(names, r.String())
	}
	return append(names, browser.Reasons()...)
}()

// check reports everything that keeps the tests of a whole message from being run.
func (t *testFile) check() {
	root := finding.Path("")
	t.want(root, "policies", t.says.GetPolicies() != "", "it names the policy file or directory under test, relative to the folder of this file")
	tests, list := t.says.GetTests(), root.Name("tests")
	switch {
	case t.message.Refused(list):
	case len(tests) == 0:
		t.report(CodeNoTests, list, "there is no test; the list tests has at least one")
	case len(tests) > MaxTests:
		t.report(CodeTooManyTests, list, fmt.Sprintf("there are %d tests; a file has at most %d", len(tests), MaxTests))
		return
	}
	t.fetches = make([]browser.Fetch, len(tests))
	names := make(map[string]finding.Path, len(tests))
	for i, test := range tests {
		if path := list.Index(i); !t.message.Refused(path) {
			t.checkName(path, test.GetName(), names)
			t.checkExpectation(path, test)
			t.fetches[i] = t.checkFetch(path, test.GetFetch())
		}
	}
}

// checkName holds that a test has a name, which no other test of the file has.
func (t *testFile) checkName(test finding.Path, name string, names map[string]finding.Path) {
	path := test.Name("name")
	t.want(test, "name", strings.TrimSpace(name) != "", "it says, for people, what the test shows")
	if t.message.Refused(path) || name == "" {
		return
	}
	if first, again := names[name]; again {
		t.message.Report(finding.Finding{
			Severity: finding.Error, Code: CodeDuplicateTest, Location: finding.Location{Path: path}, Value: name,
			Message: "another test has this name", Related: &finding.Location{Path: first},
		})
		return
	}
	names[name] = path
}

func (t *testFile) checkExpectation(test finding.Path, says *corsprocv1.PolicyTest) {
	t.want(test, "expect", says.GetExpect() != corsprocv1.Expectation_EXPECTATION_UNSPECIFIED,
		"it is one of ALLOWED, REFUSED, REJECTED, UNDECIDED")
	path, reason := test.Name("reason"), says.GetReason()
	if reason == "" || t.message.Refused(path) || slices.Contains(knownReasons, reason) {
		return
	}
	spelt := strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(reason), "-", "_"), "cors_")
	t.unknown(path, reason, "reason", spelt, knownReasons)
}

// checkFetch returns the fetch that a test says.
func (t *testFile) checkFetch(test finding.Path, says *corsprocv1.TestFetch) browser.Fetch {
	path := test.Name("fetch")
	t.want(test, "fetch", says != nil, "it is what a script asks its browser for: {origin: …, url: …}")
	if says == nil || t.message.Refused(path) {
		return browser.Fetch{}
	}
	t.want(path, "origin", says.GetOrigin() != "", `it is the page's: https://shop.example.com, or "null"`)
	t.want(path, "url", says.GetUrl() != "", "it is what the page fetches: https://api.example.com/orders")
	f := browser.Fetch{
		Origin: says.GetOrigin(), URL: says.GetUrl(), Method: says.GetMethod(), WebSocket: says.GetWebsocket(),
		VirtualHost: says.GetVirtualHost(), Route: says.GetRouteName(), PathAsIs: says.GetPathAsIs(),
	}
	for _, name := range slices.Sorted(maps.Keys(says.GetHeaders())) {
		f.Headers = append(f.Headers, policy.Header{Name: name, Value: says.GetHeaders()[name]})
	}
	if mode := says.GetCredentials(); mode != "" && !t.message.Refused(path.Name("credentials")) {
		var err error
		if f.Credentials, err = browser.ParseCredentials(mode); err != nil {
			t.unknown(path.Name("credentials"), mode, "credentials mode", strings.ReplaceAll(strings.ToLower(mode), "_", "-"), browser.CredentialsNames())
		}
	}
	for _, fault := range f.Faults() {
		missing := fault.Part == browser.PartOrigin && f.Origin == "" || fault.Part == browser.PartURL && f.URL == ""
		if !missing {
			t.reportFault(path, fault)
		}
	}
	return f
}

// reportFault reports what no script can ask for, unless it is said already that the value is none.
func (t *testFile) reportFault(fetch finding.Path, fault *browser.Fault) {
	var code string
	var path finding.Path
	switch fault.Part {
	case browser.PartOrigin:
		code, path = CodePageOrigin, fetch.Name("origin")
	case browser.PartURL:
		code, path = CodeFetchURL, fetch.Name("url")
	case browser.PartMethod:
		code, path = CodeFetchMethod, fetch.Name("method")
	case browser.PartHeaders:
		code, path = CodeFetchHeader, fetch.Name("headers")
	case browser.PartHeaderName, browser.PartHeaderValue:
		code, path = CodeFetchHeader, fetch.Name("headers").Name(fault.Header)
	case browser.PartWebSocket:
		code, path = CodeWebSocketFetch, fetch.Name("websocket")
	}
	if t.message.Refused(path) {
		return
	}
	t.message.Report(finding.Finding{
		Severity: finding.Error, Code: finding.Code(code), Message: fault.Why, Fix: fault.Fix,
		Location: finding.Location{Path: path, Key: fault.Part == browser.PartHeaderName},
	})
}

// want reports a field that is missing from the mapping at path, unless it is said already that its value is none.
func (t *testFile) want(path finding.Path, field string, there bool, what string) {
	if !there && !t.message.Refused(path.Name(field)) {
		t.report(CodeMissingField, path, field+" is missing: "+what)
	}
}

// unknown reports a value that is none of the known ones. spelt is it in their spelling.
func (t *testFile) unknown(path finding.Path, value, what, spelt string, known []string) {
	message, fix := "unknown "+what, finding.Nearest(spelt, slices.Values(known))
	if fix == "" {
		message += "; known are " + strings.Join(known, ", ")
	}
	t.message.Report(finding.Finding{
		Severity: finding.Error, Code: policyfile.CodeUnknownValue, Location: finding.Location{Path: path}, Value: value,
		Message: message, Fix: fix,
	})
}

func (t *testFile) report(code finding.Code, path finding.Path, message string) {
	t.message.Report(finding.Finding{
		Severity: finding.Error, Code: code, Location: finding.Location{Path: path}, Message: message,
	})
}
