package logs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// TestLogger: a level holds for a logger's groups and attributes too, and only for those that want it.
func TestLogger(t *testing.T) {
	for _, c := range []struct {
		format Format
		want   []string // of each line a part
	}{
		{Text, []string{`level=WARN msg=seen`, `level=ERROR msg=seen a=b g.c=d`, `level=DEBUG msg=seen`}},
		{JSON, []string{`"level":"WARN","msg":"seen"`, `"level":"ERROR","msg":"seen","a":"b","g":{"c":"d"}`, `"level":"DEBUG","msg":"seen"`}},
	} {
		var b bytes.Buffer
		log := New(&b, c.format, slog.LevelWarn)
		log.Info("hidden")
		log.Warn("seen")
		log.With("a", "b").WithGroup("g").Info("hidden", "c", "d")
		log.With("a", "b").WithGroup("g").Error("seen", "c", "d")
		unleveled(log).Debug("seen")
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) != len(c.want) {
			t.Fatalf("%s: %q", c.format, lines)
		}
		for i, want := range c.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: %s, want it to hold %s", c.format, lines[i], want)
			}
		}
	}
}

func TestParseFormat(t *testing.T) {
	for text, want := range map[string]string{"text": "", "json": "", "JSON": "no log format", "": "no log format"} {
		f, err := ParseFormat(text)
		if (err == nil) != (want == "") || err == nil && string(f) != text || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v", text, f, err)
		}
	}
}
