package server

import (
	"fmt"
	"io"
	"log/slog"
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
	options := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == LogJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
