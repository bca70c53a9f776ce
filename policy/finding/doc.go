// Package finding holds what there is to say of policy files: errors, warnings and hints, each with the stable code of its
// kind, with where it stands, and with what to write instead where that is clear.
//
// Everything that looks at policies says what it finds by way of a [Collector], which bounds how much there is of one kind:
// files may be hostile. A finding names a place by a source and a [Path]; package policyfile, which has read the sources,
// makes lines and columns of it.
//
// The package knows no policy, no message and no file. What it is told it keeps as it is: values may hold anything that
// a file can, and who prints them has to escape them.
//
// Start reading at [Finding] (finding.go), and [Diagnostic], which is what people are shown of it. The codes are code.go; what is
// proposed for mistyped names is [Nearest].
package finding
