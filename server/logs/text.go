package logs

// Tested by decisions_test.go and refusals_test.go.

import (
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

const (
	// maxLoggedValue is how many bytes are logged of a client's text that is no origin, path or list.
	maxLoggedValue = 128
	// maxLoggedPath is how many bytes of a path, or of a list of headers, are logged.
	maxLoggedPath = 1024
)

// keep returns a copy of a client's text, cut and escaped.
func keep(s string, most int) string { return strings.Clone(printable.ASCII(s, most)) }
