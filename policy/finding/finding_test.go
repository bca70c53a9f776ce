package finding_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/finding"
)

func Example() {
	at := finding.Location{Source: "shop.yaml", Path: finding.Path("").Name("policies").Name("storefront")}
	var found finding.Collector
	found.Fail(finding.Finding{Code: finding.CodeMethodMalformed, Location: at.Field("allow_methods").Index(1),
		Value: "PUT:", Message: "a method is a token", Fix: "PUT"})
	for _, f := range found.Findings() {
		fmt.Printf("%s: %v: %s: %s: %q: %s\n", f.Location.Source, f.Severity, f.Code, f.Location.Path, f.Value, f.Message)
	}
	// Output: shop.yaml: error: method-malformed: policies.storefront.allow_methods[1]: "PUT:": a method is a token
}

// A policy may be called like a path of another one: compare paths, not what they print.
func ExamplePath() {
	nested := finding.Path("").Name("policies").Name("a").Name("allow_origins")
	dotted := finding.Path("").Name("policies").Name("a.allow_origins")
	fmt.Println(nested, dotted, nested == dotted)
	// Output: policies.a.allow_origins policies.a.allow_origins false
}

func ExampleNearest() {
	known := []string{"allow_origins", "allow_methods", "deny_origins"}
	fmt.Printf("%q\n", finding.Nearest("alow_origins", slices.Values(known)))
	fmt.Printf("%q\n", finding.Nearest("origins", slices.Values(known))) // near to none
	fmt.Printf("%q\n", finding.Nearest("P", slices.Values([]string{"p", "q"})))
	fmt.Printf("%q\n", finding.Nearest("SHOP", slices.Values([]string{"shop", "Shop"}))) // to both
	// Output:
	// "allow_origins"
	// ""
	// "p"
	// ""
}

// TestCollectorIsBounded adds more than anybody reads, of two kinds in two sources. What is kept is bounded for each of
// the four, in the order in which it came; each is told of all.
func TestCollectorIsBounded(t *testing.T) {
	const each = 3000
	told := 0
	found := finding.Collector{Each: func(finding.Finding) { told++ }}
	for i := range each {
		for _, source := range []string{"a", "b"} {
			found.Fail(finding.Finding{Code: finding.CodeEmptyList, Location: finding.Location{Source: source}.Index(i)})
			found.Hint(finding.Finding{Code: finding.CodeMaxAgeCapped, Location: finding.Location{Source: source}.Index(i)})
		}
	}
	if told != 4*each || found.Added() != told || found.Errors() != told/2 {
		t.Errorf("%d were told, %d added, %d of them errors; want %d", told, found.Added(), found.Errors(), 4*each)
	}
	kept := map[finding.Code]int{}
	for _, f := range found.Findings() {
		kept[f.Code]++
	}
	if kept[finding.CodeEmptyList] != 2000 || kept[finding.CodeMaxAgeCapped] != 2000 || kept[finding.CodeTooManyFindings] != 4 || len(kept) != 3 {
		t.Errorf("kept: %v", kept)
	}
	found.Drop(func(f finding.Finding) bool { return f.Severity == finding.Hint })
	if n := len(found.Findings()); n != 2002 {
		t.Errorf("%d are left without the hints, want 2002", n)
	}
}

// TestPlaceholder looks at values in which a template's variable stands: that is what is wrong with them.
func TestPlaceholder(t *testing.T) {
	for value, want := range map[string]bool{
		"${ORIGIN}": true, "$ORIGIN": true, "{{ .Values.origin }}": true, "%ORIGIN%": true, "https://<%= host %>": true,
		"https://a.example": false, `\$`: false, "100%": false, "https://a.example$": false, "{a}": false,
		strings.Repeat("a", 7000) + "${ORIGIN}": false, // only the beginning is looked at
	} {
		var found finding.Collector
		found.Fail(finding.Finding{Value: value, Message: "of its own", Fix: "fix"})
		f := found.Findings()[0]
		if got := f.Message == finding.PlaceholderMessage && f.Fix == ""; got != want || finding.IsPlaceholder(value) != want {
			t.Errorf("%s: %q with the fix %q", value, f.Message, f.Fix)
		}
	}
}

// TestSuggestionsAreBounded asks for more names than are answered, among more than are compared.
func TestSuggestionsAreBounded(t *testing.T) {
	known := make([]string, 60_000)
	for i := range known {
		known[i] = fmt.Sprint("name", i)
	}
	var s finding.Suggestions
	ask := func(word string, n int) (near string, looked int) {
		near = s.Nearest(word, word, n, func(yield func(string) bool) {
			for _, k := range known[:n] {
				if looked++; !yield(k) {
					return
				}
			}
		})
		return near, looked
	}
	if near, looked := ask("nam3e", 5000); looked != 5000 || near == "" {
		t.Errorf("%d names were looked at, the nearest is %q", looked, near)
	}
	if _, looked := ask("nam3e", 5000); looked != 0 {
		t.Errorf("%d names were looked at for what was asked already", looked)
	}
	if _, looked := ask("nam", 60_000); looked != 0 {
		t.Errorf("%d of 60,000 names were looked at", looked)
	}
	total := 0
	for i := range 2000 {
		_, looked := ask(fmt.Sprint("nane", i), 5000)
		total += looked
	}
	if total == 0 || total > 100_000 {
		t.Errorf("%d names were looked at in all", total)
	}
}

// TestSeverities: the worst is the least, and each prints as findings have it.
func TestSeverities(t *testing.T) {
	for i, want := range []string{"unknown", "error", "warning", "hint", "unknown"} {
		if got := finding.Severity(i).String(); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
}
