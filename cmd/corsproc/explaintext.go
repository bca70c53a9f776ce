package main

// Tested by explain_test.go.

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// writeExplanationJSON writes an explanation as JSON on one line. preflight is null where none is sent; actual is left out
// where the preflight fails, and both where the browser sends nothing.
func writeExplanationJSON(w io.Writer, x *corsprocv1.Explanation) error {
	data, err := messageJSON(x, null)
	if err != nil {
		return err
	}
	// No string holds quotes that are not escaped, so that these can only be the keys themselves.
	data = bytes.Replace(data, []byte(`,"actual":null,`), []byte(","), 1)
	if x.Preflight == nil && x.Actual == nil {
		data = bytes.Replace(data, []byte(`,"preflight":null,`), []byte(","), 1)
	}
	_, err = w.Write(data)
	return err
}

// SGR parameters of terminals.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
)

// explanationText writes an explanation for people, as a list of labels with what belongs to each.
type explanationText struct {
	b     bytes.Buffer
	color bool
}

// labelWidth is the width of the column of labels.
const labelWidth = 11

// writeExplanationText writes an explanation for people.
func writeExplanationText(w io.Writer, outcome browser.Outcome, x *corsprocv1.Explanation, color bool) error {
	t := &explanationText{color: color}
	if x.Preflight != nil {
		t.request("preflight", x.Preflight)
	}
	switch {
	case x.Actual != nil:
		t.request("request", x.Actual)
	case x.Preflight != nil:
		t.line("request", "not sent, because the preflight fails")
	default:
		t.line("request", "not sent, because the browser blocks it")
	}
	t.browser(outcome, x)
	for i, c := range x.GetChanges() {
		t.line(once(i, "to allow it"), printable.Text(c.GetText()))
	}
	for i, note := range x.GetNotes() {
		t.line(once(i, "note"), printable.Text(note))
	}
	_, err := w.Write(t.b.Bytes())
	return err
}

// request writes a request and what is answered to it.
func (t *explanationText) request(label string, r *corsprocv1.ExplainedRequest) {
	t.line(label, t.paint(bold, r.GetMethod()+" "+r.GetUrl()))
	t.line("  because", printable.Text(r.GetWhy()))
	for i, name := range slices.Sorted(maps.Keys(r.GetHeaders())) {
		t.line(once(i, "  sends"), name+": "+printable.Text(r.GetHeaders()[name]))
	}
	d := r.GetDecision()
	decided := outcomeOf(d.GetVerdict(), d.GetReason())
	switch {
	case d.GetRule() != nil:
		decided += " by " + printable.Text(d.GetRule().GetField()) + ", " + position(d.GetRule())
	case d.GetPolicy() != "":
		decided += ", because no virtual host is the URL's and there is no default"
	}
	t.line("  corsproc", decided)
	if v := d.GetCandidateVerdict(); v != "" {
		t.line("  candidate", "would be "+outcomeOf(v, d.GetCandidateReason()))
	}
	if r.GetAnswer().GetStatus() == 0 {
		t.line("  answer", "whatever the upstream answers")
		return
	}
	t.line("  answer", fmt.Sprintf("%d from %s", r.GetAnswer().GetStatus(), r.GetAnswer().GetBy()))
	for _, name := range slices.Sorted(maps.Keys(r.GetAnswer().GetHeaders())) {
		t.line("", name+": "+printable.Text(r.GetAnswer().GetHeaders()[name]))
	}
}

// browser writes what the browser makes of it.
func (t *explanationText) browser(outcome browser.Outcome, x *corsprocv1.Explanation) {
	b := x.GetBrowser()
	_, webSocket := x.GetActual().GetHeaders()["upgrade"]
	words := [...]string{
		browser.Readable: "the page may read the answer", browser.Unreadable: "the page may not read the answer",
		browser.Undecided: "undecided here, the upstream answers",
	}
	if webSocket {
		words[browser.Readable], words[browser.Unreadable] = "the WebSocket opens", "the WebSocket does not open"
		if x.GetVerdict() == policy.Refused.String() {
			words[browser.Readable] = "the WebSocket opens all the same"
		}
	}
	colors := [...]string{browser.Readable: green, browser.Unreadable: red, browser.Undecided: yellow}
	t.line("browser", t.paint(colors[outcome], words[outcome])+": "+outcomeOf(x.GetVerdict(), x.GetReason()))
	if outcome == browser.Readable && !webSocket {
		switch exposed := b.GetExposedHeaders(); {
		case slices.Equal(exposed, []string{"*"}):
			t.line("  reads", "every header but Set-Cookie")
		case len(exposed) > 0:
			t.line("  reads", strings.Join(exposed, ", ")+", and the safelisted headers")
		default:
			t.line("  reads", "the safelisted headers only")
		}
	}
	if x.GetPreflight().GetPasses() {
		if c := b.GetCacheSeconds(); c.GetChromium()+c.GetFirefox()+c.GetSafari() == 0 {
			t.line("  remembers", "nothing: the next request is preflighted too")
		} else {
			t.line("  remembers", fmt.Sprintf("the preflight for %d s in Chromium, %d s in Firefox, %d s in Safari", c.GetChromium(), c.GetFirefox(), c.GetSafari()))
		}
	}
	if b.GetConsole() != "" {
		t.line("  console", printable.Text(b.GetConsole()))
	}
}

// line writes a label and what belongs to it.
func (t *explanationText) line(label, text string) {
	fmt.Fprintf(&t.b, "%-*s %s\n", labelWidth, label, printable.Line(text))
}

// paint colours a text.
func (t *explanationText) paint(sgr, text string) string {
	return printable.Paint(t.color, sgr, printable.Text(text))
}

// outcomeOf writes a verdict with its reason, and one of them where both say the same.
func outcomeOf(verdict, reason string) string {
	if verdict == reason {
		return verdict
	}
	return verdict + " (" + reason + ")"
}

// once returns the label of the first line of several.
func once(i int, label string) string {
	if i > 0 {
		return ""
	}
	return label
}

func position(at *corsprocv1.Location) string {
	return fmt.Sprintf("%s:%d:%d", printable.Text(at.GetFile()), at.GetLine(), at.GetColumn())
}
