package policy

import (
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// This file is naive_test.go for answers: which headers the response to a request gets that is no preflight.

var naiveToken = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// naiveAnswer returns the headers that a response gets at a place with these policies. from is the Origin, empty: there is
// none; upstream is what the upstream exposes.
func naiveAnswer(policies []*corsprocv1.Policy, rejects bool, from string, upstream []string) map[string]string {
	answer := map[string]string{}
	grant := func(p *corsprocv1.Policy, allowed string) {
		answer["access-control-allow-origin"] = allowed
		if p.AllowCredentials {
			answer["access-control-allow-credentials"] = "true"
		}
		exposed := slices.Clone(p.ExposeHeaders)
		if p.ExposeUpstream {
			for i, name := range strings.Split(strings.Join(upstream, ","), ",") {
				name = strings.Trim(name, " \t")
				if len(strings.Join(append(slices.Clone(exposed), name), ", ")) > len(strings.Join(p.ExposeHeaders, ", "))+4096 || i == 256 {
					break
				}
				listed := slices.ContainsFunc(exposed, func(s string) bool { return strings.EqualFold(s, name) })
				if naiveToken.MatchString(name) && name != "*" && !listed {
					exposed = append(exposed, name)
				}
			}
		}
		if len(exposed) > 0 {
			answer["access-control-expose-headers"] = strings.Join(exposed, ", ")
		}
	}
	if p := policies[0]; len(policies) == 1 && !rejects {
		switch {
		case p.FixedOrigin:
			grant(p, p.AllowOrigins[0])
			return answer
		case slices.Contains(p.AllowOrigins, "*") && !p.AllowCredentials && len(p.DenyOrigins) == 0:
			grant(p, "*")
			return answer
		}
	}
	answer["vary"] = "Origin"
	if _, _, _, ok := naiveOrigin(from); !ok {
		return answer
	}
	for _, p := range policies {
		switch {
		case naiveDenies(p, from):
			return answer
		case naiveAllows(p, from) && slices.Contains(p.AllowOrigins, "*") && !p.AllowCredentials:
			grant(p, "*")
			return answer
		case naiveAllows(p, from):
			grant(p, from)
			return answer
		}
	}
	return answer
}

// checkAnswer compares the headers of responses at a place with one policy or two. Lists are separated by commas; what of
// them cannot be written is left out.
func checkAnswer(t *testing.T, allow, deny, exposed string, fixed, credentials, second, rejects, exposes bool, from, upstream, more string) {
	t.Helper()
	words := func(list string, ok func(string) bool) []string {
		return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return !ok(s) })
	}
	pattern := func(s string) bool {
		p, why := origin.ParsePattern(s)
		return why == "" && p.Kind != origin.PatternSet
	}
	p := &corsprocv1.Policy{
		AllowOrigins: words(allow, pattern), DenyOrigins: words(deny, pattern), AllowCredentials: credentials, ExposeUpstream: exposes,
		ExposeHeaders: words(exposed, func(s string) bool { return s != "*" && fetch.IsToken(s) }),
		DangerouslyAllow: []corsprocv1.DangerousCombination{
			corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_ANY_ORIGIN_WITH_CREDENTIALS,
			corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_INSECURE_ORIGINS_WITH_CREDENTIALS,
			corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_PUBLIC_SUFFIX_WILDCARDS,
		},
	}
	if fixed {
		exact := slices.IndexFunc(p.AllowOrigins, func(s string) bool { p, _ := origin.ParsePattern(s); return p.IsExact() })
		if p.FixedOrigin = exact >= 0; p.FixedOrigin {
			p.AllowOrigins, p.DenyOrigins = p.AllowOrigins[exact:exact+1], nil
		}
	}
	policies, names := []*corsprocv1.Policy{p}, []string{"p"}
	if second {
		policies, names = append(policies, &corsprocv1.Policy{AllowOrigins: []string{"https://second.example"}}), []string{"p", "q"}
	}
	place := &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: names}}
	if rejects {
		place.Reject = corsprocv1.Reject_REJECT_WEBSOCKETS // which stops none of these requests
	}
	set, findings := Compile(Source{Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{"p": p, "q": policies[len(policies)-1]}, Default: place,
	}})
	if set == nil {
		t.Fatalf("%v does not compile: %v", p, findings)
	}
	r := &Request{Method: "GET", Path: "/", Authority: "other.test"}
	if from != "" {
		r.Origin = Line(from)
	}
	d := set.Decide(r)
	got := map[string]string{}
	for _, h := range d.AppendResponse(nil, nil, upstream, more) {
		got[h.Name] = h.Value
	}
	if want := naiveAnswer(policies, rejects, from, []string{upstream, more}); !maps.Equal(got, want) {
		t.Errorf("%v, %d policies, rejects %v: from %q, upstream %q %q\n%v, the naive reading says\n%v", p, len(policies), rejects, from, upstream, more, got, want)
	}
}

func TestAnswersAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	coin := func() bool { return r.IntN(2) == 0 }
	for range 5000 {
		allow := []string{mix(r), "https://a.example", mix(r), "*", "https://second.example"}[r.IntN(5):]
		from := []string{"", mix(r), allow[0], "https://a.example", "https://second.example", "https://evil.example", "null"}[r.IntN(7)]
		checkAnswer(t, strings.Join(allow, ","), []string{"", mix(r)}[r.IntN(2)], []string{"", "X-A", "X-A,X-B"}[r.IntN(3)], coin(), coin(), coin(), coin(), coin(), from,
			[]string{"", "x-a, X-C,*,x y", strings.Repeat(",", 255) + "X-Z,X-Y"}[r.IntN(3)], []string{"X-b", "é,X-D\t", strings.Repeat("a", 4094)}[r.IntN(3)])
		if t.Failed() {
			return
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add("https://a.example", "", "X-A", true, false, false, false, false, "https://evil.example", "", "")
	f.Add("*,https://a.example", "https://*.evil.example", "X-A", true, true, false, false, true, "", "x-a,X-B", "*,,x-b")
	f.Add("*", "", "", false, false, true, true, true, "null", ",,", "X C, X-D")
	f.Fuzz(checkAnswer)
}

// TestExposedIsBounded: what an upstream exposes is read up to a number of elements, and adds up to a number of bytes, in
// whatever way it is long.
func TestExposedIsBounded(t *testing.T) {
	set := mustCompile(t, Source{Name: "x", Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{"p": {AllowOrigins: []string{"https://a.example"}, ExposeHeaders: []string{"X-A"}, ExposeUpstream: true}},
		Default:  &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"p"}}},
	}})
	d := set.Decide(&Request{Method: "GET", Origin: Line("https://a.example")})
	name := func(i int) string { return "x-" + strconv.Itoa(i) }
	many := make([]string, 1000)
	for i := range many {
		many[i] = name(i)
	}
	for what, c := range map[string]struct {
		lines []string
		want  int // names that are added
	}{
		"many names":            {[]string{strings.Join(many, ",")}, MaxExposedElements},
		"many lines":            {many, MaxExposedElements},
		"empty elements":        {[]string{strings.Repeat(",", MaxExposedElements-1) + "x-last,x-more"}, 1},
		"more empty elements":   {[]string{strings.Repeat(",", MaxExposedElements) + "x-more"}, 0},
		"a megabyte of commas":  {[]string{strings.Repeat(",", 1<<20) + "x-more"}, 0},
		"the same again":        {[]string{strings.Repeat("x-1,", MaxExposedElements) + "x-more"}, 1},
		"a name that just fits": {[]string{strings.Repeat("x", MaxExposedBytes-len(", "))}, 1},
		"one that does not":     {[]string{strings.Repeat("x", MaxExposedBytes-1), "x-more"}, 0},
		"long names":            {[]string{strings.Repeat("x", 3000) + "," + strings.Repeat("y", 3000)}, 1},
	} {
		merged, _ := d.AppendExposed([]byte("before"), c.lines)
		list := strings.Split(strings.TrimPrefix(string(merged), "before"), ", ")
		if len(list)-1 != c.want || list[0] != "X-A" || len(merged) > len("beforeX-A")+MaxExposedBytes {
			t.Errorf("%s: %d names of %d bytes are added, want %d", what, len(list)-1, len(merged), c.want)
		}
	}
}
