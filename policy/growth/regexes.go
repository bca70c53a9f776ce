package growth

// Tested by policy/growth_test.go.

import "fmt"

// Regexes are expressions for origins of some usual and unusual kinds, with a number in each, for [Many].
var Regexes = map[string]string{
	"class":     `https://[a-z0-9-]+\.tenant%d\.example\.com(:[0-9]+)?`,
	"dot-star":  `https://.*\.tenant%d\.example\.com`,
	"literal":   `https://tenant%d\.example\.com(:\d+)?`,
	"schemes":   `https?://(www|app)\.tenant%d\.(com|net)`,
	"exploding": `https://.*[a-f]%d[a-z]{20}.*\.example`,
}

// Many returns n texts of a format, each with a number of its own.
func Many(format string, n int) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprintf(format, i))
	}
	return texts
}
