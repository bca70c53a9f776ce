package learn_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/corsproc/corsproc/policy/learn"
)

// FuzzLearn holds for any log that what is written loads, that its tests pass, and that nothing of the log reaches a
// terminal raw.
func FuzzLearn(f *testing.F) {
	logs, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(logs) == 0 {
		f.Fatal("no logs")
	}
	for i, name := range logs {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, uint8(i))
	}
	f.Fuzz(func(t *testing.T, log []byte, how uint8) {
		var options learn.Options
		options.Routes, _ = learn.ParseRoutes(learn.RoutesNames[int(how)%len(learn.RoutesNames)])
		options.Trust.All = how&16 != 0
		l := learn.New(options)
		if err := l.Read(context.Background(), "log", bytes.NewReader(log)); err != nil {
			return // a broken archive
		}
		learned := l.Learn(false)
		policies, tests := learned.File.Bytes(), learned.TestFile()
		set := passes(t, policies, tests)
		var findings bytes.Buffer
		learn.WriteFindings(&findings, learned.Findings)
		for _, text := range []string{string(policies), string(tests), findings.String()} {
			if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("%q is written raw", text[i:min(len(text), i+20)])
			}
		}
		again := learn.New(learn.Options{Policies: set})
		if err := again.Read(context.Background(), "log", bytes.NewReader(log)); err != nil {
			t.Fatal(err)
		}
		report, _ := again.Report()
		var text bytes.Buffer
		learn.WriteBreakage(&text, report, false)
		if i := strings.IndexFunc(text.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("%q is written raw", text.String()[i:min(text.Len(), i+20)])
		}
	})
}
