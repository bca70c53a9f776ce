package parse

import (
	"log/slog"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for _, test := range []struct {
		text string
		want time.Duration
		err  string
	}{
		{"0", 0, ""},
		{"500ms", 500 * time.Millisecond, ""},
		{"1m30s", 90 * time.Second, ""},
		{"30", 0, `"30" has no unit; write for instance 30s`},
		{"1.5", 0, `"1.5" has no unit; write for instance 1.5s`},
		{"-1s", 0, `"-1s" is negative`},
		{"soon\x1b", 0, `"soon\x1b" is no duration; write for instance 500ms, 5s or 1m30s`},
		{"", 0, `"" is no duration; write for instance 500ms, 5s or 1m30s`},
	} {
		got, err := Duration(test.text)
		if got != test.want || text(err) != test.err {
			t.Errorf("%q: %v, %v", test.text, got, err)
		}
	}
}

func TestLevel(t *testing.T) {
	for _, test := range []struct {
		text string
		want slog.Level
		err  string
	}{
		{"debug", slog.LevelDebug, ""},
		{"WARN", slog.LevelWarn, ""},
		{"loud", 0, `"loud" is no log level; write debug, info, warn or error`},
		{"", 0, `"" is no log level; write debug, info, warn or error`},
	} {
		got, err := Level(test.text)
		if got != test.want || text(err) != test.err {
			t.Errorf("%q: %v, %v", test.text, got, err)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
