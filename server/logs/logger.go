package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/printable"
)

// Format is how log records are written.
type Format string

const (
	// Text is for people: key=value.
	Text Format = "text"
	// JSON is for programs: one object a line.
	JSON Format = "json"
)

// ParseFormat reads text or json.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case Text, JSON:
		return f, nil
	}
	return "", fmt.Errorf("%q is no log format; write text or json", s)
}

// New returns a logger that writes to w the records of a level and those above it.
func New(w io.Writer, format Format, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if format == JSON {
		h = slog.NewJSONHandler(printable.JSONWriter{W: w}, options)
	}
	return slog.New(leveled{h, level})
}

// facts returns the facts of a decision as they are logged.
func facts(d *policy.Decision) []slog.Attr {
	var scratch [policy.MaxFacts]policy.Fact
	var attrs []slog.Attr
	for _, fact := range d.AppendFacts(scratch[:0]) {
		attrs = append(attrs, slog.String(fact.Name, fact.Text))
	}
	return attrs
}

// leveled passes on the records of a level and those above it.
type leveled struct {
	slog.Handler
	level slog.Level
}

func (h leveled) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{h.Handler.WithAttrs(attrs), h.level}
}

func (h leveled) WithGroup(name string) slog.Handler {
	return leveled{h.Handler.WithGroup(name), h.level}
}

// unleveled returns a logger that writes records of all levels where log, made by [New], writes.
func unleveled(log *slog.Logger) *slog.Logger {
	if h, ok := log.Handler().(leveled); ok {
		return slog.New(h.Handler)
	}
	return log
}
