package convert

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// This file compares what browsers make of a source system's answers with what they make of ours. What they make of ours is
// told by package browser; for the others Fetch is followed here.

// A question is a fetch of a page.
type question struct {
	origin, authority, path string
	method                  string
	header                  string // the name of a header that the script sets; empty: none
	credentials             bool
}

func (q question) String() string {
	s := fmt.Sprintf("%s https://%s%s from %s", q.method, q.authority, q.path, q.origin)
	if q.header != "" {
		s += " with " + q.header
	}
	if q.credentials {
		s += " with credentials"
	}
	return s
}

// A verdict is what a page gets.
type verdict struct {
	readable    bool
	passthrough bool // ours: the upstream decides
	unsent      bool // ours: no browser sends such an origin
	idle        bool // theirs: there is nothing at the path
	exposes     []string
}

// ours returns what becomes of a question where a set answers.
func (q question) ours(t *testing.T, set *policy.Set) verdict {
	t.Helper()
	r, err := browser.Do(set, q.fetch())
	if err != nil {
		if strings.Contains(err.Error(), "no browser sends") {
			return verdict{unsent: true}
		}
		t.Fatalf("%s: %v", q, err)
	}
	v := verdict{readable: r.Outcome == browser.Readable, passthrough: r.Outcome == browser.Undecided}
	if v.readable {
		if v.exposes = slices.Clone(r.Exposed.Names); r.Exposed.All {
			v.exposes = []string{"*"}
		}
		for i, s := range v.exposes {
			v.exposes[i] = strings.ToLower(s)
		}
		slices.Sort(v.exposes)
	}
	return v
}

func (q question) fetch() browser.Fetch {
	f := browser.Fetch{Origin: q.origin, URL: "https://" + q.authority + q.path, Method: q.method, Credentials: browser.Omit}
	if q.header != "" {
		value := "x"
		if strings.EqualFold(q.header, "content-type") {
			value = "application/json"
		}
		f.Headers = []policy.Header{{Name: q.header, Value: value}}
	}
	if q.credentials {
		f.Credentials = browser.Include
	}
	return f
}

// theirs returns what becomes of it where ask brings back the answer of the source system.
func (q question) theirs(ask func(method string, header http.Header) *http.Response) (v verdict) {
	safe := slices.Contains([]string{"GET", "HEAD", "POST"}, q.method)
	if !safe || q.header != "" {
		h := http.Header{"Origin": {q.origin}, "Access-Control-Request-Method": {q.method}}
		if q.header != "" {
			h.Set("Access-Control-Request-Headers", strings.ToLower(q.header))
		}
		a := ask("OPTIONS", h)
		v.idle = a.Header.Get("X-Idle") != ""
		methods, ok := theirList(a, "Access-Control-Allow-Methods")
		names, alsoOK := theirList(a, "Access-Control-Allow-Headers")
		any := func(list []string) bool { return slices.Contains(list, "*") && !q.credentials }
		switch {
		case a.StatusCode < 200 || a.StatusCode > 299, !q.corsCheck(a), !ok, !alsoOK:
			return v
		case !safe && !slices.Contains(methods, q.method) && !any(methods):
			return v
		case q.header != "" && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, q.header) }) &&
			(!any(names) || strings.EqualFold(q.header, "authorization")):
			return v
		}
	}
	h := http.Header{"Origin": {q.origin}}
	if q.header != "" {
		h.Set(q.header, "x")
	}
	a := ask(q.method, h)
	v.idle = v.idle || a.Header.Get("X-Idle") != ""
	if a.StatusCode >= 300 && a.StatusCode < 400 { // a redirect is followed, and what is behind it asked again
		v.readable = false
		return v
	}
	if v.readable = q.corsCheck(a); v.readable {
		names, _ := theirList(a, "Access-Control-Expose-Headers")
		if !q.credentials && slices.Contains(names, "*") {
			v.exposes = []string{"*"}
			return v
		}
		for _, n := range names {
			if slices.Contains([]string{"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"}, strings.ToLower(n)) {
				continue // every script may read these
			}
			if n != "*" && !slices.Contains(v.exposes, strings.ToLower(n)) {
				v.exposes = append(v.exposes, strings.ToLower(n))
			}
		}
		slices.Sort(v.exposes)
	}
	return v
}

// corsCheck is Fetch's "CORS check".
func (q question) corsCheck(a *http.Response) bool {
	allowed := strings.Join(a.Header.Values("Access-Control-Allow-Origin"), ", ")
	if allowed == "*" && !q.credentials {
		return true
	}
	return allowed == q.origin && (!q.credentials || strings.Join(a.Header.Values("Access-Control-Allow-Credentials"), ", ") == "true")
}

// theirList is Fetch's "extract header list values". It is not ok if the list is malformed.
func theirList(a *http.Response, name string) (list []string, ok bool) {
	for _, s := range strings.Split(strings.Join(a.Header.Values(name), ","), ",") {
		s = strings.Trim(s, " \t")
		if strings.ContainsAny(s, " \t\"()/:;<=>?@[\\]{}") {
			return nil, false
		}
		if s != "" {
			list = append(list, s)
		}
	}
	return list, true
}

// compare says how our verdict differs from theirs: "wider", "tighter" or not at all.
func compare(ours, theirs verdict) string {
	switch {
	case theirs.idle, ours.unsent:
		return ""
	case ours.passthrough:
		if theirs.readable {
			return "tighter"
		}
		return ""
	case ours.readable && !theirs.readable:
		return "wider"
	case !ours.readable && theirs.readable:
		return "tighter"
	case slices.Equal(ours.exposes, theirs.exposes):
		return ""
	case slices.Contains(theirs.exposes, "*"):
		return "tighter"
	}
	for _, s := range ours.exposes {
		if !slices.Contains(theirs.exposes, s) {
			return "wider"
		}
	}
	return "tighter"
}

// setOf returns the set of what was imported.
func setOf(t *testing.T, r *Result) *policy.Set {
	t.Helper()
	c := (&policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: r.Draft.Bytes()}}}).Compile()
	if c.Set == nil {
		t.Fatalf("it does not load: %v\n%s", c.Findings, r.Draft.Bytes())
	}
	return c.Set
}
