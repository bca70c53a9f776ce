package printable_test

import (
	"testing"

	"github.com/corsproc/corsproc/policy/printable"
)

func TestASCII(t *testing.T) {
	for _, c := range []struct{ in, ascii, quoted string }{
		{"", "", `""`},
		{"a b~", "a b~", `"a b~"`},
		{"12345678", "12345678", `"12345678"`},
		{"123456789", "12345678", `"12345678"`},
		{`a"\`, `a"\`, `"a\"\\"`},
		{"a\n", `"a\n"`, `"a\n"`},
		{"\x1b[2J\x7f", `"\x1b[2J\x7f"`, `"\x1b[2J\x7f"`},
		{"é", `"\u00e9"`, `"\u00e9"`},
		{"1234567é", `"1234567\xc3"`, `"1234567\xc3"`}, // cut by bytes
	} {
		if got := printable.ASCII(c.in, 8); got != c.ascii {
			t.Errorf("ASCII(%q) is %s, want %s", c.in, got, c.ascii)
		}
		if got := printable.Quoted(c.in, 8); got != c.quoted {
			t.Errorf("Quoted(%q) is %s, want %s", c.in, got, c.quoted)
		}
	}
}
