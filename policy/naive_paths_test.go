package policy

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// This file is naive_test.go for paths: which readings there are of one, which places they find, and what becomes of that.

var (
	naiveEscape    = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	naiveParameter = regexp.MustCompile(`(?s)(;|%3[Bb]).*`)
	naiveSlashes   = regexp.MustCompile("/+")
)

// naiveSteps are the steps of which readings are made, by the words that naiveReadings has for them.
var naiveSteps = map[string]func(path string) string{
	"case": func(path string) string { return naiveEscape.ReplaceAllStringFunc(path, strings.ToUpper) },
	"unreserved": func(path string) string {
		return naiveDecode(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
	},
	"separators":  func(path string) string { return naiveDecode(path, `/\`) },
	"backslashes": func(path string) string { return strings.ReplaceAll(path, `\`, "/") },
	"parameters": func(path string) string {
		segments := strings.Split(path, "/")
		for i := range segments {
			segments[i] = naiveParameter.ReplaceAllLiteralString(segments[i], "")
		}
		return strings.Join(segments, "/")
	},
	"dots": func(path string) string {
		segments := strings.Split(path, "/")
		out := segments[:1:1]
		for _, s := range segments[1:] {
			switch {
			case s == "..":
				out = out[:max(len(out)-1, 1)]
			case s != ".":
				out = append(out, s)
			}
		}
		if last := segments[len(segments)-1]; len(segments) > 1 && (last == "." || last == "..") {
			out = append(out, "")
		}
		return strings.Join(out, "/")
	},
	"merge": func(path string) string { return naiveSlashes.ReplaceAllLiteralString(path, "/") },
}

func naiveDecode(path, bytes string) string {
	return naiveEscape.ReplaceAllStringFunc(path, func(escape string) string {
		n, _ := strconv.ParseUint(escape[1:], 16, 8)
		if strings.IndexByte(bytes, byte(n)) >= 0 {
			return string(rune(n))
		}
		return escape
	})
}

// naiveReadings returns every reading of a path, that as received first.
func naiveReadings(path string) []string {
	all := []string{path}
	for _, order := range []string{
		"unreserved", "separators", "backslashes", "parameters", "case", "dots", "merge",
		"case unreserved separators backslashes parameters dots merge",
		"case unreserved separators backslashes parameters merge dots",
		"parameters unreserved dots", "parameters merge", "parameters dots", "unreserved dots",
	} {
		read := path
		for _, step := range strings.Fields(order) {
			read = naiveSteps[step](read)
		}
		if !slices.Contains(all, read) {
			all = append(all, read)
		}
	}
	return all
}

// naivePlace returns the first route that covers a path, or the virtual host as a route without anything.
func naivePlace(routes []*corsprocv1.Route, regexes map[string]*regexp.Regexp, path string) *corsprocv1.Route {
	for _, r := range routes {
		if r.Path != "" && path == r.Path || r.Prefix != "" && strings.HasPrefix(path, r.Prefix) ||
			r.PathSeparatedPrefix != "" && (path == r.PathSeparatedPrefix || strings.HasPrefix(path, r.PathSeparatedPrefix+"/")) ||
			r.Regex != "" && regexes[r.Regex].MatchString(path) {
			return r
		}
	}
	return &corsprocv1.Route{}
}

// naiveOutcome says what becomes of a POST of an origin that "p" and "q" allow. What a place sets not is the virtual
// host's: p, NEVER, ANSWER.
func naiveOutcome(routes []*corsprocv1.Route, path string) (verdict Verdict, reason Reason, timing string, candidates bool) {
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	type alike struct {
		policies string
		reject   corsprocv1.Reject
		refuse   bool
	}
	places, timings, tried := map[alike]bool{}, map[string]bool{}, map[string]bool{}
	regexes := map[string]*regexp.Regexp{}
	for _, r := range routes {
		regexes[r.Regex] = regexp.MustCompile("^(?:" + r.Regex + ")$")
	}
	passthrough, strictest := true, corsprocv1.Reject_REJECT_NEVER
	for _, read := range naiveReadings(path) {
		r := naivePlace(routes, regexes, read)
		a := alike{"p", max(r.Reject, corsprocv1.Reject_REJECT_NEVER), r.UnmatchedPreflights == corsprocv1.UnmatchedPreflights_UNMATCHED_PREFLIGHTS_REFUSE}
		if r.Policies != nil {
			a.policies = strings.Join(r.Policies.Names, " ")
		}
		places[a] = true
		passthrough = passthrough && a.policies == "passthrough"
		strictest = max(strictest, a.reject)
		timing = strings.Join(r.GetTimingAllowOrigins().GetOrigins(), ", ")
		if a.policies == "passthrough" {
			timing = ""
		}
		timings[timing] = true
		tried[strings.Join(r.GetCandidates().GetNames(), " ")] = true
	}
	if len(timings) > 1 {
		timing = ""
	}
	candidates = len(tried) == 1 && !tried[""]
	switch {
	case passthrough:
		return None, ReasonPassthrough, "", candidates
	case len(places) > 1 && strictest >= corsprocv1.Reject_REJECT_UNSAFE_METHODS:
		return Rejected, ReasonPathAmbiguous, "", candidates
	case len(places) > 1:
		return Refused, ReasonPathAmbiguous, timing, candidates
	}
	return Allowed, ReasonAllowed, timing, candidates
}

// checkPaths compares what is made of paths where routes hold. Those that cannot be written are left out.
func checkPaths(t *testing.T, routes []*corsprocv1.Route, paths []string) {
	t.Helper()
	set, findings := Compile(Source{Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{"p": {AllowOrigins: []string{"https://a.test"}}, "q": {AllowOrigins: []string{"https://a.test"}}},
		Default:  &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"p"}}},
		VirtualHosts: []*corsprocv1.VirtualHost{{
			Domains: []string{"api.test"}, Routes: routes,
		}},
	}})
	if set == nil {
		t.Fatalf("routes %v do not compile: %v", routes, findings)
	}
	for _, path := range paths {
		bare, _, _ := strings.Cut(path, "?")
		bare, _, _ = strings.Cut(bare, "#")
		if got, want := slices.Sorted(match.OtherReadings(bare)), slices.Sorted(slices.Values(naiveReadings(bare)[1:])); !slices.Equal(got, want) {
			t.Errorf("%q is read as %q, the naive reading says %q", bare, got, want)
		}
		verdict, reason, timing, candidates := naiveOutcome(routes, path)
		d := set.Decide(&Request{Method: "POST", Path: path, Authority: "api.test", Origin: Line("https://a.test"), FetchSite: Line("cross-site")})
		gotTiming := ""
		if d.Action() == Adjust {
			for _, h := range d.AppendResponse(nil, nil) {
				if h.Name == fetch.TimingAllowOrigin {
					gotTiming = h.Value
				}
			}
		}
		if d.Verdict != verdict || d.Reason != reason || gotTiming != timing || reason != ReasonPathAmbiguous && d.HasCandidate != candidates {
			t.Errorf("routes %v: %q is %v (%v), timing %q, candidates %t; the naive look-up says %v (%v), %q, %t",
				routes, path, d.Verdict, d.Reason, gotTiming, d.HasCandidate, verdict, reason, timing, candidates)
		}
	}
}

// pathPieces are what paths and the texts of routes are made of.
var pathPieces = []string{
	"/", "/", "/", "a", "b", "..", ".", ";", ";v=1", `\`, "%2e", "%2F", "%2f", "%5c", "%3b", "%3B", "%61", "%41", "%7E", "%c3%a9", "%C3%A9", "é", "%25", "%", "%zz",
	"%%32%65", "?", "#", "A", "~", " ", "*", "/a/", "/b/", "/..;/", "//",
}

// randomRoute makes a route of a text that every kind of route may have.
func randomRoute(n func(int) int, text string) *corsprocv1.Route {
	r := &corsprocv1.Route{}
	switch n(4) {
	case 0:
		r.Path = text
	case 1:
		r.Prefix = text
	case 2:
		if r.PathSeparatedPrefix = strings.TrimRight(text, "/"); r.PathSeparatedPrefix == "" {
			r.PathSeparatedPrefix = "/a"
		}
	case 3:
		r.Regex = regexp.QuoteMeta(text) + []string{"", ".*", "[^/]+", "/?"}[n(4)]
	}
	if names := []string{"", "", "p", "q", "p q", "q p", "passthrough"}[n(7)]; names != "" {
		r.Policies = &corsprocv1.PolicyList{Names: strings.Fields(names)}
	}
	r.Reject = []corsprocv1.Reject{0, 0, 0, corsprocv1.Reject_REJECT_NEVER, corsprocv1.Reject_REJECT_WEBSOCKETS, corsprocv1.Reject_REJECT_ALWAYS}[n(6)]
	r.UnmatchedPreflights = []corsprocv1.UnmatchedPreflights{0, 0, corsprocv1.UnmatchedPreflights_UNMATCHED_PREFLIGHTS_REFUSE}[n(3)]
	if n(3) == 0 {
		r.TimingAllowOrigins = &corsprocv1.OriginList{Origins: []string{"https://rum.test"}}
	}
	if n(3) == 0 {
		r.Candidates = &corsprocv1.PolicyList{Names: []string{"q"}}
	}
	return r
}

// routeText makes of a path what a route may have for its text.
func routeText(path string) string {
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	return "/" + strings.TrimLeft(strings.ToValidUTF8(path, "x"), "/")
}

func TestPathsAgainstNaive(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	path := func() string {
		var b strings.Builder
		for range random.IntN(7) {
			b.WriteString(pathPieces[random.IntN(len(pathPieces))])
		}
		return b.String()
	}
	outcomes := map[string]int{}
	for range 400 {
		var routes []*corsprocv1.Route
		var paths []string
		for range 1 + random.IntN(20) {
			p := "/" + path()
			routes = append(routes, randomRoute(random.IntN, routeText(p)))
			paths = append(paths, p, "/"+path()+p, p+path(), path())
		}
		checkPaths(t, routes, paths)
		if t.Failed() {
			return
		}
		for _, p := range paths {
			verdict, reason, _, _ := naiveOutcome(routes, p)
			outcomes[verdict.String()+" "+reason.String()]++
		}
	}
	for _, outcome := range []string{"allowed allowed", "refused path_ambiguous", "rejected path_ambiguous", "none passthrough"} {
		if outcomes[outcome] < 100 {
			t.Errorf("only %d paths are %s: %v", outcomes[outcome], outcome, outcomes)
		}
	}
}

func FuzzPaths(f *testing.F) {
	f.Add("/public/\n/a;b", "/public/..;/a", uint64(1))
	f.Add("/caf%c3%a9/\n/caf%C3%A9/", "/caf%c3%a9/x", uint64(2))
	f.Fuzz(func(t *testing.T, texts, path string, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 1))
		var routes []*corsprocv1.Route
		for text := range strings.SplitSeq(texts, "\n") {
			routes = append(routes, randomRoute(random.IntN, routeText(text)))
		}
		checkPaths(t, routes, []string{path, "/" + path, texts})
	})
}
