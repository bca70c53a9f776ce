//go:build cgo

package main

// #include "module.h"
import "C"

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	"unsafe"

	"github.com/corsproc/corsproc/server/logs"
)

// write puts a line into Envoy's log, which shows the place of the caller beside it. It may be called by any goroutine.
func write(level slog.Level, line string) {
	var caller [1]uintptr
	runtime.Callers(2, caller[:])
	writeFrom(caller[0], level, line)
}

// writeFrom is write for a caller that is known already.
func writeFrom(caller uintptr, level slog.Level, line string) {
	var l C.int = C.LOG_DEBUG
	switch {
	case level >= slog.LevelError:
		l = C.LOG_ERROR
	case level >= slog.LevelWarn:
		l = C.LOG_WARN
	case level >= slog.LevelInfo:
		l = C.LOG_INFO
	}
	place, _ := runtime.CallersFrames([]uintptr{caller}).Next()
	C.envoy_dynamic_module_callback_log_v2(l, lend("corsproc: "+line), lend(strings.TrimPrefix(place.File, repository)), C.uint32_t(place.Line))
}

// lend returns a text as C sees it during a call.
func lend(s string) C.envoy_buffer {
	return C.envoy_buffer{ptr: (*C.char)(unsafe.Pointer(unsafe.StringData(s))), length: C.size_t(len(s))}
}

// repository is what the names of our files begin with, as the compiler has noted them.
var repository = func() string {
	_, file, _, _ := runtime.Caller(0)
	return strings.TrimSuffix(file, "envoy/module/log.go")
}()

// newLogger returns a logger whose records of a level and above are lines of Envoy's log, as the service writes them but
// for the time and the level, which are Envoy's.
func newLogger(level slog.Leveler) *slog.Logger { return slog.New(handler{level}) }

type handler struct{ level slog.Leveler }

func (h handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteByte(' ')
	bare := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
			return slog.Attr{}
		}
		return a
	}})
	record := r.Clone()
	record.Time = time.Time{}
	if err := bare.Handle(ctx, record); err != nil {
		return err
	}
	writeFrom(r.PC, r.Level, strings.TrimRight(b.String(), " \n"))
	return nil
}

func (h handler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h handler) WithGroup(string) slog.Handler      { return h }

// panics bounds how often a fault of ours is logged: every request may meet it.
var panics = logs.Throttle{Interval: time.Second}

// panicked tells of a fault of ours that was recovered.
func panicked(r any) {
	if panics.Allow() {
		text := fmt.Sprintf("internal error, please report it: %v: %s", r, debug.Stack())
		write(slog.LevelError, strings.ReplaceAll(text, "\n", " | "))
	}
}
