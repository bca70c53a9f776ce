package policyfile

// Tested by compile_test.go and policy/policytest/junit_test.go.

import (
	"github.com/corsproc/corsproc/policy/finding"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// FindingMessages returns diagnostics as they leave the process.
func FindingMessages(found []finding.Diagnostic) []*corsprocv1.Finding {
	messages := make([]*corsprocv1.Finding, len(found))
	for i := range found {
		messages[i] = findingMessage(&found[i])
	}
	return messages
}

func findingMessage(d *finding.Diagnostic) *corsprocv1.Finding {
	m := &corsprocv1.Finding{
		Severity: d.Severity.String(), Code: string(d.Code),
		File: d.File, Line: d.Line, Column: d.Column, Field: d.Field,
		Message: d.Message, Fix: d.Fix,
	}
	if d.Related != nil {
		m.Related = locationMessage(*d.Related)
	}
	return m
}

func locationMessage(p finding.Position) *corsprocv1.Location {
	return &corsprocv1.Location{File: p.File, Line: p.Line, Column: p.Column, Field: p.Field}
}
