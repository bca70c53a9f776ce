package verify

// Tested by cmd/corsproc/verifyfinds_test.go.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/internal/fetch"
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

// evidence is what the answers about a place show, or those about all places.
type evidence struct {
	preflights          int // that were answered
	ours, similar       int // of these, in our form for certain; and in a form that could be ours
	oursWrong           int // of both, those that are not what these policies say
	layered             int // in our form, with headers beside it that we do not write
	challenged, refused int // by 401 or 407; by a 403 that is not in our form, of what has to be granted
	forbidden           int // by any 403 that is not in our form
	speaking, silent    int // answered by somebody else: with CORS headers, and without
	strayHeader         int // requests answered with CORS headers that are not ours
	requestsWrong       int // requests whose answers are wrong in more than Vary

	twice                               int // a header twice
	disagree                            int // another answer to the same question
	redirected, limited                 int // answers that are wrong, with such a status
	varyRequests, varyPreflights        int // answers to origins that have to have Vary and are right but for it
	strippedRequests, strippedPreflight int // of these, without
}

// failures are why there was no answer.
type failures struct {
	timeouts int
	others   []string // each sentence once
}

// maxFailures is how many reasons are told why nothing could be reached.
const maxFailures = 5

func (e *failures) fail(s *Site, f Failure) {
	if f.Kind == Timeout {
		e.timeouts++
		return
	}
	text := s.Target.Scheme + "://" + s.Target.Authority() + ": " + f.Why
	if len(e.others) < maxFailures && !slices.Contains(e.others, text) {
		e.others = append(e.others, text)
	}
}

// observe takes in what an answer shows.
func (e *evidence) observe(q *Question, got *browser.Answer, j *Judgement) {
	q = q.answeredBy(got)
	wrong, added := len(j.Differences) > 0, false
	for _, f := range j.Findings {
		e.twice += count(f.Code == CodeHeaderTwice)
		added = added || f.Code == CodeExtraHeader && f.Header == fetch.TimingAllowOrigin
		wrong = wrong || f.Code != CodeMissingVary && !(f.Code == CodeExtraHeader && f.Header == fetch.TimingAllowOrigin)
	}
	if wrong && got.Status/100 == 3 {
		e.redirected++
	}
	if wrong && got.Status == 429 {
		e.limited++
	}
	if want, _ := q.Answer.Get(policy.HeaderVary); !wrong && want != "" && q.Origin != "" {
		stripped := len(q.missingVary(got)) > 0
		if q.IsPreflight() {
			e.varyPreflights++
			e.strippedPreflight += count(stripped)
		} else {
			e.varyRequests++
			e.strippedRequests += count(stripped)
		}
	}
	if q.IsPreflight() {
		e.preflight(q, got, wrong)
		e.layered += count(added)
		return
	}
	e.requestsWrong += count(wrong)
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
	_, grants := got.Get(fetch.AllowOrigin)
	cache, _ := got.Get(fetch.CacheControl)
	granted := slices.ContainsFunc(got.Headers, func(h policy.Header) bool {
		return h.Name == fetch.AllowOrigin && (h.Value == q.Origin || h.Value == "*")
	})
	switch {
	case !wrong:
		e.ours++
	case got.Status == 403 && fetch.ListHas(cache, "no-store"):
		e.ours++
		e.layered += count(grants)
		e.oursWrong += count(!grants)
	case (got.Status == 200 || got.Status == 204) && granted && q.Place.lists[listsOf(got)]:
		e.ours += count(q.Place.statuses[got.Status])
		e.similar += count(!q.Place.statuses[got.Status])
		e.oursWrong++
	case q.Place.statuses[got.Status] && granted:
		e.similar++
		e.oursWrong++
	case got.Status == 401 || got.Status == 407: // also with CORS headers: where a place is static, corsproc sets them on these
		e.challenged++
	case got.Status == 403:
		e.forbidden++
		e.refused += count(q.Answer.Status != 403)
	case got.Status == 429 || got.Status/100 == 3:
	case grants:
		e.speaking++
	default:
		e.silent++
	}
}

// diagnose says what the answers mean.
func (r *Report) diagnose() (all []*corsprocv1.Diagnosis) {
	add := func(holds bool, code, format string, args ...any) {
		if holds {
			all = append(all, &corsprocv1.Diagnosis{Code: code, Message: valid(fmt.Sprintf(format, args...))})
		}
	}
	e := &r.all
	attached, none := e.ours > 0, e.preflights > 0 && e.ours == 0
	authentication := e.challenged + e.refused
	if none {
		authentication += e.forbidden
	}
	unattached := none && (e.speaking+e.similar+e.silent > 0 || authentication > 0 && e.requestsWrong > 0)
	add(unattached, NotAttached, "No preflight is answered as corsproc does: it is not attached at this gateway, or not asked, as it is down or behind a filter that answers first. "+
		"Put it first in http_filters; preflights have to reach it.")
	if places := r.silentPlaces(); attached && len(places) > 0 {
		add(true, NotAttached, "Elsewhere corsproc answers, and no preflight of these: %s. The filter is off on the route, or the policies in force leave it to the upstream.", strings.Join(places, "; "))
	}
	add(authentication > 0, BehindAuthentication, "%d preflights are answered with 401, 403 or 407, not in corsproc's form: authentication, or a firewall, is asked first. "+
		"Browsers send preflights without credentials; put corsproc in front of it, or let OPTIONS pass.", e.challenged+e.forbidden)
	add(e.strayHeader > 0 && !attached, UpstreamHeadersPass, "Requests are answered with CORS headers that are not corsproc's, and no preflight is: corsproc is down and Envoy lets the upstream's headers pass "+
		"(failure_mode_allow), or it is not attached. response_headers_to_remove closes that.")
	add(e.twice > 0 || attached && (e.speaking > 0 || e.layered > 0 || e.strayHeader > 0 && e.oursWrong == 0), AnotherLayer,
		"Somebody else speaks CORS beside corsproc: another filter, a proxy in front, or a CDN that adds headers. Switch that off, or remove its headers.")
	add(attached && e.oursWrong > 0 && e.speaking == 0 && e.twice == 0 && e.layered == 0, OtherPolicies,
		"Answers have corsproc's form and grant something else: it runs with other policies, perhaps an older set. Compare the hash on its admin address (corsproc_policy_info) with that of these files.")
	add(!unattached && (e.strippedRequests > 0 && e.strippedRequests == e.varyRequests || e.strippedPreflight > 0 && e.strippedPreflight == e.varyPreflights), VaryStripped,
		"Answers are right and have lost their Vary: a cache or a CDN in between removes it, and may give one page's answer to another. Let it keep Vary: Origin, or make Origin a part of its key.")
	add(e.disagree > 0, ReplicasDisagree, "The same question was answered in several ways (%d answers differ from the first): one of several replicas, of the gateway or of corsproc, has other policies or is not attached.", e.disagree)
	add(e.redirected > 0, Redirected, "%d answers are redirects, which browsers do not follow for preflights. Ask about the URL that they lead to.", e.redirected)
	add(e.limited > 0, RateLimited, "%d answers are 429: somebody limits how fast may be asked. Ask more slowly with --rate, and put corsproc in front of the limit, or pages meet it too.", e.limited)
	add(r.timeouts > 0, TimedOut, "%d requests had no answer in time. --timeout gives more.", r.timeouts)
	add(len(r.others) > 0, NotReached, "%s", strings.Join(r.others, "; "))
	return all
}

// maxPlacesNamed is how many places a diagnosis names.
const maxPlacesNamed = 5

// silentPlaces names the places at which nobody answers preflights, ours or other ones.
func (r *Report) silentPlaces() (names []string) {
	for _, p := range r.plan.Places {
		if e := r.evidence[p]; e != nil && e.ours+e.similar+e.speaking == 0 && e.silent > 0 && e.disagree == 0 && len(names) < maxPlacesNamed {
			names = append(names, p.URL()+" ("+p.Text+")")
		}
	}
	return names
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
