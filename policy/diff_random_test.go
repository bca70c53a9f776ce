package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
)

// TestDiffAgainstDecisions holds Diff against the engine: on random sets it reports a difference exactly where one of
// many requests is decided otherwise.
func TestDiffAgainstDecisions(t *testing.T) {
	const sets = 400
	random := rand.New(rand.NewPCG(1, 2))
	same, differ := 0, 0
	for range sets {
		text := randomSet(random)
		other := mutate(random, text)
		before, after := compileText(t, text), compileText(t, other)
		decided := firstDifference(before, after)
		diff := policy.Diff(before, after)
		if (decided != "") != (len(diff) > 0) {
			t.Fatalf("decided otherwise: %q; differences: %q\n%s\n%s", decided, diffLines(t, before, after), text, other)
		}
		if decided == "" {
			same++
		} else {
			differ++
		}
	}
	if same < sets/20 || differ < sets/20 {
		t.Errorf("%d pairs grant the same and %d differ: the random sets say little", same, differ)
	}
}

// What random sets are made of. Every wildcard has something beside it that it covers, or nearly covers.
var (
	randomOrigins = []string{
		"https://a.example", "https://b.a.example", "'https://*.a.example'", "'https://*.b.a.example'", "https://a.example:8443",
		"'https://a.example:*'", "'https://*.a.example:*'", "'https://*.a.example:8443'", "'https://*'", "'https://*:8443'", "'*'", "'null'",
		"app://a", "'https://c*.a.example'", "'https://*c.a.example'", "'https://c-*.a.example'", "'https://c*-c.a.example'", "'https://c*.a.example:*'",
		"'https://*-c.a.example:8443'", "https://cc.a.example",
	}
	randomMethods = []string{"PUT", "GET", "DELETE", "'*'", "put"}
	randomHeaders = []string{"X-One", "x-one", "Authorization", "'*'", "Accept", "X-Two"}
	randomRoutes  = []string{
		"path: /x", "prefix: /x", "prefix: /x/", "path_separated_prefix: /x", "path: /x/y", "prefix: /", "path_separated_prefix: /x/y",
		"route_name: r", "route_name: 'r*'",
	}
	randomDomains = []string{"a.com", "'*.com'", "'a.*'", "'*'", "a.com:8443", "'*.b.com'"}
	randomNames   = []string{"h", "'h*'", "g", "'*'"}
)

func some(r *rand.Rand, list []string, most int) string {
	n := r.IntN(most + 1)
	chosen := make([]string, n)
	for i := range chosen {
		chosen[i] = list[r.IntN(len(list))]
	}
	return strings.Join(chosen, ", ")
}

// randomSet writes a policy set of a few lines, in which each line can be left out without breaking it.
func randomSet(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("policies:\n")
	for _, name := range []string{"p", "q"} {
		fmt.Fprintf(&b, "  %s:\n    dangerously_allow: [ANY_ORIGIN_WITH_CREDENTIALS]\n    allow_origins: [%s]\n    deny_origins: [%s]\n    allow_methods: [%s]\n    allow_headers: [%s]\n",
			name, some(r, randomOrigins, 4), some(r, randomOrigins, 1), some(r, randomMethods, 2), some(r, randomHeaders, 2))
		if r.IntN(3) == 0 {
			b.WriteString("    allow_credentials: true\n")
		}
	}
	b.WriteString("virtual_hosts:\n")
	domains, names := slices.Clone(randomDomains), slices.Clone(randomNames)
	r.Shuffle(len(domains), func(i, j int) { domains[i], domains[j] = domains[j], domains[i] })
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for i := range 2 {
		fmt.Fprintf(&b, "  - domains: [%s, %s]\n    policies: [%s]\n", domains[2*i], domains[2*i+1], randomList(r))
		if r.IntN(2) == 0 {
			fmt.Fprintf(&b, "    name: %s\n", names[i])
		}
		b.WriteString("    routes:\n")
		fmt.Fprintf(&b, "      - {%s, policies: [none]}\n", randomRoutes[r.IntN(len(randomRoutes))])
		for range r.IntN(3) {
			fmt.Fprintf(&b, "      - {%s, policies: [%s]}\n", randomRoutes[r.IntN(len(randomRoutes))], randomList(r))
		}
	}
	fmt.Fprintf(&b, "default:\n  policies: [%s]\n  reject: %s\n", randomList(r), []string{"NEVER", "ALWAYS"}[r.IntN(2)])
	return b.String()
}

func randomList(r *rand.Rand) string {
	return []string{"p", "q", "p, q", "q, p", "none", "passthrough"}[r.IntN(6)]
}

// mutate changes a set a little: it swaps two policies' names, takes a line away, or replaces a word by another of its
// kind. Often that changes nothing for anybody.
func mutate(r *rand.Rand, text string) string {
	lines := strings.SplitAfter(text, "\n")
	for {
		i := r.IntN(len(lines))
		line := lines[i]
		switch {
		case strings.Contains(line, "- {"), strings.HasPrefix(line, "    name"), strings.Contains(line, "allow_credentials"), strings.Contains(line, "deny_origins"):
			if strings.Contains(line, "- {") && (i+1 == len(lines) || !strings.Contains(lines[i+1], "- {")) && !strings.Contains(lines[i-1], "- {") {
				continue // a list without elements is none
			}
			lines[i] = ""
		case strings.Contains(line, "_methods: ["), strings.Contains(line, "allow_origins: ["), strings.Contains(line, "_headers: ["):
			words := map[string][]string{"methods": randomMethods, "origins": randomOrigins, "headers": randomHeaders}
			kind := line[strings.Index(line, "_")+1 : strings.Index(line, ":")]
			word := words[kind][r.IntN(len(words[kind]))]
			lines[i] = strings.Replace(strings.Replace(line, "[", "["+word+", ", 1), ", ]", "]", 1)
		default:
			continue
		}
		return strings.Join(lines, "")
	}
}

// firstDifference returns a request that two sets decide otherwise, so that a browser can notice; "": none of many.
func firstDifference(before, after *policy.Set) string {
	tried := map[[2]policyPlace]bool{}
	for _, name := range []string{"", "h", "hh", "g", "other"} {
		for _, authority := range []string{
			"a.com", "x.com", "x.b.com", "b.com", "a.net", "a.com:8443", "a.com:1", "x.com:8443", "x.net", "a.x.com", "a.b.com",
		} {
			if contradicts(before, name, authority) || contradicts(after, name, authority) {
				continue
			}
			for _, path := range []string{"/", "/x", "/xx", "/x/", "/x/z", "/x/y", "/x/yy", "/x/y/z", "/z"} {
				for _, route := range []string{"", "r", "rr", "other"} {
					r := policy.Request{VirtualHost: name, Authority: authority, Path: path, Route: route, Scheme: "https", Method: "GET"}
					places := [2]policyPlace{placeOf(before, r), placeOf(after, r)}
					if tried[places] {
						continue
					}
					tried[places] = true
					if d := firstOriginDifference(before, after, r); d != "" {
						return d
					}
				}
			}
		}
	}
	return ""
}

// policyPlace tells places apart by what is decided there about an origin that nobody lists.
type policyPlace struct {
	list    policy.Rule
	outcome policy.Outcome
}

func placeOf(set *policy.Set, r policy.Request) policyPlace {
	r.Origin = policy.Line("malformed")
	d := set.Decide(&r)
	return policyPlace{d.Rule, d.Outcome}
}

// contradicts reports whether a name belongs to one virtual host and the authority to another: Diff does not look at such
// requests.
func contradicts(set *policy.Set, name, authority string) bool {
	hostOf := func(name, authority string) string {
		return set.Decide(&policy.Request{VirtualHost: name, Authority: authority}).VirtualHost
	}
	both, byDomain := hostOf(name, authority), hostOf("", authority)
	// What takes every name, or every domain, contradicts nothing.
	return both != byDomain && byDomain != hostOf("", "unknown") && both != "*"
}

// firstOriginDifference tries many origins on one place.
func firstOriginDifference(before, after *policy.Set, r policy.Request) string {
	for _, origin := range []string{
		"https://a.example", "https://b.a.example", "https://c.a.example", "https://c.b.a.example", "https://a.example:8443", "https://a.example:1",
		"https://c.a.example:8443", "https://c.a.example:1", "https://b.a.example:1", "https://other.example", "https://other.example:8443",
		"https://other.example:1", "https://c-x.a.example", "https://cx.a.example", "https://x-c.a.example", "https://c-c.a.example", "https://c-x-c.a.example",
		"https://cc.a.example", "https://c--c.a.example", "https://cx-c.a.example", "https://ccc.a.example", "https://c-x-c.a.example:8443", "https://c-x-c.a.example:1",
		"https://x-c.a.example:8443", "https://cc.a.example:8443", "https://cc.a.example:1", "https://cxc.a.example", "https://cxc.a.example:1", "https://c-x.a.example:1",
		"https://c-c.a.example:8443", "https://c-c.a.example:1", "https://c--c.a.example:8443", "null", "app://a", "app://b", "http://a.example", "https://c.b.a.example:8443",
	} {
		r.Origin = policy.Line(origin)
		if b, a := seen(before, r, "", ""), seen(after, r, "", ""); b != a {
			return fmt.Sprintf("%+v: %s, %s", r, b, a)
		}
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
			if b, a := seen(before, r, method, ""), seen(after, r, method, ""); b != a {
				return fmt.Sprintf("%+v %s: %s, %s", r, method, b, a)
			}
		}
		for _, header := range []string{"x-one", "x-two", "x-three", "authorization"} {
			if b, a := seen(before, r, "GET", header), seen(after, r, "GET", header); b != a {
				return fmt.Sprintf("%+v %s: %s, %s", r, header, b, a)
			}
		}
	}
	return ""
}

// seen returns what a browser sees of a decision; with a method it is that about a preflight.
func seen(set *policy.Set, r policy.Request, method, header string) string {
	if method != "" {
		r.Method, r.RequestMethod = "OPTIONS", policy.Line(method)
		if header != "" {
			r.RequestHeaders = []string{header}
		}
	}
	d := set.Decide(&r)
	if d.Action() == policy.Pass {
		return "passthrough"
	}
	status, headers := 0, []policy.Header(nil)
	if d.Action() == policy.Respond {
		status, headers, _ = d.AppendImmediate(nil)
	} else {
		headers = d.AppendResponse(nil, nil)
	}
	credentials := slices.ContainsFunc(headers, func(h policy.Header) bool { return h.Name == "access-control-allow-credentials" })
	if d.Verdict == policy.Refused {
		status, credentials = 0, false // a preflight that fails says what it lacks, which grants nothing
	}
	return fmt.Sprint(d.Verdict == policy.Allowed, status, credentials)
}
