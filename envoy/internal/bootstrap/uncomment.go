package bootstrap

// Tested by envoy/e2e/recipes_test.go.

import (
	"fmt"
	"strings"
)

// Uncomment makes lines of a comment part of a reference configuration, as many as are given: the one that says first
// after its "# " and those below it.
func Uncomment(text, first string, lines int) (string, error) {
	all := strings.Split(text, "\n")
	for i, line := range all {
		if strings.TrimSpace(line) == "# "+first && i+lines <= len(all) {
			for j := range lines {
				all[i+j] = strings.Replace(all[i+j], "# ", "", 1)
			}
			return strings.Join(all, "\n"), nil
		}
	}
	return "", fmt.Errorf("the comment %q is not there", first)
}
