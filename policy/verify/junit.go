package verify

// Tested by cmd/corsproc/verifyoutput_test.go.

import (
	"io"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/junit"
	"github.com/corsproc/corsproc/policy/printable"
)

// WriteJUnit writes the report for what reads JUnit's, a suite for each place and a case for each question: one that differs
// or has a finding is a failure, one without an answer an error, one that was not asked is skipped.
func (r *Report) WriteJUnit(w io.Writer) error {
	var all []*junit.Suite
	suites := map[*Place]*junit.Suite{}
	for _, p := range r.plan.Places {
		suites[p] = &junit.Suite{Name: printable.Cut(p.URL() + " (" + p.Text + ")"), Skipped: new(int)}
		all = append(all, suites[p])
	}
	for i, q := range r.plan.Questions {
		s, of := suites[q.Place], &r.results[i]
		c := junit.Case{Name: printable.Cut(q.String()), Class: s.Name}
		switch {
		case len(of.wrong) > 0:
			lines := make([]string, len(of.wrong))
			for k, line := range of.wrong {
				lines[k] = printable.Line(printable.Cut(line))
			}
			c.Failure = &junit.Problem{Message: lines[0], Text: strings.Join(lines, "\n") + "\n"}
		case of.failure != "":
			c.Error = &junit.Problem{Message: printable.Cut(of.failure)}
		case !of.answered():
			c.Skipped = &struct{}{}
		}
		s.Add(c)
	}
	return junit.Write(w, "corsproc verify", all)
}
