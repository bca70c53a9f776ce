package verify

// Tested by cmd/corsproc/verifyoutput_test.go.

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// How many differences and findings of a place, and places not asked about, are shown one by one; JSON has all of them.
const maxShown = 10

// WriteText writes a report for people: the places, what is wrong at each, what that means, and a line with the numbers. With
// color it is for a terminal that has colours.
func WriteText(w io.Writer, m *corsprocv1.Verification, color bool) error {
	t := textWriter{color: color}
	for _, d := range m.GetDiagnoses() {
		t.line("%s %s", printable.Paint(t.color, "33", "["+d.GetCode()+"]"), printable.Cut(d.GetMessage()))
	}
	type at struct{ url, place string }
	differences, findings := map[at][]*corsprocv1.AnswerDifference{}, map[at][]*corsprocv1.AnswerFinding{}
	for _, d := range m.GetDifferences() {
		where := at{d.GetUrl(), d.GetPlace()}
		differences[where] = append(differences[where], d)
	}
	for _, f := range m.GetFindings() {
		where := at{f.GetUrl(), f.GetPlace()}
		findings[where] = append(findings[where], f)
	}
	for _, p := range m.GetPlaces() {
		where := at{p.GetUrl(), p.GetPlace()}
		t.place(p, differences[where], findings[where])
	}
	for i, n := range m.GetNotAsked() {
		if i == maxShown && len(m.GetNotAsked()) > maxShown+1 {
			t.line("not asked: %d more", len(m.GetNotAsked())-maxShown)
			break
		}
		t.line("not asked: %s: %s", printable.Cut(n.GetPlace()), printable.Cut(n.GetWhy()))
	}
	t.summary(m)
	_, err := w.Write(t.b.Bytes())
	return err
}

type textWriter struct {
	b     bytes.Buffer
	color bool
}

// line writes a line. What others made is escaped already; a line is no command to what runs a build either.
func (t *textWriter) line(format string, args ...any) {
	t.b.WriteString(printable.Line(fmt.Sprintf(format, args...)) + "\n")
}

// place writes what is known of a place.
func (t *textWriter) place(p *corsprocv1.VerifiedPlace, differences []*corsprocv1.AnswerDifference, found []*corsprocv1.AnswerFinding) {
	groups := map[string]int{} // findings that say the same of several origins
	var findings []*corsprocv1.AnswerFinding
	for _, f := range found {
		key := f.GetCode() + "\n" + f.GetMessage()
		if groups[key]++; groups[key] == 1 {
			findings = append(findings, f)
		}
	}
	verdict := printable.Paint(t.color, "32", "agree")
	if len(differences)+len(findings) > 0 {
		verdict = printable.Paint(t.color, "31", fmt.Sprintf("%s, %s", plural(len(differences), "difference"), plural(len(found), "finding")))
	}
	if p.GetQuestions() == 0 {
		verdict = printable.Paint(t.color, "31", "no answer")
	}
	t.line("%s (%s): %s: %s", printable.Paint(t.color, "1", printable.Cut(p.GetUrl())), printable.Cut(p.GetPlace()), plural(int(p.GetQuestions()), "question"), verdict)
	for i, d := range differences {
		if i == maxShown && len(differences) > maxShown+1 {
			t.line("  and %d more differences", len(differences)-maxShown)
			break
		}
		t.difference(d)
	}
	for i, f := range findings {
		if i == maxShown && len(findings) > maxShown+1 {
			t.line("  and %d more findings", len(findings)-maxShown)
			break
		}
		of := "without Origin"
		if f.GetOrigin() != "" {
			of = "from " + printable.Cut(f.GetOrigin())
		}
		if n := groups[f.GetCode()+"\n"+f.GetMessage()]; n > 1 {
			of += fmt.Sprintf(" and %d more", n-1)
		}
		t.line("  %s %s: %s", printable.Paint(t.color, "33", "["+f.GetCode()+"]"), of, printable.Cut(f.GetMessage()))
	}
}

func (t *textWriter) difference(d *corsprocv1.AnswerDifference) {
	q := Question{Method: d.GetMethod(), Origin: d.GetOrigin(), RequestMethod: d.GetRequestMethod(), RequestHeaders: d.GetRequestHeaders()}
	with := ""
	if d.GetCredentials() {
		with = ", with credentials"
	}
	t.line("  %s %s%s", printable.Paint(t.color, "31", "["+d.GetEffect()+"]"), printable.Cut(q.String()), with)
	t.answer("expected", d.GetExpected(), d.GetGot())
	t.answer("got", d.GetGot(), d.GetExpected())
}

// answer writes an answer, of its headers those that the other one has not.
func (t *textWriter) answer(label string, a, other *corsprocv1.VerifiedAnswer) {
	text := withReason(a)
	if a.GetStatus() != 0 {
		text += fmt.Sprintf(", status %d", a.GetStatus())
	}
	t.line("    %-8s %s", label, printable.Cut(text))
	for _, name := range slices.Sorted(maps.Keys(a.GetHeaders())) {
		value := a.GetHeaders()[name]
		if is, there := other.GetHeaders()[name]; !there || is != value {
			t.line("             %s: %s", name, printable.Cut(short(value)))
		}
	}
}

func (t *textWriter) summary(m *corsprocv1.Verification) {
	text := fmt.Sprintf("%s, %s, %s in %s at %s", plural(len(m.GetDifferences()), "difference"), plural(len(m.GetFindings()), "finding"),
		plural(questions(m), "question"), plural(int(m.GetRequests()), "request"), plural(len(m.GetPlaces()), "place"))
	if n := m.GetUnanswered(); n > 0 {
		text += fmt.Sprintf("; %d unanswered", n)
	}
	if n := m.GetSkipped(); n > 0 {
		text += fmt.Sprintf("; %d skipped", n)
	}
	if m.GetAgrees() {
		text += ": the gateway agrees with the policies"
	}
	t.line("%s.", text)
}

func questions(m *corsprocv1.Verification) (n int) {
	for _, p := range m.GetPlaces() {
		n += int(p.GetQuestions())
	}
	return n
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
