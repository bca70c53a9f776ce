package verify

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
)

// The effects of differences.
const (
	LetsIn   = "lets_in"
	KeepsOut = "keeps_out"
)

// A Difference is what a browser would make of an answer and should not.
type Difference struct {
	Credentials   bool
	Effect        string
	Expected, Got Outcome
}

// An Outcome is what a browser makes of an answer.
type Outcome struct{ Verdict, Reason string }

// A Judgement is what is wrong with an answer; the zero value: nothing.
type Judgement struct {
	Differences []Difference
	Findings    []Finding
}

// Agrees reports whether nothing is wrong.
func (j *Judgement) Agrees() bool { return len(j.Differences) == 0 && len(j.Findings) == 0 }

// Judge compares an answer with what the policies say: as a browser looks at it, without and with credentials, and header by
// header.
func (q *Question) Judge(got *browser.Answer) Judgement {
	var j Judgement
	q = q.answeredBy(got)
	if q.Origin != "" {
		without, with := q.compare(got, false), q.compare(got, true)
		j.Differences = merge(without, with)
	}
	j.Findings = q.compareHeaders(got, len(j.Differences) > 0 && slices.ContainsFunc(j.Differences, func(d Difference) bool {
		return d.Expected.Verdict != d.Got.Verdict
	}))
	return j
}

// answeredBy returns the question with the answer that has to come from an upstream such as the one that answered: with
// expose_upstream, what that names beside the policy is right too.
func (q *Question) answeredBy(got *browser.Answer) *Question {
	if !q.Decision.ExposesUpstream() {
		return q
	}
	var exposed []string
	for _, h := range got.Headers {
		if h.Name == policy.HeaderExposed {
			exposed = append(exposed, h.Value)
		}
	}
	asked := *q
	asked.Answer.Headers = q.Decision.AppendResponse(nil, nil, exposed...)
	return &asked
}

// merge makes one difference of two that differ in the credentials alone: the wider one, that a page gets in with them or
// is kept out even without.
func merge(without, with []Difference) []Difference {
	all := slices.Clone(without)
	for _, d := range with {
		i := slices.IndexFunc(all, func(w Difference) bool { return w.Effect == d.Effect && w.Credentials != d.Credentials })
		switch {
		case i < 0:
			all = append(all, d)
		case d.Effect == LetsIn:
			all[i] = d
		}
	}
	return all
}

// compare tells what a browser makes of an answer where it should make something else of it.
func (q *Question) compare(got *browser.Answer, credentials bool) []Difference {
	want := q.view(&q.Answer, credentials)
	is := q.view(got, credentials)
	d := Difference{Credentials: credentials, Expected: q.outcome(want), Got: q.outcomeOf(is, got)}
	switch {
	case want.Passes && !is.Passes:
		d.Effect = KeepsOut
		return []Difference{d}
	case !want.Passes && is.Passes:
		d.Effect = LetsIn
		return []Difference{d}
	case !want.Passes || q.IsPreflight():
		return nil
	}
	var all []Difference
	if !exposes(is.Exposed, want.Exposed) {
		d.Effect = KeepsOut
		all = append(all, d)
	}
	if !exposes(want.Exposed, is.Exposed) {
		d.Effect = LetsIn
		all = append(all, d)
	}
	return all
}

// view returns what a browser makes of an answer to the question.
func (q *Question) view(a *browser.Answer, credentials bool) browser.View {
	if q.IsPreflight() {
		return a.Permit(q.Origin, q.RequestMethod, q.RequestHeaders, credentials)
	}
	return a.Read(q.Origin, credentials)
}

// outcome returns what the policies say, where a browser makes a view of it.
func (q *Question) outcome(v browser.View) Outcome {
	d := &q.Decision
	if d.Verdict == policy.Allowed && !v.Passes {
		return Outcome{policy.Refused.String(), v.Reason}
	}
	return Outcome{d.Verdict.String(), d.Reason.String()}
}

// outcomeOf returns what a browser makes of an answer that came.
func (q *Question) outcomeOf(v browser.View, got *browser.Answer) Outcome {
	switch {
	case v.Passes:
		return Outcome{policy.Allowed.String(), v.Reason}
	case q.Decision.Verdict == policy.Rejected && got.Status == q.Answer.Status:
		return Outcome{policy.Rejected.String(), q.Decision.Reason.String()}
	}
	return Outcome{policy.Refused.String(), v.Reason}
}

// exposes reports whether a script sees with one answer all the headers that it sees with another one.
func exposes(e, all browser.Exposed) bool {
	if e.All || all.All {
		return e.All
	}
	for _, name := range all.Names {
		if !slices.ContainsFunc(e.Names, func(s string) bool { return strings.EqualFold(s, name) }) {
			return false
		}
	}
	return true
}
