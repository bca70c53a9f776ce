package regex

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// anyText returns a text that a tree may match, with the choices that r makes. Empty matches are not looked at: the text
// has to be tried.
func anyText(r *rand.Rand, tree *syntax.Regexp) string {
	switch tree.Op {
	case syntax.OpLiteral:
		if tree.Flags&syntax.FoldCase != 0 {
			return strings.ToLower(string(tree.Rune))
		}
		return string(tree.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return string("ab1-.:/x["[r.IntN(9)])
	case syntax.OpCharClass:
		if len(tree.Rune) == 0 {
			return ""
		}
		for range 20 { // rather one that an origin has
			if c := rune("abcxyz0189-_.:[]f"[r.IntN(17)]); inClass(tree.Rune, c) {
				return string(c)
			}
		}
		i := r.IntN(len(tree.Rune)/2) * 2
		return string(tree.Rune[i])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		low, high := 0, 4
		switch tree.Op {
		case syntax.OpPlus:
			low = 1
		case syntax.OpQuest:
			high = 1
		case syntax.OpRepeat:
			if low = tree.Min; tree.Max >= 0 {
				high = tree.Max
			}
		}
		text := ""
		for range low + r.IntN(max(1, high-low+1)) {
			text += anyText(r, tree.Sub[0])
		}
		return text
	case syntax.OpAlternate:
		return anyText(r, tree.Sub[r.IntN(len(tree.Sub))])
	}
	text := ""
	for _, sub := range tree.Sub {
		text += anyText(r, sub)
	}
	return text
}

func inClass(ranges []rune, c rune) bool {
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] <= c && c <= ranges[i+1] {
			return true
		}
	}
	return false
}

// randomRegex returns an expression that accepts some origins, most likely.
func randomRegex(r *rand.Rand) string {
	schemes := []string{"https://", "http://", "https?://", "(?:http|https)://", ".*", `\w+://`, "(?i)HTTPS?://", "^https?://", `\Ahttp://`, "[a-z]+://", "", `\bhttps?:`, "https?:.."}
	parts := []string{
		"a", "b", "localhost", "localhost", `\.localhost`, `127\.0\.0\.1`, `127(\.\d+){3}`, `10\.\d+\.\d+\.\d+`, `\[::1\]`, `\[.*\]`, `\[[0-9a-f:]+\]`, `\[::ffff:7f00:[0-9a-f]+\]`,
		"[ab]", "[^a]", ".", "(a|b)", "(a|)", "a*", "b+?", "(ab)?", ".*", ".+", "[a-z]{1,3}", "[a-z0-9-]+", `\.`, `\.a`, `(:\d+)?`, ":8080", ":80", ":443", "$", `\z`, `\b`, `\B`,
		"(?m:$)", "(?m:^)", "[[:alpha:]]", `\w`, `\W`, "é?", "|", "x{2}", `(\.|-)`, `(localhost|127\.0\.0\.1)`,
	}
	text := schemes[r.IntN(len(schemes))]
	for range 1 + r.IntN(5) {
		text += parts[r.IntN(len(parts))]
	}
	return text
}

func isInsecure(text string) bool {
	o, ok := origin.Parse(text)
	return ok && o.Scheme == "http" && !naiveLoopback(o.Host)
}

// checkInsecure holds what is said of http origins against texts that an expression accepts.
func checkInsecure(t *testing.T, r *rand.Rand, text string) (accepted string) {
	t.Helper()
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil || IsTooLarge(tree, text) {
		return ""
	}
	re, err := Whole(text, tree)
	if err != nil {
		return ""
	}
	steps := MaxSteps
	accepted, judged := HTTPOriginOf(re, InsecureOrigin, &steps)
	switch {
	case !judged:
		if expandedSize(tree) < 500 {
			t.Errorf("%q: not judged", text)
		}
		return ""
	case accepted != "" && (!isInsecure(accepted) || !re.MatchString(accepted)):
		t.Errorf("%q: %q is no insecure origin that it accepts", text, accepted)
	}
	for range 30 {
		if sample := anyText(r, tree); isInsecure(sample) && re.MatchString(sample) && (accepted == "" || len(sample) < len(accepted)) {
			t.Errorf("%q: accepts %q, and %q was found", text, sample, accepted)
			break
		}
	}
	return accepted
}

// TestHTTPOriginOf: of random expressions every http origin that is not on this machine is found, as a shortest one,
// and none is found where there is none.
func TestHTTPOriginOf(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	found, other := 0, 0
	for range 2000 {
		if checkInsecure(t, r, randomRegex(r)) != "" {
			found++
		} else {
			other++
		}
		if t.Failed() {
			break
		}
	}
	if found < 500 || other < 500 {
		t.Errorf("%d found, %d not: the expressions say little", found, other)
	}
}

// FuzzHTTPOriginOf does the same with any expressions.
func FuzzHTTPOriginOf(f *testing.F) {
	for _, text := range []string{`https?://(.+\.)?example\.com`, `http://(localhost|127(\.\d+){3}|\[::1\])(:\d+)?`, `(?i)\bHTTPS?:\W+a\b`} {
		f.Add(text, uint64(1))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		if len(text) <= 60 {
			checkInsecure(t, rand.New(rand.NewPCG(seed, 0)), text)
		}
	})
}

// namesUnder returns, by public suffix, the names straight under it at or below which the hosts of some origins are.
func namesUnder(texts []string) map[string]map[string]bool {
	names := map[string]map[string]bool{}
	for _, text := range texts {
		o, ok := origin.Parse(text)
		if !ok || o.Null || o.Scheme != "http" && o.Scheme != "https" || isAddress(o.Host) {
			continue
		}
		labels := strings.Split(strings.TrimSuffix(o.Host, "."), ".")
		for i, label := range labels[:len(labels)-1] {
			domain := strings.Join(labels[i+1:], ".")
			if strings.Contains(label, "_") || len(label) > maxLabel || !origin.IsPublicSuffix(domain) {
				continue
			}
			if names[domain] == nil {
				names[domain] = map[string]bool{}
			}
			names[domain][label] = true
		}
	}
	return names
}

// TestSuffixFamilyOf holds the search for families against counting the names in all that expressions accept which
// accept few texts.
func TestSuffixFamilyOf(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	choices := [][]string{
		{"a"}, {"b"}, {"a", "b"}, {"", "a"}, {"a", "b", "c", "d"}, {"-", "_", "."}, {"."}, {".", "a"}, {"", "a."}, {"ab", "cd", "e.f"}, {"1", "2", "x", ""},
	}
	ends := [][]string{
		{".github.io"}, {".io"}, {".com", ".co.uk"}, {".ck"}, {".www.ck"}, {"b.ck", ".a.ck"}, {".kawasaki.jp", ".city.kawasaki.jp"}, {".internal"}, {".github.io", ".github.iox"},
		{".vercel.app.", ".vercel.app"}, {".example.com"}, {".compute.amazonaws.com"}, {".amazonaws.com", ".s3.amazonaws.com"}, {"a.co", "b.uk", ".uk"}, {""},
	}
	found, other := 0, 0
	for range 2500 {
		texts := []string{""}
		var text strings.Builder
		add := func(list []string) {
			var all, quoted []string
			for _, more := range list {
				quoted = append(quoted, regexp.QuoteMeta(more))
				for _, t := range texts {
					all = append(all, t+more)
				}
			}
			texts = all
			fmt.Fprintf(&text, "(%s)", strings.Join(quoted, "|"))
		}
		add([][]string{{"https://"}, {"https://", "http://"}, {"app://"}}[min(r.IntN(10)/4, 2)])
		for range 1 + r.IntN(5) {
			add(choices[r.IntN(len(choices))])
		}
		add(ends[r.IntN(len(ends))])
		add([][]string{{""}, {"", ":8080"}, {":1", ":2"}, {":80"}, {":443", "x"}}[r.IntN(5)])

		limit := 1 + r.IntN(5)
		want := namesUnder(texts)
		for domain, names := range want {
			if len(names) <= limit {
				delete(want, domain)
			}
		}
		re := regexp.MustCompile(`\A(?:` + text.String() + `)\z`)
		got := findFamily(t, re, limit)
		switch {
		case got == nil && len(want) > 0:
			t.Fatalf("%s: nothing found of %v, limit %d", text.String(), want, limit)
		case got == nil:
			other++
			continue
		case want[got.Suffix] == nil:
			t.Fatalf("%s: %s was found, want %v, limit %d", text.String(), got.Suffix, want, limit)
		case !slices.Contains(texts, got.Accepted) || len(namesUnder([]string{got.Accepted})[got.Suffix]) != 1:
			t.Fatalf("%s: %s is no origin under %s", text.String(), got.Accepted, got.Suffix)
		}
		found++
	}
	if found < 500 || other < 500 {
		t.Errorf("%d found, %d not: the expressions say little", found, other)
	}
}

// findFamily looks for a family of more than some names.
func findFamily(t *testing.T, re *regexp.Regexp, limit int) *SuffixFamily {
	t.Helper()
	steps := MaxSteps
	w, _ := walkOrigins(re, domainOrigins(), &steps, nil)
	if w == nil {
		t.Fatalf("%s: not judged", re)
	}
	f := familySearch{originWalk: w, limit: limit}
	found := f.search()
	if steps < 0 {
		t.Fatalf("%s: not judged", re)
	}
	return found
}

// TestSuffixFamilyOfLoops: of random expressions with loops what is found is accepted, and what they accept is found
// where there are many names among texts of theirs.
func TestSuffixFamilyOfLoops(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	parts := []string{
		"a", "app-", "[a-z]+", "[a-z0-9-]*", ".*", ".+", `([a-z]+\.)*`, `([a-z]+\.)?`, `\w+`, "[0-9]{1,3}", "[^.]+", `\.`, ".", "(alice|bob)", "x?", `\b`, "(?i:A-)", "a{0,70}",
	}
	ends := []string{`\.github\.io`, `\.vercel\.app(:\d+)?`, `\.example\.com`, `\.com`, `\.ck`, `\.foo\.ck`, `\.internal`, `.co\.uk`, `\.[a-z]+`, `(\.[a-z]{2,3}){1,2}`, `\.www\.ck`, `\.s3\.amazonaws\.com`, ""}
	found, other := 0, 0
	for range 1000 {
		text := []string{"https://", "https?://", "^https://", ".*"}[min(r.IntN(8)/2, 3)]
		for range 1 + r.IntN(4) {
			text += parts[r.IntN(len(parts))]
		}
		text += ends[r.IntN(len(ends))]
		tree, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		re, err := Whole(text, tree)
		if err != nil {
			t.Fatal(err)
		}
		const limit = 20
		got := findFamily(t, re, limit)
		if got != nil {
			found++
			if !re.MatchString(got.Accepted) || len(namesUnder([]string{got.Accepted})[got.Suffix]) != 1 || !origin.IsPublicSuffix(got.Suffix) {
				t.Fatalf("%s: %s is no origin under %s that it accepts", text, got.Accepted, got.Suffix)
			}
			continue
		}
		other++
		var texts []string
		for range 300 {
			if sample := anyText(r, tree); re.MatchString(sample) {
				texts = append(texts, sample)
			}
		}
		for domain, names := range namesUnder(texts) {
			if len(names) > limit {
				t.Fatalf("%s: nothing found, and it accepts %d names under %s", text, len(names), domain)
			}
		}
	}
	if found < 200 || other < 200 {
		t.Errorf("%d found, %d not: the expressions say little", found, other)
	}
}
