package printable_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/corsproc/corsproc/policy/printable"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain é 漢 😀":    "plain é 漢 😀",
		"\x1b[2J":        `\x1b[2J`,
		"\u009b2J\x7f":   `\u009b2J\x7f`,
		"a\nb\r\tc":      `a\nb\r\tc`,
		"\u2028\u2029":   `\u2028\u2029`,
		"\u202e\u2066":   `\u202e\u2066`,
		"\xff":           `\ufffd`,
		"\u00a0\u200b":   `\u00a0\u200b`,
		"\U000e0041":     `\U000e0041`,
		`a \x1b of text`: `a \x1b of text`,
	} {
		if got := printable.Text(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	if got := printable.Cut(strings.Repeat("\x1b", 2000)); got != strings.Repeat(`\x1b`, 1000)+"..." {
		t.Errorf("%d characters", len(got))
	}
}

// TestLine: what a runner of builds takes for a command is none.
func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"::error::x":           `\x3a:error::x`,
		"  ::error::x":         `  \x3a:error::x`,
		"a.yaml: ::error::x":   "a.yaml: ::error::x", // GitHub Actions looks at the beginning only
		"a ##[error]b":         `a #\x23[error]b`,
		"##vso[task.complete]": `#\x23vso[task.complete]`,
		"## a comment [x]":     "## a comment [x]",
		"https://a.example":    "https://a.example",
	} {
		if got := printable.Line(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
		if got := printable.LineOfWidth(in); len([]rune(got)) != len([]rune(in)) || (got == in) != (want == in) {
			t.Errorf("%s: got %s", in, got)
		}
	}
}

// FuzzJSON: escaped JSON is JSON, has nothing that is not to be seen, and says the same.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "a\x1b\u009b\u202e\u2028", "\x7f\U000e0001\U0001F600", "\xff", `\u202e`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		data, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		safe := printable.JSON(data)
		for _, r := range string(safe) {
			if !unicode.IsPrint(r) {
				t.Errorf("%q has %U", safe, r)
			}
		}
		var before, after map[string]string
		if err := json.Unmarshal(data, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(safe, &after); err != nil {
			t.Fatal(err)
		}
		for k, v := range before {
			if after[k] != v {
				t.Errorf("%q becomes %q", before, after)
			}
		}
	})
}
