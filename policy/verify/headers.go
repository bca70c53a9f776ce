package verify

// Tested by judge_test.go and random_test.go.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
)

// The codes of findings. Scripts rely on them: they are never renamed.
const (
	CodeMissingVary   = "missing-vary"   // caches would mix answers up
	CodeHeaderTwice   = "header-twice"   // two lines, or two values in one
	CodeExtraHeader   = "extra-header"   // a CORS or Timing header that must not be there
	CodeMissingHeader = "missing-header" // one that must
	CodeOtherValue    = "other-value"
	CodeOtherStatus   = "other-status" // where the answer is corsproc's own
	CodeMaxAge        = "max-age"      // preflights are cached for another time
)

// The severities of findings: what lets pages in, or mixes answers up, is an error.
const (
	severityError   = "error"
	severityWarning = "warning"
)

// A Finding is something that is wrong with an answer header by header.
type Finding struct {
	Severity string // error or warning
	Code     string
	Message  string
	Header   string // lower-case; empty: the status
}

// The names of headers that are looked at beside those of CORS.
const (
	headerTiming = "timing-allow-origin"
	headerCache  = "cache-control"
	headerMaxAge = "access-control-max-age"
)

// Relevant reports whether a header of an answer matters here; the name is lower-case.
func Relevant(name string) bool {
	return slices.Contains(policy.ResponseHeaders[:], name) || name == policy.HeaderVary || name == headerTiming || name == headerCache
}

// listHeaders are those whose values are lists of which neither order nor repetition means anything.
var listHeaders = []string{
	"access-control-allow-methods", "access-control-allow-headers", "access-control-expose-headers", headerTiming,
}

// compareHeaders tells what is wrong with the headers and the status of an answer. Where a browser makes something else of
// it than it should, the headers that it looks at are left out: that is told already, and one fault is not told twice.
func (q *Question) compareHeaders(got *browser.Answer, told bool) (all []Finding) {
	add := func(severity, code, header, format string, args ...any) {
		all = append(all, Finding{severity, code, fmt.Sprintf(format, args...), header})
	}
	ours := q.Answer.Status != 0
	if ours && got.Status != q.Answer.Status && !told {
		add(severityError, CodeOtherStatus, "", "the status is %d and not %d, which corsproc answers with", got.Status, q.Answer.Status)
	}
	for _, name := range append(policy.ResponseHeaders[:], headerTiming) {
		want, wanted := q.Answer.Get(name)
		is, there := got.Get(name)
		if lines := countLines(got, name); lines > 1 || lines == 1 && strings.Contains(is, ",") && !slices.Contains(listHeaders, name) {
			add(severityError, CodeHeaderTwice, name, "%s is there twice: %s", name, valueOf(is, there))
			continue
		}
		switch {
		case told, want == is && wanted == there, wanted && there && sameList(name, want, is):
		case name == headerTiming && !wanted && !ours: // the upstream's stays
		case name == headerMaxAge && q.IsPreflight() && q.Answer.Status != 403:
			add(severityWarning, CodeMaxAge, name, "%s is %s, and has to be %s", name, valueOf(is, there), valueOf(want, wanted))
		case !wanted:
			add(severityError, CodeExtraHeader, name, "%s must not be there, and is %s", name, valueOf(is, there))
		case !there:
			add(severityWarning, CodeMissingHeader, name, "%s is not there, and has to be %s", name, short(want))
		default:
			add(severityWarning, CodeOtherValue, name, "%s is %s, and has to be %s", name, valueOf(is, there), short(want))
		}
	}
	if want, wanted := q.Answer.Get(headerCache); wanted && !told {
		switch is, there := got.Get(headerCache); {
		case !there:
			add(severityWarning, CodeMissingHeader, headerCache, "%s is not there, and has to be %s", headerCache, want)
		case !hasName(is, want):
			add(severityWarning, CodeOtherValue, headerCache, "%s is %s, and has to be %s", headerCache, valueOf(is, there), want)
		}
	}
	if missing := q.missingVary(got); len(missing) > 0 {
		is, there := got.Get(policy.HeaderVary)
		add(severityError, CodeMissingVary, policy.HeaderVary, "Vary is %s and does not name %s, so that caches give an answer to pages that it is not for",
			valueOf(is, there), strings.Join(missing, ", "))
	}
	return all
}

// missingVary returns the names that Vary lacks.
func (q *Question) missingVary(got *browser.Answer) (missing []string) {
	want, _ := q.Answer.Get(policy.HeaderVary)
	is, _ := got.Get(policy.HeaderVary)
	for name := range strings.SplitSeq(want, ",") {
		if name = strings.TrimSpace(name); name != "" && !hasName(is, name) && !hasName(is, "*") {
			missing = append(missing, name)
		}
	}
	return missing
}

// countLines returns how many lines of a header there are.
func countLines(a *browser.Answer, name string) (n int) {
	for _, h := range a.Headers {
		if h.Name == name {
			n++
		}
	}
	return n
}

// hasName reports whether a list has a name, in any case.
func hasName(list, name string) bool {
	for element := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(element, " \t"), name) {
			return true
		}
	}
	return false
}

// sameList reports whether two values of a header mean the same list: in any order, and names of headers in any case.
func sameList(name, a, b string) bool {
	if !slices.Contains(listHeaders, name) {
		return false
	}
	elements := func(s string) []string {
		if strings.HasSuffix(name, "-headers") {
			s = strings.ToLower(s)
		}
		var all []string
		for element := range strings.SplitSeq(s, ",") {
			if element = strings.Trim(element, " \t"); element != "" {
				all = append(all, element)
			}
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	return slices.Equal(elements(a), elements(b))
}

// valueOf writes a value for people.
func valueOf(value string, there bool) string {
	switch {
	case !there:
		return "not there"
	case value == "":
		return "empty"
	}
	return short(value)
}

// maxShort is how much of a value is told.
const maxShort = 200

// short cuts what a server may have made as long as it liked.
func short(s string) string { return shortened(s, maxShort) }

func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
