package finding

// Tested by server/run_test.go.

import "strconv"

// A Diagnostic is a [Finding] as people and tools are shown it: where it stands has become a line, and the value is part of
// the message.
type Diagnostic struct {
	Severity Severity
	Code     Code
	Position
	Message string    // the reason, in one sentence
	Fix     string    // the text to write instead; empty: there is none
	Related *Position // a second place, for instance the first use of a name that stands twice
}

// A Position is where something stands in a file, as people look for it.
type Position struct {
	File         string // as it was named to the program; "-" is standard input
	Line, Column int32  // both from 1, the column in characters
	Field        string // for instance policies.storefront.allow_origins[1]; empty: it is about no field
}

// FileLine returns the position as compilers write it: file:line:column. The file is as it was named: whoever shows it on a
// terminal escapes it.
func (p Position) FileLine() string {
	return p.File + ":" + strconv.Itoa(int(p.Line)) + ":" + strconv.Itoa(int(p.Column))
}
