package policyfile

import "github.com/corsproc/corsproc/policy/finding"

// withhold takes out of a finding of a file that lies outside all that is text of the file: it may be one that whoever
// put the link there may not read. What is left is where it is, and what its code means.
func withhold(f *finding.Diagnostic) {
	f.Field, f.Fix = "", ""
	if f.Related != nil {
		f.Related.Field = ""
	}
	f.Message = outsideMessage
	if e := Explain(f.Code); e != nil {
		f.Message = e.Explanation + " " + outsideMessage
	}
}

const outsideMessage = "Nothing of the file is quoted, because a link leads out of the directory of the policies to it; check it under its own name"
