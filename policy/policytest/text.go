package policytest

// Tested by policytest_test.go.

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// WriteText writes results for people: each test that failed with all that there is to say of it, and a last line with
// the numbers. With verbose the tests that passed are there too, a line each. With color it is for a terminal that has
// colours.
func WriteText(w io.Writer, results *corsprocv1.TestResults, verbose, color bool) error {
	var b bytes.Buffer
	paint := func(sgr, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + sgr + "m" + text + "\x1b[0m"
	}
	unrun := 0
	for _, file := range results.GetFiles() {
		if len(file.GetFindings()) > 0 {
			unrun++
		}
		for _, t := range file.GetTests() {
			heading := paint("1", printable.Line(place(t.GetAt()))) + printable.Line(": "+printable.Cut(t.GetName()))
			switch {
			case !t.GetPassed():
				b.WriteString(paint("31", "FAIL") + "  " + heading + "\n")
				for _, line := range aboutFailure(t) {
					b.WriteString("      " + line.String() + "\n")
				}
			case verbose:
				b.WriteString(paint("32", "ok") + "    " + heading + ": " + withReason(t.GetGot(), t.GetGotReason()) + "\n")
			}
		}
	}
	fmt.Fprintf(&b, "%d passed, %d failed", results.GetPassed(), results.GetFailed())
	if unrun > 0 {
		fmt.Fprintf(&b, ", %d of %d files not run", unrun, len(results.GetFiles()))
	}
	b.WriteString(".\n")
	_, err := w.Write(b.Bytes())
	return err
}

// A labelled line is one thing to say of a test that failed.
type labelled struct{ label, text string }

// String returns the line, with the labels of several lines below each other.
func (l labelled) String() string { return printable.Line(fmt.Sprintf("%-11s %s", l.label, l.text)) }

// aboutFailure says what was expected of a test, what came, why, and what to change.
func aboutFailure(t *corsprocv1.TestResult) []labelled {
	x := t.GetExplanation()
	lines := []labelled{
		{"fetch", fetched(t.GetFetch())},
		{"expected", withReason(t.GetExpected(), t.GetExpectedReason())},
		{"got", withReason(t.GetGot(), t.GetGotReason())},
	}
	if p := x.GetPreflight(); p != nil {
		lines = append(lines, labelled{"preflight", decided(p)})
	}
	switch a := x.GetActual(); {
	case a != nil:
		lines = append(lines, labelled{"request", decided(a)})
	case x.GetPreflight() != nil:
		lines = append(lines, labelled{"request", "not sent, because the preflight fails"})
	default:
		lines = append(lines, labelled{"request", "not sent, because the browser blocks it"})
	}
	if words := x.GetBrowser().GetConsole(); words != "" {
		lines = append(lines, labelled{"console", printable.Cut(words)})
	}
	label := "to allow it"
	for _, c := range x.GetChanges() {
		if t.GetExpected() == "allowed" {
			lines = append(lines, labelled{label, printable.Cut(c.GetText())})
			label = ""
		}
	}
	label = "note"
	for _, n := range slices.Concat(x.GetNotes(), advice(t)) {
		lines = append(lines, labelled{label, printable.Cut(n)})
		label = ""
	}
	return lines
}

// advice says what else is to be known of a test that failed.
func advice(t *corsprocv1.TestResult) []string {
	x := t.GetExplanation()
	if t.GetExpected() != "rejected" || t.GetGot() != "refused" {
		return nil
	}
	switch {
	case x.GetActual() != nil:
	case x.GetPreflight() == nil:
		return nil // the notes say it
	default:
		return []string{"The browser itself stops at the preflight, so that there is no request to reject: this is REFUSED."}
	}
	reject := "UNSAFE_METHODS"
	if method := x.GetActual().GetMethod(); method == "GET" || method == "HEAD" || method == "OPTIONS" {
		reject = "ALWAYS"
	}
	return []string{"The request reaches the upstream, only its answer cannot be read: reject: " + reject + " at the place stops it."}
}

// fetched writes a fetch in one line.
func fetched(f *corsprocv1.TestFetch) string {
	what := f.GetMethod()
	switch {
	case f.GetWebsocket():
		what = "WebSocket"
	case what == "":
		what = "GET"
	}
	text := what + " " + f.GetUrl() + " from " + f.GetOrigin()
	if f.GetCredentials() != "" {
		text += ", credentials: " + f.GetCredentials()
	}
	for _, name := range slices.Sorted(maps.Keys(f.GetHeaders())) {
		text += ", " + name + ": " + f.GetHeaders()[name]
	}
	if f.GetVirtualHost() != "" {
		text += ", virtual host " + f.GetVirtualHost()
	}
	if f.GetRouteName() != "" {
		text += ", route " + f.GetRouteName()
	}
	return printable.Cut(text)
}

// decided says what was decided about a request, and by which rule.
func decided(r *corsprocv1.ExplainedRequest) string {
	d := r.GetDecision()
	text := withReason(d.GetVerdict(), d.GetReason())
	switch {
	case d.GetReason() == policy.ReasonPassthrough.String():
		return "left to the upstream (" + d.GetReason() + ")"
	case d.GetRule() != nil:
		text += " by " + printable.Cut(d.GetRule().GetField()) + ", " + place(d.GetRule())
	case d.GetPolicy() != "":
		text += " by " + printable.Cut(d.GetPolicy())
	}
	return text
}

// withReason writes an outcome with its reason, and one of them where both say the same.
func withReason(outcome, reason string) string {
	if reason == "" || reason == outcome {
		return outcome
	}
	return outcome + " (" + reason + ")"
}

func place(at *corsprocv1.Location) string {
	return fmt.Sprintf("%s:%d:%d", printable.Cut(at.GetFile()), at.GetLine(), at.GetColumn())
}
