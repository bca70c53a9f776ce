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
		t.line("%s %s", t.paint("33", "["+d.GetCode()+"]"), printable.Cut(d.GetMessage()))
	}
	for _, p := range m.GetPlaces() {
		t.place(m, p)
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

func (t *textWriter) paint(sgr, text string) string {
	if !t.color {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// line writes a line. What others made is escaped already; a line is no command to what runs a build either.
func (t *textWriter) line(format string, args ...any) {
	t.b.WriteString(printable.Line(fmt.Sprintf(format, args...)) + "\n")
}

// place writes what is known of a place.
func (t *textWriter) place(m *corsprocv1.Verification, p *corsprocv1.VerifiedPlace) {
	is := func(url, place string) bool { return url == p.GetUrl() && place == p.GetPlace() }
	var differences []*corsprocv1.AnswerDifference
	for _, d := range m.GetDifferences() {
		if is(d.GetUrl(), d.GetPlace()) {
			differences = append(differences, d)
		}
	}
	groups := map[string]int{} // findings that say the same of several origins
	var findings []*corsprocv1.AnswerFinding
	found := 0
	for _, f := range m.GetFindings() {
		if !is(f.GetUrl(), f.GetPlace()) {
			continue
		}
		found++
		key := f.GetCode() + "\n" + f.GetMessage()
		if groups[key]++; groups[key] == 1 {
			findings = append(findings, f)
		}
	}
	verdict := t.paint("32", "agree")
	if len(differences)+len(findings) > 0 {
		verdict = t.paint("31", fmt.Sprintf("%s, %s", plural(len(differences), "difference"), plural(found, "finding")))
	}
	if p.GetQuestions() == 0 {
		verdict = t.paint("31", "no answer")
	}
	t.line("%s (%s): %s: %s", t.paint("1", printable.Cut(p.GetUrl())), printable.Cut(p.GetPlace()), plural(int(p.GetQuestions()), "question"), verdict)
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
		t.line("  %s %s: %s", t.paint("33", "["+f.GetCode()+"]"), of, printable.Cut(f.GetMessage()))
	}
}

func (t *textWriter) difference(d *corsprocv1.AnswerDifference) {
	q := Question{Method: d.GetMethod(), Origin: d.GetOrigin(), RequestMethod: d.GetRequestMethod(), RequestHeaders: d.GetRequestHeaders()}
	with := ""
	if d.GetCredentials() {
		with = ", with credentials"
	}
	t.line("  %s %s%s", t.paint("31", "["+d.GetEffect()+"]"), printable.Cut(q.String()), with)
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
