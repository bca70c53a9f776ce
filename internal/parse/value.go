// Package parse reads values of settings as people write them, for the service and for the module inside Envoy. It knows no
// setting.
package parse

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Duration reads a time of 0 or more: 0, 500ms, 30s, 1m30s. A number without a unit is none, but for 0.
func Duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		if _, err := strconv.ParseFloat(s, 64); err == nil {
			return 0, fmt.Errorf("%q has no unit; write for instance %ss", s, s)
		}
		return 0, fmt.Errorf("%q is no duration; write for instance 500ms, 5s or 1m30s", s)
	case d < 0:
		return 0, fmt.Errorf("%q is negative", s)
	}
	return d, nil
}

// Level reads a level of a log, in capitals or not.
func Level(s string) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(s, l.String()) {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is no log level; write debug, info, warn or error", s)
}
