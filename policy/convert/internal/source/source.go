// Package source reads files of other systems as trees of YAML or JSON, with the place of every value, and says what is
// wrong with them. Start reading at Text and at Parser.Documents. It knows nothing of what the files are for.
package source

// Tested by policy/convert/internal/kube/kube_test.go and policy/convert/golden_test.go.

import "fmt"

// A Source is a file of the source system.
type Source struct {
	Name string // as the user calls it: it stands in warnings and in comments
	Data []byte
}

// A Position is where something stands in a source.
type Position struct {
	File         string
	Line, Column int // from 1, in characters; 0: the file as a whole
}

// String returns a position as comments show it.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Fault is an InputError about what stands at a place.
func (p Position) Fault(message string) error {
	return &InputError{File: p.File, Line: p.Line, Column: p.Column, Message: message}
}

// InputError is a source that cannot be read, or is invalid: nothing is made of it.
type InputError struct {
	File         string
	Line, Column int // from 1; 0: the file as a whole
	Message      string
}

func (e *InputError) Error() string {
	switch {
	case e.File == "":
		return e.Message
	case e.Line == 0:
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, max(e.Column, 1), e.Message)
}
