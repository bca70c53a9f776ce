package draft

import (
	"strconv"
	"strings"
)

// Names gives policies names that a policy file can hold, each once. The zero value is ready for use.
type Names struct {
	taken map[string]bool
	last  map[string]int // the number that was given last to who wanted a name
}

// maxName leaves room for a number in the 200 characters that a name has.
const maxName = 180

// Take returns a name that nobody has yet: that which is wanted, as far as a name can hold it, with a number where somebody
// has it already.
func (n *Names) Take(wanted string) string {
	if n.taken == nil {
		// The built-in names cannot be defined.
		n.taken, n.last = map[string]bool{"none": true, "passthrough": true}, map[string]int{}
	}
	base := cleanName(wanted)
	name := base
	for n.taken[name] {
		n.last[base] = max(n.last[base], 1) + 1
		name = base + "-" + strconv.Itoa(n.last[base])
	}
	n.taken[name] = true
	return name
}

// cleanName puts a hyphen for every run of bytes that stand in no name, or that only part its words.
func cleanName(s string) string {
	var b strings.Builder
	hyphen := false
	for i := 0; i < len(s) && b.Len() < maxName; i++ {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', c == '.', c == '_':
			if hyphen && b.Len() > 0 {
				b.WriteByte('-')
			}
			hyphen = false
			b.WriteByte(c)
		default:
			hyphen = true
		}
	}
	if name := strings.Trim(b.String(), "-."); name != "" {
		return name
	}
	return "policy"
}
