package verify

// Tested by random_test.go and cmd/corsproc/verifyoutput_test.go.

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A FailureKind is why there is no answer.
type FailureKind uint8

const (
	Timeout FailureKind = iota + 1
	Unreachable
)

// A Failure is a request without an answer.
type Failure struct {
	Kind FailureKind
	Why  string // in words
}

// A Report collects what became of the questions of a plan. It is not safe for use by several goroutines.
type Report struct {
	// Redact takes out of a value that a gateway sent what must not be shown.
	Redact func(string) string

	plan    *Plan
	results []result // of the questions
	failures

	evidence map[*Place]*evidence

	requests, asked, unanswered int
	repeat                      int
	places                      map[*Place]*corsprocv1.VerifiedPlace
	differences                 []*corsprocv1.AnswerDifference
	findings                    []*corsprocv1.AnswerFinding
}

// result is what became of a question.
type result struct {
	answered bool
	failure  string
	first    uint64   // the first answer's fingerprint
	known    []uint64 // of all that were judged
	wrong    []string // what is wrong, a line each
}

var seed = maphash.MakeSeed()

// maxKnown is how many answers to one question are told apart.
const maxKnown = 16

// NewReport begins a report. repeat is how often each question is asked.
func NewReport(plan *Plan, repeat int) *Report {
	r := &Report{Redact: func(s string) string { return s }, plan: plan, repeat: repeat, results: make([]result, len(plan.Questions)), places: map[*Place]*corsprocv1.VerifiedPlace{}, evidence: map[*Place]*evidence{}}
	for _, p := range plan.Places {
		r.places[p], r.evidence[p] = &corsprocv1.VerifiedPlace{Url: p.URL(), Place: valid(p.Text)}, new(evidence)
	}
	return r
}

// Sent counts requests that were sent, whatever became of them.
func (r *Report) Sent(n int) { r.requests += n }

// Wrong returns how many differences and findings there are so far.
func (r *Report) Wrong() (differences, findings int) { return len(r.differences), len(r.findings) }

// Answered takes in an answer to the question of an index. The values of its headers may be anything; what is shown of them
// is cut.
func (r *Report) Answered(i int, got *browser.Answer) {
	r.asked++
	q, of := r.plan.Questions[i], &r.results[i]
	print := fingerprint(q, got)
	if !of.answered {
		of.answered, of.first = true, print
		r.places[q.Place].Questions++
	} else if print != of.first {
		r.evidence[q.Place].disagree++
	}
	if len(of.known) == maxKnown || slices.Contains(of.known, print) {
		return
	}
	of.known = append(of.known, print)
	j := q.Judge(got)
	r.evidence[q.Place].observe(q, got, &j)
	if j.Agrees() {
		return
	}
	shown := r.redacted(got, q)
	for _, d := range j.Differences {
		m := q.difference(d, shown)
		r.differences = append(r.differences, m)
		r.places[q.Place].Differences++
		of.wrong = append(of.wrong, sentence(m))
	}
	for _, f := range j.Findings {
		r.findings = append(r.findings, &corsprocv1.AnswerFinding{
			Severity: f.Severity, Code: f.Code, Url: q.Place.URL(), Place: valid(q.Place.Text), Origin: q.Origin, Message: valid(r.Redact(f.Message)),
		})
		of.wrong = append(of.wrong, valid(r.Redact(f.Message))+" ["+f.Code+"]")
	}
}

// redacted returns an answer as it may be shown: what the policies say themselves is no secret.
func (r *Report) redacted(got *browser.Answer, q *Question) *browser.Answer {
	shown := &browser.Answer{Status: got.Status}
	for _, h := range got.Headers {
		if want, _ := q.Answer.Get(h.Name); h.Value != want {
			h.Value = r.Redact(h.Value)
		}
		shown.Headers = append(shown.Headers, h)
	}
	return shown
}

// Failed takes in that a question had no answer, also when it was asked again.
func (r *Report) Failed(i int, f Failure) {
	r.asked++
	r.unanswered++
	r.results[i].failure = f.Why
	r.fail(r.plan.Questions[i].Place.Site, f)
}

// Unasked returns how many of the sites' URLs had no answer at all, where any question about them was asked.
func (r *Report) unansweredSites() (n int) {
	answered := map[*Site]bool{}
	for i, q := range r.plan.Questions {
		answered[q.Place.Site] = answered[q.Place.Site] || r.results[i].answered
	}
	for _, ok := range answered {
		if !ok {
			n++
		}
	}
	return n
}

// Complete reports whether every URL could be asked and everything that was asked was answered.
func (r *Report) Complete() bool {
	return r.unanswered == 0 && len(r.plan.Unasked) == 0 && r.unansweredSites() == 0
}

// Message returns the report.
func (r *Report) Message() *corsprocv1.Verification {
	m := &corsprocv1.Verification{
		Agrees:   len(r.differences) == 0 && len(r.findings) == 0 && r.Complete(),
		Requests: int32(r.requests), Unanswered: int32(r.unanswered),
		Skipped:     int32(min(len(r.plan.Questions)*r.repeat-r.asked+r.plan.Left, 1<<31-1)),
		Differences: r.differences, Findings: r.findings,
	}
	for _, p := range r.plan.Places {
		m.Places = append(m.Places, r.places[p])
	}
	for _, n := range r.plan.NotAsked {
		m.NotAsked = append(m.NotAsked, &corsprocv1.NotAsked{Place: valid(n.Place), Why: valid(n.Why)})
	}
	m.Diagnoses = r.diagnose()
	return m
}

// difference returns a difference as a message.
func (q *Question) difference(d Difference, got *browser.Answer) *corsprocv1.AnswerDifference {
	return &corsprocv1.AnswerDifference{
		Url: q.Place.URL(), Place: valid(q.Place.Text), Method: q.Method, Origin: q.Origin,
		RequestMethod: q.RequestMethod, RequestHeaders: q.RequestHeaders, Credentials: d.Credentials, Effect: d.Effect,
		Expected: answerMessage(d.Expected, &q.Answer), Got: answerMessage(d.Got, got),
	}
}

func answerMessage(o Outcome, a *browser.Answer) *corsprocv1.VerifiedAnswer {
	m := &corsprocv1.VerifiedAnswer{Verdict: o.Verdict, Reason: o.Reason, Status: int32(a.Status), Headers: map[string]string{}}
	for _, h := range a.Headers {
		if !Relevant(h.Name) {
			continue
		}
		value, _ := a.Get(h.Name)
		m.Headers[h.Name] = valid(shortened(value, maxValue))
	}
	return m
}

// maxValue is how much of the value of a header a difference holds, in bytes.
const maxValue = 1000

// sentence says a difference in one line.
func sentence(m *corsprocv1.AnswerDifference) string {
	text := fmt.Sprintf("a browser makes of it %s, and should make of it %s", withReason(m.GetGot()), withReason(m.GetExpected()))
	if m.GetGot().GetVerdict() == m.GetExpected().GetVerdict() {
		text = fmt.Sprintf("scripts may read the headers %q, and should be able to read %q",
			m.GetGot().GetHeaders()["access-control-expose-headers"], m.GetExpected().GetHeaders()["access-control-expose-headers"])
	}
	if m.GetCredentials() {
		text += ", with credentials"
	}
	return text + " [" + m.GetEffect() + "]"
}

func withReason(a *corsprocv1.VerifiedAnswer) string {
	if a.GetReason() == "" || a.GetReason() == a.GetVerdict() {
		return a.GetVerdict()
	}
	return a.GetVerdict() + " (" + a.GetReason() + ")"
}

// fingerprint tells answers to one question apart. The status counts where it is ours to say.
func fingerprint(q *Question, a *browser.Answer) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	if q.Answer.Status != 0 {
		fmt.Fprintln(&h, a.Status)
	}
	for _, name := range append(policy.ResponseHeaders[:], headerTiming, policy.HeaderVary) {
		value, there := a.Get(name)
		if name == policy.HeaderVary && !q.IsPreflight() {
			value, there = fmt.Sprint(q.missingVary(a)), true // the rest of it is the upstream's
		}
		fmt.Fprintf(&h, "%q %v %d\n", value, there, countLines(a, name))
	}
	return h.Sum64()
}

// valid makes text fit for a protobuf string.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
