package verify

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
)

// pick returns a random choice.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// some returns a random part of a list, as it stands in a policy file.
func some(r *rand.Rand, list ...string) string {
	var chosen []string
	for _, s := range list {
		if r.IntN(3) == 0 {
			chosen = append(chosen, "'"+s+"'")
		}
	}
	return "[" + strings.Join(chosen, ", ") + "]"
}

// randomPolicies writes a policy file.
func randomPolicies(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("policies:\n")
	for i := range 3 {
		credentials := r.IntN(2) == 0
		expose := some(r, "X-A", "x-b", "Content-Length")
		if !credentials && r.IntN(3) == 0 {
			expose = "['*']"
		}
		fmt.Fprintf(&b, "  p%d: {allow_origins: %s, deny_origins: %s, allow_origin_regexes: %s, allow_methods: %s, allow_headers: %s, expose_headers: %s, "+
			"allow_credentials: %v, allow_private_network: %v, preflight_status: %d, dangerously_allow: [ANY_ORIGIN_WITH_CREDENTIALS, INSECURE_ORIGINS_WITH_CREDENTIALS, PUBLIC_SUFFIX_WILDCARDS]",
			i, some(r, "*", "null", "https://a.example", "https://*.a.example", "http://b.example:8080", "https://*", "https://c.example:*", "https://*.d.example:*", "app://x", "chrome-extension://*", "https://[::1]"),
			some(r, "https://evil.a.example", "https://*.x.a.example", "null", "http://b.example:8080"), some(r, `https://r[0-9]\.example`, `https?://q\.example(:[0-9]+)?`),
			some(r, "PUT", "DELETE", "*", "patch"), some(r, "X-A", "x-b", "Authorization", "*", "Content-Type"), expose, credentials, r.IntN(2) == 0, pick(r, 200, 204))
		if r.IntN(3) == 0 {
			b.WriteString(", expose_upstream: true")
		}
		if r.IntN(2) == 0 {
			fmt.Fprintf(&b, ", max_age: %ds", r.IntN(3)*600)
		}
		b.WriteString("}\n")
	}
	place := func() string {
		return fmt.Sprintf("policies: %s, reject: %s, unmatched_preflights: %s, timing_allow_origins: %s",
			pick(r, "[p0]", "[p1, p2]", "[p2, p0, p1]", "[none]", "[passthrough]", "[p1]"), pick(r, "NEVER", "WEBSOCKETS", "UNSAFE_METHODS", "ALWAYS"), pick(r, "ANSWER", "REFUSE"),
			pick(r, "[]", "['*']", "[https://a.example]"))
	}
	fmt.Fprintf(&b, "default: {%s}\nvirtual_hosts:\n- {domains: [h.test], %s, routes: [", place(), place())
	for _, route := range []string{"path: /a", "prefix: /b/", "path_separated_prefix: /c", "regex: '/d/[0-9]+'"} {
		fmt.Fprintf(&b, "{%s, %s}, ", route, place())
	}
	b.WriteString("{prefix: /e, policies: [p0]}]}\n")
	return b.String()
}

// answer is a gateway that does what the policies say: the engine is asked about the lines that were sent, and what an
// upstream says itself is replaced as Envoy is told to.
func answer(set *policy.Set, q *Question, upstream []policy.Header) *browser.Answer {
	t := q.Place.Site.Target
	r := &policy.Request{Method: q.Method, Scheme: t.Scheme, Authority: t.Authority(), Path: q.Place.Path}
	for _, h := range q.Headers() {
		switch strings.ToLower(h.Name) {
		case "origin":
			r.Origin = policy.Line(h.Value)
		case "access-control-request-method":
			r.RequestMethod = policy.Line(h.Value)
		case "access-control-request-headers":
			r.RequestHeaders = append(r.RequestHeaders, h.Value)
		case "access-control-request-private-network":
			r.RequestPrivateNetwork = h.Value
		}
	}
	d := set.Decide(r)
	a := &browser.Answer{Status: 200}
	switch d.Action() {
	case policy.Respond:
		a.Status, a.Headers, _ = d.AppendImmediate(nil)
	case policy.Adjust:
		lines := map[string][]string{}
		for _, h := range upstream {
			lines[h.Name] = append(lines[h.Name], h.Value)
		}
		set := d.AppendResponse(nil, lines[policy.HeaderVary], lines[policy.HeaderExposed]...)
		for _, h := range upstream {
			replaced := slices.ContainsFunc(set, func(s policy.Header) bool { return s.Name == h.Name })
			if !replaced && !slices.Contains(policy.ResponseHeaders[:], h.Name) {
				a.Headers = append(a.Headers, h)
			}
		}
		a.Headers = append(a.Headers, set...)
	}
	return a
}

// loud is an upstream that says much about CORS itself.
var loud = []policy.Header{
	{Name: "access-control-allow-origin", Value: "*"}, {Name: "vary", Value: "Accept-Encoding"}, {Name: "vary", Value: "accept-language"},
	{Name: "access-control-expose-headers", Value: "X-Up, *, X Y"}, {Name: "access-control-expose-headers", Value: "x-b,x-up"},
	{Name: "timing-allow-origin", Value: "https://up.example"}, {Name: "cache-control", Value: "max-age=60"},
}

// randomPlans yields plans for random policies.
func randomPlans(t *testing.T, n int, each func(r *rand.Rand, set *policy.Set, plan *Plan)) {
	t.Helper()
	asked := 0
	for i := range n {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		text := randomPolicies(r)
		set := compile(t, text)
		o := options
		o.Method = pick(r, "GET", "HEAD")
		o.Most = 10_000
		plan := NewPlan(set, []*Site{siteOf(t, "https://h.test"), siteOf(t, "http://other.test:81/e/f?g")}, o)
		asked += len(plan.Questions)
		each(r, set, plan)
		if t.Failed() {
			t.Fatalf("with the policies\n%s", text)
		}
	}
	if asked < 20*n {
		t.Errorf("only %d questions about %d sets", asked, n)
	}
}

// TestRandomAgrees: a gateway that asks the engine always agrees, whatever the policies and the upstream.
func TestRandomAgrees(t *testing.T) {
	randomPlans(t, 60, func(r *rand.Rand, set *policy.Set, plan *Plan) {
		report := NewReport(plan, 1)
		for i, q := range plan.Questions {
			report.Answered(i, answer(set, q, pick(r, nil, loud)))
		}
		if m := report.Message(); len(m.GetDifferences())+len(m.GetFindings())+len(m.GetDiagnoses()) > 0 {
			t.Errorf("%v %v %v", m.GetDifferences(), m.GetFindings(), m.GetDiagnoses())
		}
	})
}

// A mutation changes something of an answer.
type mutation struct {
	name   string // in brackets where nobody can notice it
	change func(r *rand.Rand, q *Question, a *browser.Answer)
}

func without(a *browser.Answer, name string) {
	a.Headers = slices.DeleteFunc(a.Headers, func(h policy.Header) bool { return h.Name == name })
}

func with(a *browser.Answer, name, value string) {
	a.Headers = append(a.Headers, policy.Header{Name: name, Value: value})
}

func replaced(a *browser.Answer, name string, change func(value string) string) {
	for i := range a.Headers {
		if a.Headers[i].Name == name {
			a.Headers[i].Value = change(a.Headers[i].Value)
		}
	}
}

func headerName(r *rand.Rand) string {
	return pick(r, append(policy.ResponseHeaders[:], "vary", "timing-allow-origin", "cache-control")...)
}

var mutations = []mutation{
	{"a header is taken away", func(r *rand.Rand, _ *Question, a *browser.Answer) { without(a, headerName(r)) }},
	{"a header has another value", func(r *rand.Rand, q *Question, a *browser.Answer) {
		name, value := headerName(r), pick(r, "*", "true", "null", "600", "GET, PUT", "X-A", "x-c, x-b", "", "Origin", q.Origin, "\xff\x00")
		without(a, name)
		with(a, name, value)
	}},
	{"a header is there twice", func(r *rand.Rand, q *Question, a *browser.Answer) {
		with(a, headerName(r), pick(r, "*", "true", "X-A", q.Origin))
	}},
	{"a value in upper case", func(r *rand.Rand, _ *Question, a *browser.Answer) { replaced(a, headerName(r), strings.ToUpper) }},
	{"a value in lower case", func(r *rand.Rand, _ *Question, a *browser.Answer) { replaced(a, headerName(r), strings.ToLower) }},
	{"(a list the other way round, with blanks)", func(r *rand.Rand, _ *Question, a *browser.Answer) {
		replaced(a, headerName(r), func(value string) string {
			list := strings.Split(value, ", ")
			slices.Reverse(list)
			return strings.Join(list, " ,\t")
		})
	}},
	{"a list lacks an element", func(r *rand.Rand, _ *Question, a *browser.Answer) {
		replaced(a, headerName(r), func(value string) string { return strings.Join(strings.Split(value, ", ")[1:], ", ") })
	}},
	{"any origin is let in", func(_ *rand.Rand, q *Question, a *browser.Answer) {
		without(a, "access-control-allow-origin")
		with(a, "access-control-allow-origin", q.Origin)
	}},
	{"another status", func(r *rand.Rand, _ *Question, a *browser.Answer) {
		a.Status = pick(r, 200, 204, 301, 401, 403, 404, 429, 500)
	}},
}

// plainly says what of an answer anybody could notice, written from the contract and not from the code that judges.
func plainly(q *Question, a *browser.Answer) string {
	var b strings.Builder
	ours := q.Answer.Status != 0
	if ours {
		fmt.Fprintln(&b, a.Status)
	}
	get := func(name string) (lines []string) {
		for _, h := range a.Headers {
			if h.Name == name {
				lines = append(lines, strings.Trim(h.Value, " \t"))
			}
		}
		return lines
	}
	elements := func(name string, lower bool) (all []string) {
		for _, element := range strings.Split(strings.Join(get(name), ","), ",") {
			if lower {
				element = strings.ToLower(element)
			}
			if element = strings.Trim(element, " \t"); element != "" {
				all = append(all, element)
			}
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	for _, name := range policy.ResponseHeaders {
		if name == "access-control-expose-headers" && q.Decision.ExposesUpstream() && len(get(name)) < 2 {
			// What the upstream names beside the policy is nobody's fault, as long as it is names.
			all, own := elements(name, true), ""
			for _, h := range q.Answer.Headers {
				if h.Name == name {
					own = strings.ToLower(h.Value)
				}
			}
			for want := range strings.SplitSeq(own, ", ") {
				fmt.Fprintln(&b, want, slices.Contains(all, want))
			}
			strange := slices.ContainsFunc(all, func(s string) bool { return s == "*" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-") != "" })
			fmt.Fprintln(&b, strange, len(get(name)) == 1 && len(all) == 0)
			continue
		}
		fmt.Fprintln(&b, name, len(get(name)))
		switch name {
		case "access-control-allow-methods":
			fmt.Fprintf(&b, "%q\n", elements(name, false))
		case "access-control-allow-headers", "access-control-expose-headers":
			fmt.Fprintf(&b, "%q\n", elements(name, true))
		default:
			fmt.Fprintf(&b, "%q\n", get(name))
		}
	}
	timing := false
	for _, h := range q.Answer.Headers {
		timing = timing || h.Name == "timing-allow-origin"
		switch h.Name {
		case "vary":
			for name := range strings.SplitSeq(h.Value, ", ") {
				has := elements("vary", true)
				fmt.Fprintln(&b, slices.Contains(has, strings.ToLower(name)) || slices.Contains(has, "*"))
			}
		case "cache-control":
			fmt.Fprintln(&b, slices.Contains(elements(h.Name, true), "no-store"))
		}
	}
	if timing || ours {
		fmt.Fprintf(&b, "%d %q\n", len(get("timing-allow-origin")), elements("timing-allow-origin", false))
	}
	return b.String()
}

// TestRandomMutations: an answer that is changed differs, unless nobody could notice; and what a browser would notice is a
// difference.
func TestRandomMutations(t *testing.T) {
	noticed := map[string]int{}
	differences := 0
	randomPlans(t, 12, func(r *rand.Rand, set *policy.Set, plan *Plan) {
		for _, q := range plan.Questions {
			good := answer(set, q, nil)
			for _, m := range mutations {
				bad := &browser.Answer{Status: good.Status, Headers: slices.Clone(good.Headers)}
				m.change(r, q, bad)
				j := q.Judge(bad)
				if j.Agrees() != (plainly(q, bad) == plainly(q, good)) {
					t.Errorf("%s: %s: from %v to %v: %+v", m.name, q, good, bad, j)
				}
				if !j.Agrees() {
					noticed[m.name]++
				}
				differences += len(j.Differences)
				if q.Origin == "" {
					continue
				}
				for _, credentials := range []bool{false, true} {
					is, want := q.view(bad, credentials), q.view(good, credentials)
					if is.Passes != want.Passes && len(j.Differences) == 0 {
						t.Errorf("%s: %s: a browser notices from %v to %v", m.name, q, good, bad)
					}
				}
			}
		}
	})
	for _, m := range mutations {
		if (noticed[m.name] == 0) != strings.HasPrefix(m.name, "(") {
			t.Errorf("%s: noticed %d times", m.name, noticed[m.name])
		}
	}
	if differences == 0 {
		t.Error("no mutation made a difference")
	}
}
