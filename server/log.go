package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/corsproc/corsproc/policy/printable"
)

// LogFormat is how log records are written.
type LogFormat string

const (
	// LogText is for people: key=value.
	LogText LogFormat = "text"
	// LogJSON is for programs: one object a line.
	LogJSON LogFormat = "json"
)

// ParseLogFormat reads text or json.
func ParseLogFormat(s string) (LogFormat, error) {
	switch f := LogFormat(s); f {
	case LogText, LogJSON:
		return f, nil
	}
	return "", fmt.Errorf("%q is no log format; write text or json", s)
}

// newLogger returns a logger that writes to w.
func newLogger(w io.Writer, s *Settings) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if s.LogFormat == LogJSON {
		h = slog.NewJSONHandler(printable.JSONWriter{W: w}, options)
	}
	return slog.New(leveled{h, s.LogLevel})
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

// unleveled returns a logger that writes records of all levels where log writes.
func unleveled(log *slog.Logger) *slog.Logger {
	if h, ok := log.Handler().(leveled); ok {
		return slog.New(h.Handler)
	}
	return log
}
