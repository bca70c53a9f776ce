package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// The codes of diagnoses. Scripts rely on them: they are never renamed.
const (
	NotAttached          = "not-attached"
	BehindAuthentication = "behind-authentication"
	UpstreamHeadersPass  = "upstream-headers-pass"
	AnotherLayer         = "another-cors-layer"
	OtherPolicies        = "other-policies"
	VaryStripped         = "vary-stripped"
	ReplicasDisagree     = "replicas-disagree"
	Redirected           = "redirected"
	RateLimited          = "rate-limited"
	TimedOut             = "timeout"
	NotReached           = "unreachable"
)

// evidence is what all answers together show.
type evidence struct {
	preflights           int // that were answered
	ours, similar        int // of these, in our form for certain; and in a form that could be ours
	oursWrong            int // of both, those that are not what these policies say
	challenged, refused  int // by 401 or 407; by a 403 that is not in our form, of what has to be granted
	forbidden            int // by any 403 that is not in our form
	stranger, unlikely   int // answered by somebody else: with CORS headers or success; and otherwise
	requests             int // that are no preflights
	granted, strayHeader int // of these, with what we grant and nothing wrong; with CORS headers that are not ours
	requestsWrong        int // that are wrong in more than Vary

	twice                            int // a header twice
	disagree                         int // another answer to the same question
	redirected, limited              int // answers that are wrong, with such a status
	varyRequests, varyPreflights     int // answers to origins that have to have Vary and are right but for it
	strippedRequests, strippedFlight int // of these, without

	timeouts int
	failures []string // what else kept answers away, each sentence once
}

// maxFailures is how many reasons are told why nothing could be reached.
const maxFailures = 5

func (e *evidence) fail(s *Site, f Failure) {
	if f.Kind == Timeout {
		e.timeouts++
		return
	}
	text := s.Target.Scheme + "://" + s.Target.Authority() + ": " + f.Why
	if len(e.failures) < maxFailures && !slices.Contains(e.failures, text) {
		e.failures = append(e.failures, text)
	}
}

// observe takes in what an answer shows.
func (e *evidence) observe(q *Question, got *browser.Answer, j *Judgement) {
	wrong := len(j.Differences) > 0
	varyOnly := !wrong
	for _, f := range j.Findings {
		if f.Code == CodeHeaderTwice {
			e.twice++
		}
		varyOnly = varyOnly && f.Code == CodeMissingVary
		wrong = wrong || f.Code != CodeMissingVary
	}
	if wrong && got.Status/100 == 3 {
		e.redirected++
	}
	if wrong && got.Status == 429 {
		e.limited++
	}
	if want, _ := q.Answer.Get(policy.HeaderVary); varyOnly && want != "" && q.Origin != "" {
		stripped := len(q.missingVary(got)) > 0
		if q.IsPreflight() {
			e.varyPreflights++
			e.strippedFlight += count(stripped)
		} else {
			e.varyRequests++
			e.strippedRequests += count(stripped)
		}
	}
	if q.IsPreflight() {
		e.preflight(q, got, wrong)
		return
	}
	e.requests++
	e.requestsWrong += count(wrong)
	_, grants := q.Answer.Get("access-control-allow-origin")
	e.granted += count(grants && !wrong)
	e.strayHeader += count(wrong && hasOther(q, got))
}

// hasOther reports whether an answer has a CORS header that is not what we write.
func hasOther(q *Question, got *browser.Answer) bool {
	for _, name := range policy.ResponseHeaders {
		want, _ := q.Answer.Get(name)
		if is, there := got.Get(name); there && is != want && !sameList(name, want, is) {
			return true
		}
	}
	return false
}

// preflight tells who answered a preflight. Vary does not count: a cache may have taken it.
func (e *evidence) preflight(q *Question, got *browser.Answer, wrong bool) {
	e.preflights++
	origin, grants := got.Get("access-control-allow-origin")
	cache, _ := got.Get(headerCache)
	whole := countLines(got, "access-control-allow-origin") == 1 && (origin == q.Origin || origin == "*")
	switch {
	case !wrong, got.Status == 403 && !grants && hasName(cache, "no-store"):
		e.ours++
		e.oursWrong += count(wrong)
	case q.Place.statuses[got.Status] && whole && q.Place.lists[listsOf(got)]:
		e.ours++
		e.oursWrong++
	case q.Place.statuses[got.Status] && whole:
		e.similar++
		e.oursWrong++
	case !grants && (got.Status == 401 || got.Status == 407):
		e.challenged++
	case !grants && got.Status == 403:
		e.forbidden++
		e.refused += count(q.Answer.Status != 403)
	case !grants && (got.Status == 429 || got.Status/100 == 3):
	case grants || got.Status/100 == 2:
		e.stranger++
	default:
		e.unlikely++
	}
}

// diagnose says what the answers mean.
func (e *evidence) diagnose() (all []*corsprocv1.Diagnosis) {
	add := func(holds bool, code, message string) {
		if holds {
			all = append(all, &corsprocv1.Diagnosis{Code: code, Message: valid(message)})
		}
	}
	none := e.preflights > 0 && e.ours == 0
	authentication := e.challenged + e.refused
	if none {
		authentication += e.forbidden
	}
	unattached := none && (e.stranger+e.similar+e.unlikely > 0 ||
		authentication > 0 && e.requestsWrong > 0)
	attached := e.ours > 0
	add(unattached, NotAttached, "No preflight is answered as corsproc does: it is not attached at this gateway, or not asked, as it is down or behind a filter that answers first. "+
		"Put it first in http_filters; preflights have to reach it.")
	add(authentication > 0, BehindAuthentication, fmt.Sprintf("%d preflights are answered with 401, 403 or 407, not in corsproc's form: authentication, or a firewall, is asked first. "+
		"Browsers send preflights without credentials; put corsproc in front of it, or let OPTIONS pass.", e.challenged+e.forbidden))
	add(e.strayHeader > 0 && !attached, UpstreamHeadersPass, "Requests are answered with CORS headers that are not corsproc's, and no preflight is: corsproc is down and Envoy lets the upstream's headers pass "+
		"(failure_mode_allow), or it is not attached. response_headers_to_remove closes that.")
	add(e.twice > 0 || attached && e.stranger > 0 || attached && e.strayHeader > 0 && e.oursWrong == 0, AnotherLayer,
		"Somebody else speaks CORS beside corsproc: another filter, a proxy in front, or a CDN that adds headers. Switch that off, or remove its headers.")
	add(attached && e.oursWrong > 0 && e.stranger == 0 && e.twice == 0, OtherPolicies,
		"Answers have corsproc's form and grant something else: it runs with other policies, perhaps an older set. Compare the hash on its admin address (corsproc_policy_info) with the one of these files.")
	add(!unattached && (e.strippedRequests > 0 && e.strippedRequests == e.varyRequests || e.strippedFlight > 0 && e.strippedFlight == e.varyPreflights), VaryStripped,
		"Answers are right and have lost their Vary: a cache or a CDN in between removes it, and may give one page's answer to another. Let it keep Vary: Origin, or make Origin a part of its key.")
	add(e.disagree > 0, ReplicasDisagree, fmt.Sprintf("The same question was answered in several ways (%d answers differ from the first): one of several replicas, of the gateway or of corsproc, has other policies or is not attached.", e.disagree))
	add(e.redirected > 0, Redirected, fmt.Sprintf("%d answers are redirects, which browsers do not follow for preflights. Ask about the URL that they lead to.", e.redirected))
	add(e.limited > 0, RateLimited, fmt.Sprintf("%d answers are 429: somebody limits how fast may be asked. Ask more slowly with --rate, and put corsproc in front of the limit, or pages meet it too.", e.limited))
	add(e.timeouts > 0, TimedOut, fmt.Sprintf("%d requests had no answer in time. --timeout gives more.", e.timeouts))
	add(len(e.failures) > 0, NotReached, strings.Join(e.failures, "; "))
	return all
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
