package finding

// Severity says what a finding means for a policy set. The worst is the least.
type Severity uint8

const (
	// Error keeps the set from being used.
	Error Severity = iota + 1
	// Warning is something that is almost certainly not what the author meant.
	Warning
	// Hint is something that could be better.
	Hint
)

// String returns the severity as findings print it: error, warning or hint.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Hint:
		return "hint"
	}
	return "unknown"
}

// A Finding is something to say of a policy set. The engine names places by source and path; package policyfile, which
// read the sources, turns them into lines and columns.
type Finding struct {
	Severity Severity
	Code     Code
	Location Location
	Value    string    // the offending value as written, where the finding is about one
	Message  string    // the reason in one sentence, without the value's place
	Fix      string    // the text to write instead of the value; empty where there is no one right spelling
	Related  *Location // a second place, for instance the first use of a name that stands twice
}
