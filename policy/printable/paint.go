package printable

// Tested by policy/policytest/policytest_test.go and policy/policyfile/formats_test.go.

// Paint returns a text as a terminal shows it in a colour or in bold, by the parameter of Select Graphic Rendition (ECMA-48,
// 8.3.117); as it is where there are no colours. The text has to be printable.
func Paint(color bool, sgr, text string) string {
	if !color {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}
