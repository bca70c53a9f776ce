package policyfile

//go:generate go test -run ^TestCataloguePage$ -update .

import (
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
)

// An Entry of the catalogue explains one code.
type Entry struct {
	Code     finding.Code
	Severity finding.Severity
	// Explanation is one or two sentences for people who know the web and not CORS.
	Explanation string
	// Bad is a policy file that shows the code, Good the same as it should be. A line "# other.yaml" begins a second file
	// of the same directory. Both are empty where no file that could be printed shows the code.
	Bad, Good string
	// SafeFix says that the fix of a finding may be written in its place without asking: the file does not load without
	// it, and it says what the author wrote, only in the right spelling.
	SafeFix bool
}

// Catalogue explains every code of the findings, those of package policy too: first what is wrong with a file, then with
// what it says, then warnings and hints. It is the one place where that is said: the documentation and the rules in SARIF
// are made from it.
var Catalogue = slices.Concat(fileEntries, errorEntries, lintEntries)

var entryOf = func() map[finding.Code]*Entry {
	entries := make(map[finding.Code]*Entry, len(Catalogue))
	for i := range Catalogue {
		entries[Catalogue[i].Code] = &Catalogue[i]
	}
	return entries
}()

// Explain returns the entry of a code, or nil if there is none.
func Explain(code finding.Code) *Entry { return entryOf[code] }
