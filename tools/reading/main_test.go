package main

import (
	"strings"
	"testing"
)

func TestReading(t *testing.T) {
	for _, c := range []struct {
		names string
		want  string
	}{
		{"", "sample: 2 of 3 files, 26 of 34 lines: a.go b.go\n1 packages have no circle\n"},
		{"inner.Number.Twice", "inner.Number.Twice: 4 lines of 2 declarations in 1 files\n  inner: 4 lines in 1 files\n"},
		// Top, A, B, size, limit, colours, and the constants, of which one says what the next is; Number and Twice.
		{"sample.(*A).Top", "sample.(*A).Top: 22 lines of 9 declarations in 4 files\n  sample: 18 lines in 3 files\n  inner: 4 lines in 1 files\n"},
		{"sample.unused", "sample.unused: 1 lines of 1 declarations in 1 files\n  sample: 1 lines in 1 files\n"},
	} {
		var b strings.Builder
		if err := run(&b, "testdata/sample", strings.Fields(c.names)); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != c.want {
			t.Errorf("%s:\n%swant\n%s", c.names, got, c.want)
		}
	}
	if err := run(new(strings.Builder), "testdata/sample", []string{"Top"}); err == nil || !strings.Contains(err.Error(), "there is no Top") {
		t.Errorf("of no such declaration: %v", err)
	}
}
