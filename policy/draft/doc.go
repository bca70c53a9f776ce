// Package draft is a policy file that a program writes for a person: a policy set, and comments that say where each part
// of it comes from and what to look at. It prints as the YAML that people write by hand (docs/policies.md), always the
// same for the same draft.
//
// What comments and values hold may come from anybody. Nothing of it ends a comment, and nothing reaches a terminal that
// is not printable.
//
// Start reading at File. How text is quoted stands in scalar.go.
package draft
