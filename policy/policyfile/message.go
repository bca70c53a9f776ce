package policyfile

// Tested by policy/policytest/policytest_test.go.

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/finding"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A Message is what a file of another kind than policy files holds, read as strictly as they are: the same walk over the
// message's descriptor, the same limits, the same findings with line and column. It is not safe for use by several
// goroutines.
type Message struct {
	document document
	findings []finding.Diagnostic
}

// ParseMessage fills m from a file within limits; nil: those of policy files. What m holds where there are findings is what was most likely meant, so that all that
// is wrong can be found in one go.
func ParseMessage(f File, m proto.Message, limits *Limits) *Message {
	parsed := &Message{document: document{file: &f}}
	d := &parsed.document
	root, problems := parseWithin(f, limits)
	for _, p := range problems {
		parsed.findings = append(parsed.findings, d.finding(located{problem: p}))
	}
	if root == nil {
		return parsed
	}
	d.parsed, d.root, d.walk = true, root, walkDocument(root, m.ProtoReflect(), nil)
	for _, p := range d.walk.problems {
		parsed.findings = append(parsed.findings, d.finding(p))
	}
	return parsed
}

// Whole reports whether all of the file was read. What is missing in a message that is not whole may stand in the rest.
func (m *Message) Whole() bool { return m.document.whole() }

// Refused reports whether a finding says already that the value at path is none.
func (m *Message) Refused(path finding.Path) bool { return m.document.walk.refused[path] }

// Report adds a finding about a message that is whole. The sources of its places do not count: they are the file.
func (m *Message) Report(f finding.Finding) {
	switch {
	case len(m.findings) > maxProblems:
		return
	case len(m.findings) == maxProblems:
		f.Code, f.Value, f.Fix, f.Related = finding.CodeTooManyFindings, "", "", nil
		f.Message = fmt.Sprintf("there are more than %d faults; the rest of the file is not looked at", maxProblems)
	}
	name := m.document.file.Name
	f.Location.Source = name
	if f.Related != nil {
		f.Related = &finding.Location{Source: name, Path: f.Related.Path, Key: f.Related.Key}
	}
	m.findings = append(m.findings, engineFinding(map[string]*document{name: &m.document}, f))
}

// Findings returns all findings, sorted by line and column.
func (m *Message) Findings() []finding.Diagnostic {
	slices.SortStableFunc(m.findings, compareFindings)
	return m.findings
}

// Location returns where the value at path of a whole message stands, or what is around it where it does not stand there.
func (m *Message) Location(path finding.Path) *corsprocv1.Location {
	return locationMessage(m.document.shown(finding.Location{Source: m.document.file.Name, Path: path}))
}
