package policyfile

import (
	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Result is what became of a content.
type Result struct {
	Set      *policy.Set           // nil if any finding is an error
	Findings []*corsprocv1.Finding // sorted by file, line and column
	Hash     string                // the content's

	content *Content
}

// Compile parses and compiles the content.
func (c *Content) Compile() *Result { panic("todo") }

// Location returns where a rule of the set stands, nil for the zero rule.
func (r *Result) Location(rule policy.Rule) *corsprocv1.Location { panic("todo") }

// YAML returns the set in force in the form of one file.
func (r *Result) YAML() []byte { panic("todo") }
