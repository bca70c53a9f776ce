package finding

// Tested by finding_test.go.

import (
	"strconv"
	"strings"
)

// Path is the place of a value inside one policy file, for instance policies.storefront.allow_origins[1]. The zero
// value is the file as a whole.
//
// Internally names are kept apart by a NUL, because names of policies may contain dots: the policy "a" with its field
// "allow_origins" and a policy called "a.allow_origins" are two places that read the same. Paths are comparable and may
// be keys of maps; only [Path.String] is for people. The two bytes that part names do not stand in any: in a key that has
// them, which is an error anyway, they are replaced.
type Path string

// Name returns the path of the field or map entry called name under p.
func (p Path) Name(name string) Path {
	if strings.ContainsAny(name, "\x00\x01") {
		name = strings.NewReplacer("\x00", "\ufffd", "\x01", "\ufffd").Replace(name)
	}
	return p + "\x00" + Path(name)
}

// Index returns the path of the list element i under p.
func (p Path) Index(i int) Path {
	var buf [20]byte
	return p + "\x01" + Path(strconv.AppendInt(buf[:0], int64(i), 10))
}

// LastIndex returns the index that the path ends in. It reports false where it ends in a name.
func (p Path) LastIndex() (i int, ok bool) {
	i, err := strconv.Atoi(string(p[strings.LastIndexByte(string(p), 1)+1:]))
	return i, err == nil && strings.IndexByte(string(p), 1) >= 0
}

// LastName returns the last name in the path.
func (p Path) LastName() string {
	name := string(p[strings.LastIndexByte(string(p), 0)+1:])
	name, _, _ = strings.Cut(name, "\x01")
	return name
}

// String writes the path as people know it: names joined by dots, indexes in brackets.
func (p Path) String() string {
	var b strings.Builder
	b.Grow(len(p) + 8)
	inIndex := false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; c {
		case '\x00', '\x01':
			if inIndex {
				b.WriteByte(']')
			}
			inIndex = c == '\x01'
			if inIndex {
				b.WriteByte('[')
			} else if i > 0 {
				b.WriteByte('.')
			}
		default:
			b.WriteByte(c)
		}
	}
	if inIndex {
		b.WriteByte(']')
	}
	return b.String()
}
