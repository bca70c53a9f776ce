package compile

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// blind observes nothing.
type blind struct{}

func (blind) Begin(*Written)               {}
func (blind) List([]string)                {}
func (blind) Pattern(*origin.Pattern, int) {}
func (blind) OriginSet(*List)              {}
func (blind) Policy(*Policy)               {}
func (blind) End()                         {}

// judge compiles a policy of expressions with credentials, of which all together may take some steps beside those that
// each brings along. It returns how many there are then, and how many errors of each kind.
func judge(steps int, texts []string) (left int, errors map[finding.Code]int) {
	c := newCompiler(&compiled.Set{}, &finding.Collector{})
	c.regexSteps, c.see = steps, blind{}
	c.compile([]File{{Set: &corsprocv1.PolicySet{Policies: map[string]*corsprocv1.Policy{"p": {AllowOriginRegexes: texts, AllowCredentials: true}}}}})
	errors = map[finding.Code]int{}
	for _, f := range c.found.Findings() {
		if f.Severity == finding.Error {
			errors[f.Code]++
		}
	}
	return c.regexSteps, errors
}

// TestManyRegexRisks: usual expressions are judged by what each brings along, however many there are.
func TestManyRegexRisks(t *testing.T) {
	const n = 60
	usual := map[string]string{"local": `https?://(.+\.)?tenant%d\.localhost(:\d+)?`, "suffixes": `https://(.+\.)?tenant%d\.example\.(com|net|co\.uk)(:\d+)?`}
	for name, format := range growth.Regexes {
		usual[name] = format
	}
	for name, format := range usual {
		texts := growth.Many(format, n)
		left, errors := judge(0, append(texts, texts...)) // each of them twice
		if want := map[string]int{"schemes": 2 * n}[name]; errors[finding.CodeInsecureCreds] != want || len(errors) > 1 || len(errors) > 0 && want == 0 {
			t.Errorf("%s: errors %v, want %d of http origins", name, errors, want)
		}
		if left < n*regexSteps/4 {
			t.Errorf("%s: of what %d expressions brought along %d steps are left", name, n, left)
		}
	}
}

// TestHostileRegexRisks: what would take too long to tell is an error, for each expression, and takes no more than there
// is.
func TestHostileRegexRisks(t *testing.T) {
	hostile := growth.Many(`https?://(a?b?c?){200}%d\.localhost`, 6)
	for _, steps := range []int{0, 100_000} {
		left, errors := judge(steps, hostile)
		if left < 0 || errors[finding.CodeRegexUnjudged] != len(hostile) || len(errors) != 1 {
			t.Errorf("with %d steps: %d are left, errors %v", steps, left, errors)
		}
	}
	_, errors := judge(0, append(hostile, `https?://a\.example`, `https://.*\.github\.io`))
	if errors[finding.CodeInsecureCreds] != 1 || errors[finding.CodePublicSuffix] != 1 {
		t.Errorf("errors %v: the usual ones beside them are not judged", errors)
	}
}

// TestRegexRiskGrowth: the work grows with the length of an expression, also where its deterministic automaton would be
// twice as large with every character more.
func TestRegexRiskGrowth(t *testing.T) {
	for _, format := range []string{
		`https?://.*[a-f][a-z]{%d}.*\.localhost`, `https?://([a-z0-9-]{0,%[1]d}\.){0,10}localhost`, `https://.*[a-f][a-z]{%d}\.github\.iox`, `https?://(a|b|\.){%d}\.localhost`,
		`https://x\.(a|[a-f]|b\.|[a-z.]){%d}\.example`,
	} {
		var took [2]int
		for i, n := range []int{20, 40} {
			re := regexp.MustCompile(`\A(?:` + fmt.Sprintf(format, n) + `)\z`)
			const most = 1 << 30
			first, second := most, most
			accepted, _ := regex.HTTPOriginOf(re, regex.InsecureOrigin, &first)
			found, _ := regex.SuffixFamilyOf(re, regex.ManyNames, &second)
			if accepted != "" || found != nil {
				t.Errorf("%s: %q and %v were found: the search ends early", re, accepted, found)
			}
			took[i] = most - first + most - second
		}
		if took[1] > 3*took[0] {
			t.Errorf("%s: %d steps, with twice the length %d", format, took[0], took[1])
		}
	}
}

// TestRegexRiskOfLongList: names that an expression lists are no family, however many they are.
func TestRegexRiskOfLongList(t *testing.T) {
	var names []string
	for i := range regex.ManyNames + 2000 {
		names = append(names, fmt.Sprint("n", i))
	}
	for text, want := range map[string]bool{
		`https://(` + strings.Join(names, "|") + `)\.github\.io`: false,
		`https://n[0-9]{1,4}\.github\.io`:                        true, // 11110 names
		`https://n[0-9]{4}\.github\.io`:                          false,
	} {
		if _, errors := judge(maxAllRegexSteps, []string{text}); (errors[finding.CodePublicSuffix] > 0) != want || errors[finding.CodeRegexUnjudged] > 0 {
			t.Errorf("%.60s: errors %v, want one of a public suffix: %v", text, errors, want)
		}
	}
}
