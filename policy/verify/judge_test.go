package verify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
)

const judgedPolicies = `policies:
  shop:
    allow_origins: [https://shop.example]
    allow_methods: [PUT]
    allow_headers: [X-A]
    expose_headers: [X-B]
    allow_credentials: true
    max_age: 10m
  public: {allow_origins: ["*"]}
  upstream: {allow_origins: [https://shop.example], expose_headers: [X-B], expose_upstream: true}
virtual_hosts:
- domains: [h.test]
  policies: [shop]
  timing_allow_origins: [https://shop.example]
  routes:
  - {path: /public, policies: [public]}
  - {path: /upstream, policies: [upstream], timing_allow_origins: []}
  - {path: /closed, policies: [none], reject: ALWAYS, timing_allow_origins: []}
`

// TestJudge compares single answers. They are written as what has to be answered with changes: "-name" takes a header away,
// "name: value" sets it, "+name: value" adds a line, and a number is another status.
func TestJudge(t *testing.T) {
	set := compile(t, judgedPolicies)
	const (
		read      = "/ GET from https://shop.example"
		stranger  = "/ GET from https://corsproc-verify.example"
		bare      = "/ GET without Origin"
		preflight = "/ preflight for GET from https://shop.example"
		put       = "/ preflight for PUT from https://shop.example"
		patch     = "/ preflight for DELETE from https://shop.example"
		refused   = "/ preflight for GET from https://corsproc-verify.example"
		public    = "/public GET from https://corsproc-verify.example"
		exposing  = "/upstream GET from https://shop.example"
		unexposed = "/upstream GET from https://corsproc-verify.example"
		rejected  = "/closed GET from https://corsproc-verify.example"
		acao      = "access-control-allow-origin"
		acac      = "access-control-allow-credentials"
	)
	for _, c := range []struct {
		question string
		changes  string // joined by |
		want     string
	}{
		{read, "", ""},
		{read, "500", ""},
		{read, "vary: Accept-Encoding, ORIGIN", ""},
		{read, "vary: *", ""},
		{read, "+vary: Accept", ""},
		{read, "cache-control: no-store", ""},
		{read, "-" + acao, "keeps_out allowed -> refused (origin_not_allowed)"},
		{read, acao + ": *", "keeps_out with credentials allowed -> refused (credentials_not_allowed)"},
		{read, acao + ": https://shop.example/", "keeps_out allowed -> refused (origin_not_allowed)"},
		{read, "-" + acac, "keeps_out with credentials allowed -> refused (credentials_not_allowed)"},
		{read, acac + ": True", "keeps_out with credentials allowed -> refused (credentials_not_allowed)"},
		{read, "+" + acao + ": *", "keeps_out allowed -> refused (origin_not_allowed), error [header-twice]"},
		{read, acao + ": https://shop.example, https://shop.example", "keeps_out allowed -> refused (origin_not_allowed), error [header-twice]"},
		{read, "+" + acac + ": true", "keeps_out with credentials allowed -> refused (credentials_not_allowed), error [header-twice]"},
		{read, "-access-control-expose-headers", "keeps_out allowed -> allowed, warning [missing-header]"},
		{read, "access-control-expose-headers: x-b", ""},
		{read, "access-control-expose-headers: X-B, X-C", "lets_in with credentials allowed -> allowed, warning [other-value]"},
		{read, "access-control-expose-headers: *", "lets_in with credentials allowed -> allowed, keeps_out with credentials allowed -> allowed, warning [other-value]"},
		{read, "+access-control-expose-headers: X-B", "error [header-twice]"},
		{read, "access-control-allow-methods: PUT", "error [extra-header]"},
		{read, "access-control-max-age: 600", "error [extra-header]"},
		{read, "-vary", "error [missing-vary]"},
		{read, "vary: Accept-Encoding", "error [missing-vary]"},
		{read, "-timing-allow-origin", "warning [missing-header]"},
		{read, "timing-allow-origin: *", "warning [other-value]"},
		{exposing, "", ""},
		{exposing, "access-control-expose-headers: X-B, X-Up, x-more", ""},
		{exposing, "access-control-expose-headers: x-up, x-b", ""},
		{exposing, "access-control-expose-headers: X-Up", "keeps_out allowed -> allowed, warning [other-value]"},
		{exposing, "-access-control-expose-headers", "keeps_out allowed -> allowed, warning [missing-header]"},
		{exposing, "access-control-expose-headers: X-B, *", "lets_in allowed -> allowed, warning [other-value]"},
		{exposing, "access-control-expose-headers: X-B, X-B", ""},
		{exposing, "+access-control-expose-headers: X-Up", "error [header-twice]"},
		{unexposed, "access-control-expose-headers: X-Up", "error [extra-header]"},
		{stranger, "", ""},
		{stranger, acao + ": *", "lets_in refused (origin_not_allowed) -> allowed"},
		{stranger, acao + ": https://corsproc-verify.example", "lets_in refused (origin_not_allowed) -> allowed"},
		{stranger, acao + ": https://corsproc-verify.example|" + acac + ": true", "lets_in with credentials refused (origin_not_allowed) -> allowed"},
		{stranger, acao + ": https://shop.example", "error [extra-header]"},
		{stranger, acac + ": true", "error [extra-header]"},
		{stranger, "-vary", "error [missing-vary]"},
		{bare, acao + ": *", "error [extra-header]"},
		{bare, "-vary", "error [missing-vary]"},
		{preflight, "", ""},
		{preflight, "200", "error [other-status]"},
		{preflight, "500", "keeps_out allowed -> refused (preflight_unanswered)"},
		{preflight, "401|-" + acao + "|-" + acac + "|-vary", "keeps_out allowed -> refused (origin_not_allowed), error [missing-vary]"},
		{preflight, "access-control-max-age: 5", "warning [max-age]"},
		{preflight, "-access-control-max-age", "warning [max-age]"},
		{preflight, "access-control-max-age: 600, 600", "error [header-twice]"},
		{preflight, "vary: Origin", "error [missing-vary]"},
		{preflight, "access-control-allow-methods: DELETE, PUT", "warning [other-value]"},
		{preflight, "access-control-allow-methods: P(T", "keeps_out allowed -> refused (method_malformed)"},
		{preflight, "timing-allow-origin: *", "error [extra-header]"},
		{preflight, "access-control-allow-private-network: true", "error [extra-header]"},
		{put, "-access-control-allow-methods", "keeps_out allowed -> refused (method_not_allowed)"},
		{put, "access-control-allow-methods: put", "keeps_out allowed -> refused (method_not_allowed)"},
		{put, "access-control-allow-methods: *", "keeps_out with credentials allowed -> refused (method_not_allowed)"},
		{patch, "access-control-allow-methods: PUT, DELETE", "lets_in with credentials refused (method_not_allowed) -> allowed"},
		{refused, "", ""},
		{refused, "404", "error [other-status]"},
		{refused, "204|" + acao + ": *", "lets_in refused (origin_not_allowed) -> allowed"},
		{refused, "-cache-control", "warning [missing-header]"},
		{refused, "cache-control: no-cache, NO-STORE", ""},
		{refused, "cache-control: max-age=60", "warning [other-value]"},
		{public, "-vary", ""},
		{public, acao + ": https://corsproc-verify.example", "warning [other-value]"},
		{public, "timing-allow-origin: *", "warning [other-value]"},
		{rejected, "", ""},
		{rejected, "200", "error [other-status]"},
		{rejected, "200|" + acao + ": *", "lets_in rejected (origin_not_allowed) -> allowed"},
	} {
		t.Run(c.question+" "+c.changes, func(t *testing.T) {
			q := find(t, set, c.question)
			a := answer(set, q, nil)
			for change := range strings.SplitSeq(c.changes, "|") {
				apply(a, change)
			}
			if got := describe(q.Judge(a)); got != c.want {
				t.Errorf("\n     %q\nwant %q", got, c.want)
			}
		})
	}
}

// find returns the question that is written as path and text.
func find(t *testing.T, set *policy.Set, text string) *Question {
	t.Helper()
	path, text, _ := strings.Cut(text, " ")
	for _, q := range NewPlan(set, []*Site{siteOf(t, "https://h.test/")}, options).Questions {
		if q.Place.Path == path && q.String() == text {
			return q
		}
	}
	t.Fatalf("%s is not asked at %s", text, path)
	return nil
}

func apply(a *browser.Answer, change string) {
	name, value, hasValue := strings.Cut(change, ": ")
	switch {
	case change == "":
	case strings.HasPrefix(change, "-"):
		without(a, change[1:])
	case strings.HasPrefix(change, "+"):
		with(a, name[1:], value)
	case hasValue:
		without(a, name)
		with(a, name, value)
	default:
		fmt.Sscan(change, &a.Status)
	}
}

// describe writes a judgement in one line.
func describe(j Judgement) string {
	var all []string
	outcome := func(o Outcome) string {
		if o.Reason == o.Verdict {
			return o.Verdict
		}
		return o.Verdict + " (" + o.Reason + ")"
	}
	for _, d := range j.Differences {
		text := d.Effect
		if d.Credentials {
			text += " with credentials"
		}
		all = append(all, text+" "+outcome(d.Expected)+" -> "+outcome(d.Got))
	}
	for _, f := range j.Findings {
		all = append(all, f.Severity.String()+" ["+f.Code+"]")
	}
	return strings.Join(all, ", ")
}
