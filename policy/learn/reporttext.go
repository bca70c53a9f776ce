package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// WriteBreakage writes a report for people: what is lost, what is gained, and the numbers.
func WriteBreakage(w io.Writer, b *corsprocv1.Breakage, interrupted bool) error {
	out := bufio.NewWriterSize(w, 64<<10)
	line := func(indent, text string) {
		out.WriteString(indent + printable.Line(printable.Text(text)) + "\n")
	}
	if interrupted {
		line("", "INCOMPLETE: interrupted, so that only what was read until then is here.")
	}
	for _, part := range []struct {
		sign, verb string
		entries    []*corsprocv1.BreakageEntry
	}{{"-", "loses", b.GetLose()}, {"+", "gains", b.GetGain()}} {
		for _, e := range part.entries {
			what := strings.ReplaceAll(e.GetWhat(), "_", " ")
			switch {
			case e.GetWhat() == whatOrigin:
				what = "everything"
			case e.GetName() != "":
				what += " " + e.GetName()
			}
			seen := ""
			if e.GetLastSeen() != "" {
				seen = ", last seen " + e.GetLastSeen()
			}
			line("", fmt.Sprintf("%s %s: %s %s %s: %s (%s%s)", part.sign, e.GetPlace(), e.GetOrigin(), part.verb, what, e.GetReason(), plural(int(e.GetCount()), "line"), seen))
			if r := e.GetRule(); r != nil {
				line("    ", fmt.Sprintf("by %s, %s:%d:%d", r.GetField(), r.GetFile(), r.GetLine(), r.GetColumn()))
			}
			if e.GetChange() != "" {
				line("    ", "to keep it: "+e.GetChange())
			}
		}
	}
	s := b.GetSummary()
	line("", fmt.Sprintf("%d lines, %d of pages of other origins, %d not JSON. Lost: %d, gained: %d.", s.GetLines(), s.GetCrossOrigin(), s.GetNotJson(), s.GetLose(), s.GetGain()))
	return out.Flush()
}
