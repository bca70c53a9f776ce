package regex

import (
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// compileExpressions compiles expressions as a policy does, and for trying them one after the other.
func compileExpressions(t testing.TB, texts []string, steps int) (Many, []*regexp.Regexp) {
	t.Helper()
	var list []*regexp.Regexp
	var trees []*syntax.Regexp
	for _, text := range texts {
		tree, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		list, trees = append(list, regexp.MustCompile(`\A(?:`+tree.String()+`)\z`)), append(trees, tree)
	}
	var e Many
	e.Add(0, trees, list, &steps)
	return e, list
}

func firstMatching(list []*regexp.Regexp, text string) int {
	return slices.IndexFunc(list, func(re *regexp.Regexp) bool { return re.MatchString(text) })
}

// TestExpressions holds the automata of random expressions against trying one after the other.
func TestExpressions(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	parts := []string{
		"https://", "http://", "https?://", "a", "b", "(?i:A)", "[ab]", "[^a]", ".", "(a|b)", "(a|ab)", "(?:)", "a*", "b+?", "(ab)?", ".*", "[a-z]{1,3}",
		`\.`, `\.a`, `(:\d+)?`, ":8080", "$", "^", `\z`, `\A`, "(?m:^)", "(?m:$)", `\b`, `\B`, `[[:alpha:]]`, `\w`, `\x{e9}`, "|", "\n?",
	}
	matched, groups := 0, 0
	for range 3000 {
		var texts []string
		for range 1 + r.IntN(6) {
			text := []string{"https?://", "https://", "", "."}[r.IntN(4)]
			for range r.IntN(6) {
				text += parts[r.IntN(len(parts))]
			}
			texts = append(texts, text)
		}
		e, list := compileExpressions(t, texts, 100_000)
		groups += len(e)
		for range 30 {
			origin := []string{"https://", "http://"}[r.IntN(2)]
			for range 1 + r.IntN(5) {
				origin += []string{"a", "b", "ab", ".a", "z"}[r.IntN(5)]
			}
			origin += []string{"", "", ":8080", ":1"}[r.IntN(4)]
			want := firstMatching(list, origin)
			if got := e.Find(origin); got != want {
				t.Fatalf("%q: %q is matched by %d, want %d", texts, origin, got, want)
			}
			if want >= 0 {
				matched++
			}
		}
	}
	if matched < 5000 || groups > 6000 {
		t.Errorf("%d of the origins were matched, by %d groups: the expressions say little", matched, groups)
	}
}

// FuzzExpressions does the same with any expressions.
func FuzzExpressions(f *testing.F) {
	f.Add(`https://[a-z]+\.example\.com(:\d+)?`, `https://.*\.com`, "https://a.example.com")
	f.Fuzz(func(t *testing.T, first, second, text string) {
		for _, text := range []string{first, second} {
			tree, err := syntax.Parse(text, syntax.Perl)
			if err != nil || len(text) > 100 {
				return
			}
			if _, err := regexp.Compile(`\A(?:` + tree.String() + `)\z`); err != nil {
				return
			}
		}
		if o, ok := origin.Parse(text); !ok || o.Null {
			return
		}
		e, list := compileExpressions(t, []string{first, second}, 100_000)
		if got, want := e.Find(text), firstMatching(list, text); got != want {
			t.Errorf("%q, %q: %q is matched by %d, want %d", first, second, text, got, want)
		}
	})
}

// TestManyExpressions asserts, without a clock, that automata stay as small as they should be, and that expressions that
// would explode are left to package regexp.
func TestManyExpressions(t *testing.T) {
	for name, format := range growth.Regexes {
		for _, n := range []int{10, 1000} {
			e, list := compileExpressions(t, growth.Many(format, n), MaxAutomataSteps)
			states, size := 0, 0
			for _, g := range e {
				if g.automaton != nil {
					states += len(g.automaton.states)
					size += 12*len(g.automaton.states) + 8*len(g.automaton.edges) + 4*len(g.automaton.rows)
				}
			}
			t.Logf("%d %s: %d groups, %d states, %d KiB", n, name, len(e), states, size>>10)
			if name != "exploding" && len(e) > 2 {
				t.Errorf("%d %s: %d groups, want 2 at most", n, name, len(e))
			}
			if size > 50<<20 {
				t.Errorf("%d %s: automata of %d MiB", n, name, size>>20)
			}
			for _, origin := range []string{"https://a.tenant7.example.com", "https://tenant9.example.com:1", "http://app.tenant3.net", "https://www.evil.example"} {
				if got, want := e.Find(origin), firstMatching(list, origin); got != want {
					t.Errorf("%d %s: %s is matched by %d, want %d", n, name, origin, got, want)
				}
			}
		}
	}
}

func BenchmarkExpressions(b *testing.B) {
	for name, format := range growth.Regexes {
		e, list := compileExpressions(b, growth.Many(format, 1000), MaxAutomataSteps)
		for kind, origin := range map[string]string{"near": "https://pr-7.tenant5000.example.com", "long": "https://" + strings.Repeat("a.", 120) + "example.com"} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				for b.Loop() {
					e.Find(origin)
				}
			})
			b.Run(name+"/"+kind+"/one-by-one", func(b *testing.B) {
				for b.Loop() {
					firstMatching(list, origin)
				}
			})
		}
	}
}
