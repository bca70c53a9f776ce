package build

// Tested by builder_test.go and policy/convert/golden_test.go.

import (
	"strconv"
	"strings"
	"time"
)

// names gives policies names that a policy file can hold, each once.
type names struct {
	used map[string]bool
	next map[string]int // the number of the next one that wants a name
}

func newNames() *names {
	// The built-in names cannot be defined.
	return &names{used: map[string]bool{"none": true, "passthrough": true}, next: map[string]int{}}
}

// maxName leaves room for a number in what a policy file takes.
const maxName = 150

// take returns a name that nobody has yet: that which is wanted, as far as a name can hold it.
func (n *names) take(wanted string) string {
	base := cleanName(wanted)
	if base == "" {
		base = "policy"
	}
	name := base
	for n.used[name] {
		i := max(n.next[base], 2)
		n.next[base] = i + 1
		name = base + "-" + strconv.Itoa(i)
	}
	n.used[name] = true
	return name
}

// cleanName puts a hyphen for every run of bytes that names do not have.
func cleanName(s string) string {
	var b strings.Builder
	hyphen := false
	for i := range len(s) {
		if b.Len() >= maxName {
			break
		}
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
	return strings.Trim(b.String(), "-.")
}

// Duration writes whole seconds as a policy file does.
func Duration(seconds int64) string {
	switch {
	case seconds > 0 && seconds%3600 == 0:
		return strconv.FormatInt(seconds/3600, 10) + "h"
	case seconds > 0 && seconds%60 == 0:
		return strconv.FormatInt(seconds/60, 10) + "m"
	}
	return strconv.FormatInt(seconds, 10) + "s"
}

// durationOf reads what duration wrote.
func durationOf(s string) time.Duration {
	d, _ := time.ParseDuration(s)
	return d
}
