package policyfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// repeat writes a text for each number below n.
func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

const listOfOrigins = "policies:\n  p:\n    allow_origins:\n"

// largeFiles are files with many of each kind of fault, and of what costs the reading of a file something.
var largeFiles = []struct {
	name string
	file string
	n    int // of the smaller of two
	text func(n int) string
}{
	{"origins", "p.yaml", 2000, func(n int) string { return listOfOrigins + repeat(n, "    - https://a%d.example\n") }},
	{"origins in upper case", "p.yaml", 2000, func(n int) string { return listOfOrigins + repeat(n, "    - https://A%d.example\n") }},
	{"in one line", "p.yaml", 2000, func(n int) string {
		return "policies: {p: {allow_origins: [" + repeat(n, "https://A%d.example, ") + "]}}\n"
	}},
	{"in quotes in one line", "p.yaml", 2000, func(n int) string {
		return "policies: {p: {allow_origins: [" + repeat(n, "'https://A%d.example', ") + "]}}\n"
	}},
	{"in JSON", "p.json", 2000, func(n int) string {
		return `{"policies": {"p": {"allow_origins": [` + repeat(n, `"https://A%d.example", `) + `"https://a.example"]}}}`
	}},
	{"numbers", "p.yaml", 1000, func(n int) string { return listOfOrigins + repeat(n, "    - %d\n") }},
	{"lists", "p.yaml", 2000, func(n int) string { return listOfOrigins + repeat(n, "    - [x%d]\n") }},
	{"unknown keys", "p.yaml", 400, func(n int) string { return "policies:\n  p:\n" + repeat(n, "    allow_origin%d: x\n") }},
	{"nowhere near keys", "p.yaml", 500, func(n int) string { return "policies:\n  p:\n" + repeat(n, "    something_else_%d: x\n") }},
	{"unknown keys in each other", "p.yaml", 400, func(n int) string {
		return "virtual_hosts:\n- name: h\n  routes:\n" + repeat(n, "  - {pth: /%d, path: /x, polices: [p], policies: [q]}\n")
	}},
	{"duplicate keys", "p.yaml", 500, func(n int) string { return "policies:\n" + repeat(n, "  p: {allow_origins: [https://a%d.example]}\n") }},
	{"aliases", "p.yaml", 1000, func(n int) string {
		return "policies:\n  p: &a {allow_origins: [https://a.example]}\n" + repeat(n, "  p%d: *a\n")
	}},
	{"stars", "p.yaml", 1000, func(n int) string { return listOfOrigins + repeat(n, "    - *.a%d.example\n") }},
	{"comments", "p.yaml", 2000, func(n int) string {
		return repeat(n, "# %d\n") + listOfOrigins + repeat(n, "    - https://a%d.example # why\n")
	}},
	{"deep values", "p.yaml", 100, func(n int) string {
		return listOfOrigins + repeat(n, "    - "+strings.Repeat("[", 90)+"%d"+strings.Repeat("]", 90)+"\n")
	}},
	{"unknown policies", "p.yaml", 400, func(n int) string {
		return "policies:\n" + repeat(n, "  policy%d: {allow_origins: [https://a.example]}\n") + "default:\n  policies:\n" + repeat(n, "  - polic%d\n")
	}},
}

// TestReadingGrows: the work of reading and compiling a file grows with the file and not with its square, whatever is
// wrong with it.
func TestReadingGrows(t *testing.T) {
	for _, c := range largeFiles {
		t.Run(c.name, func(t *testing.T) {
			growth.Hold(t, c.n, func(n int) func() {
				content := files(c.file, c.text(n))
				return func() { content.Compile() }
			})
		})
	}
}

// TestFixGrows: so does that of correcting it.
func TestFixGrows(t *testing.T) {
	for _, c := range largeFiles {
		t.Run(c.name, func(t *testing.T) {
			growth.Hold(t, c.n, func(n int) func() {
				content := files(c.file, c.text(n))
				return func() { content.Fix() }
			})
		})
	}
}

// TestFixAtOnce: however many faults a file has, all that can be corrected is corrected in one go, and looked at once
// more.
func TestFixAtOnce(t *testing.T) {
	const faults = 20_000 // far more than are told
	content := files("p.yaml", listOfOrigins+repeat(faults, "    - https://A%d.example\n")+"    - 7\n")
	fixed, n, result := content.Fix()
	if want := listOfOrigins + repeat(faults, "    - https://a%d.example\n") + "    - \"7\"\n"; string(fixed[0].Data) != want || n != faults+1 {
		t.Errorf("%d are corrected, want %d", n, faults+1)
	}
	if len(result.Findings) == 0 || result.Findings[0].Code != "origin-malformed" {
		t.Errorf("what is left is not told: %v", result.Findings)
	}
	growth.AtMost(t, 8, func() { content.Compile() }, func() { content.Fix() })
}

// TestFixUnparsed: a large file that cannot be parsed, of which one fault is found at a time, is not looked at for ever.
func TestFixUnparsed(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("reads 20 MB several times")
	}
	text := listOfOrigins + repeat(200, "    - @a%d\n") + strings.Repeat("# "+strings.Repeat("x", 1000)+"\n", 20_000)
	fixed, n, _ := files("p.yaml", text).Fix()
	if n == 0 || n > 20 {
		t.Errorf("%d are corrected", n)
	}
	if again, more, _ := (&policyfile.Content{Files: fixed}).Fix(); more == 0 || len(again[0].Data) <= len(fixed[0].Data) {
		t.Errorf("the next time %d are", more)
	}
}
