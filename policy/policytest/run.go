package policytest

// Tested by policytest_test.go.

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Report is what came of test files.
type Report struct {
	Results *corsprocv1.TestResults
	// Findings are what keeps tests from being run, in test files and in policies: each once, sorted by file and line.
	Findings []finding.Diagnostic
	// Files are those that findings are about.
	Files []policyfile.File
	// Err says what could not be run, a line each; nil if all was.
	Err error

	unrun [][]finding.Diagnostic // for each file of Results, why its tests cannot be run
}

// Run runs the test files that paths name, in their order. A path is a file, "-" for stdin, or a directory, which stands
// for every *.yaml, *.yml and *.json in it (not below it, and not starting with a dot) that says something of tests. Where
// several files test the same policies, these are read and compiled once.
func Run(paths []string, stdin io.Reader) *Report {
	r := &runner{loaded: map[string]*policies{}}
	r.report.Results = &corsprocv1.TestResults{}
	for _, path := range paths {
		r.path(path, stdin)
	}
	slices.SortStableFunc(r.report.Findings, func(a, b finding.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &r.report
}

type runner struct {
	report Report
	loaded map[string]*policies // by path
}

// policies are what a path led to.
type policies struct {
	err    error // it cannot be read
	result *policyfile.Result
}

func (r *runner) path(path string, stdin io.Reader) {
	content, err := policydir.Read(path, stdin)
	if err != nil {
		r.fail(err)
		return
	}
	meant := 0
	for _, f := range content.Files {
		if t := read(f); f.Name == path || t.isMeant() {
			meant++
			r.file(t)
		}
	}
	if meant == 0 {
		r.fail(fmt.Errorf("%s is a directory without policy test files: no *.yaml, *.yml or *.json in it has tests", path))
	}
}

func (r *runner) fail(err error) { r.report.Err = errors.Join(r.report.Err, err) }

// file runs the tests of a file.
func (r *runner) file(t *testFile) {
	result := &corsprocv1.TestFileResult{File: validText(t.file.Name)}
	r.report.Results.Files = append(r.report.Results.Files, result)
	r.report.unrun = append(r.report.unrun, nil)
	if t.says.GetPolicies() != "" {
		result.Policies = validText(t.policiesPath())
	}
	p := r.policies(t)
	switch {
	case len(t.findings) > 0:
		r.unrun(result, t.findings)
		r.report.Findings = append(r.report.Findings, t.findings...)
		r.report.Files = append(r.report.Files, t.file)
		r.fail(fmt.Errorf("the tests of %s cannot be run", t.file.Name))
		return
	case p.result.Set == nil:
		r.unrun(result, policyfile.Errors(p.result.Findings))
		r.fail(fmt.Errorf("the tests of %s cannot be run: the policies of %s do not load", t.file.Name, t.policiesPath()))
		return
	}
	for i := range t.fetches {
		tested := t.run(i, p.result)
		result.Tests = append(result.Tests, tested)
		if tested.GetPassed() {
			r.report.Results.Passed++
		} else {
			r.report.Results.Failed++
		}
	}
}

// unrun notes why the tests of the file that is run cannot be.
func (r *runner) unrun(result *corsprocv1.TestFileResult, why []finding.Diagnostic) {
	result.Findings = policyfile.FindingMessages(why)
	r.report.unrun[len(r.report.unrun)-1] = why
}

// policies returns the compiled policies of a test file without findings. That they cannot be read is a finding in the
// test file; what is wrong with them is told with the first file that tests them.
func (r *runner) policies(t *testFile) *policies {
	if len(t.findings) > 0 {
		return nil
	}
	path := t.policiesPath()
	p := r.loaded[path]
	if p == nil {
		p = &policies{}
		r.loaded[path] = p
		content, err := policydir.ReadNamed(path, t.folders()...)
		if p.err = err; err == nil {
			p.result = content.Compile()
			if p.result.Set == nil {
				r.report.Findings = append(r.report.Findings, policyfile.Errors(p.result.Findings)...)
				r.report.Files = append(r.report.Files, content.Files...)
			}
		}
	}
	if p.err != nil {
		t.report(CodePoliciesUnreadable, finding.Path("").Name("policies"), p.err.Error())
		t.findings = t.message.Findings()
	}
	return p
}
