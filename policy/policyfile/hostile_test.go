package policyfile_test

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// raced says that the race detector runs, under which everything takes many times as long.
var raced bool

// TestManyFaults: of a file with very many faults the first are told, in time and memory that do not grow with it.
func TestManyFaults(t *testing.T) {
	for name, data := range map[string]string{
		"the reading's":  "policies: {" + strings.Repeat("x: 1,", 30_000) + "}",
		"the engine's":   "policies: {p: {allow_origins: [" + strings.Repeat("x/,", 30_000) + "]}}",
		"unknown fields": "{" + strings.Repeat("x: 1,", 30_000) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			r := content("a.yaml", data).Compile()
			if n := len(r.Findings); n < 1000 || n > 2100 {
				t.Errorf("%d findings", n)
			}
			told := false
			for _, f := range r.Findings {
				told = told || f.Code == finding.CodeTooManyFindings
			}
			if !told {
				t.Error("nothing says that there are more")
			}
		})
	}
}

// TestOnlyLines: a file of nothing but ends of lines costs its size, and no table of its lines.
func TestOnlyLines(t *testing.T) {
	c := content("a.yaml", strings.Repeat("\n", 8<<20))
	findings := c.Compile().Findings
	findings = append(findings, finding.Diagnostic{Severity: finding.Hint, Position: finding.Position{File: "a.yaml", Line: 8 << 20, Column: 1}, Message: "the end"})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := policyfile.WriteAnnotated(io.Discard, findings, c.Files, false); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 1<<20 {
		t.Errorf("%d bytes for a file of %d", bytes, len(c.Files[0].Data))
	}
}

// TestTooLargeContent: a file may be as large as the limit, and what has too many entries is told so before it is parsed.
func TestTooLargeContent(t *testing.T) {
	blank := strings.Repeat(" ", policyfile.MaxFileBytes+1)
	for _, c := range []struct {
		name, data string
		code       finding.Code
	}{
		{"as large as may be", blank[1:], policyfile.CodeEmptyFile},
		{"one byte more", blank, policyfile.CodeFileTooLarge},
		{"too many entries", "[" + strings.Repeat("1,", 5_000_000) + "1]", policyfile.CodeFileTooLarge},
	} {
		if f := content("x.yaml", c.data).Compile().Findings; len(f) != 1 || f[0].Code != c.code {
			t.Errorf("%s: %v", c.name, f)
		}
	}
}

// TestManyCollections: lists and mappings side by side in one entry are counted as well, and what is too much is not read.
func TestManyCollections(t *testing.T) {
	if raced {
		t.Skip("one goroutine parses for a minute; the run without the race detector does it")
	}
	c := content("a.yaml", "policies: {p: {allow_origins: ["+strings.Repeat("[[[[[[[[[]]]]]]]]],", 450_000)+"]}}\n")
	if f := c.Compile().Findings; len(f) != 1 || f[0].Code != policyfile.CodeFileTooLarge {
		t.Errorf("%v", f)
	}
}

// TestJSONSurrogates reads what other languages' JSON writers make of characters beyond U+FFFF.
func TestJSONSurrogates(t *testing.T) {
	r := content("a.json", `{"virtual_hosts": [{"name": "\ud83d\ude00 \\ud83d \u00e9", "policies": ["none"]}]}`).Compile()
	if r.Set == nil {
		t.Fatal(text(t, r))
	}
	for label := range r.Set.VirtualHosts() {
		if label != "default" && label != "\U0001F600 \\ud83d é" {
			t.Errorf("%q", label)
		}
	}
}

// TestDuplicateKeysHide: what a duplicate hides is not called unknown.
func TestDuplicateKeysHide(t *testing.T) {
	r := content("a.yaml", "policies: {a: {}}\npolicies: {b: {}}\ndefault: {policies: [b]}\n").Compile()
	for _, f := range r.Findings {
		if f.Code == finding.CodeUnknownPolicy {
			t.Error(text(t, r))
		}
	}
}
