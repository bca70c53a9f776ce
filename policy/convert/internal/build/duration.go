package build

// Tested by builder_test.go and policy/convert/golden_test.go.

import (
	"strconv"
	"time"
)

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
