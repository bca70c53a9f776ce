//go:build cgo

package main

// #include "module.h"
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/corsproc/corsproc/policy/policydir"
)

// settings are what a filter_config says.
type settings struct {
	policies       string
	reloadInterval time.Duration
	logLevel       slog.Level
}

// parseSettings reads a filter_config, which Envoy hands over as JSON. It returns everything that is wrong with it.
func parseSettings(config []byte) (settings, error) {
	s := settings{reloadInterval: 30 * time.Second, logLevel: slog.LevelInfo}
	var values map[string]any
	if err := json.Unmarshal(config, &values); err != nil || values == nil {
		return s, errors.New("filter_config has to be a google.protobuf.Struct with the key policies")
	}
	var wrong []error
	fail := func(key, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("filter_config: %s: %s", key, fmt.Sprintf(format, args...)))
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value := values[key]
		text, isText := value.(string)
		if number, ok := value.(float64); ok && key == "reload-interval" {
			text, isText = strconv.FormatFloat(number, 'f', -1, 64), true // whoever writes 0 means it, and 30 lacks its unit
		}
		var err error
		switch {
		case !slices.Contains([]string{"policies", "reload-interval", "log-level"}, key):
			fail(strconv.QuoteToASCII(key), "there is no such key; the keys are policies, reload-interval and log-level")
		case !isText:
			fail(key, "is no text")
		case key == "policies":
			s.policies = text
		case key == "reload-interval":
			s.reloadInterval, err = parseInterval(text)
		case key == "log-level":
			s.logLevel, err = parseLevel(text)
		}
		if err != nil {
			fail(key, "%v", err)
		}
	}
	_, given := values["policies"]
	switch {
	case !given:
		fail("policies", "is missing; it names the policy file or directory")
	case s.policies == policydir.Stdin:
		fail("policies", "standard input cannot be read inside Envoy")
	case s.policies == "" && values["policies"] == "":
		fail("policies", "is empty; it names the policy file or directory")
	}
	return s, errors.Join(wrong...)
}

func parseInterval(s string) (time.Duration, error) {
	switch d, err := time.ParseDuration(s); {
	case err != nil:
		return 0, fmt.Errorf("%q is no duration; write for instance 500ms, 30s or 1m30s, or 0 to watch only", s)
	case d < 0:
		return 0, fmt.Errorf("%q is negative", s)
	default:
		return d, nil
	}
}

func parseLevel(s string) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(s, l.String()) {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is no log level; write debug, info, warn or error", s)
}

// corsprocStart is called once, when Envoy loads the module. It gives every worker a P of its own, and two for the rest: what a
// reload costs then delays no request.
//
//export corsprocStart
func corsprocStart(workers C.uint32_t) {
	// Also where there are as many already: what is set here does not follow a limit of CPU that is lowered later.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), int(workers)+2))
}

// corsprocConfigure makes a filter's configuration. It returns 0 where the configuration is to be rejected, and has then said
// in Envoy's log why.
//
//export corsprocConfigure
func corsprocConfigure(c *C.struct_config, config *C.char, length C.size_t, validate C.bool) (ok C.int) {
	defer func() {
		if r := recover(); r != nil {
			panicked(r)
			if c.source != nil {
				leave(c)
			}
			ok = 0
		}
	}()
	s, err := parseSettings(C.GoBytes(unsafe.Pointer(config), C.int(length)))
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			write(slog.LevelError, strings.TrimSuffix(line, "\n"))
		}
		return 0
	}
	if !join(s, c, bool(validate)) {
		return 0
	}
	return 1
}

// corsprocForget is called when a filter's configuration is gone.
//
//export corsprocForget
func corsprocForget(c *C.struct_config) {
	defer func() {
		if r := recover(); r != nil {
			panicked(r)
		}
	}()
	leave(c)
}
