package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/corsproc/corsproc/internal/parse"
	"github.com/corsproc/corsproc/server"
	"github.com/corsproc/corsproc/server/certs"
	"github.com/corsproc/corsproc/server/logs"
)

// A setting is one line of the table of settings. Every source of values gives text, or a list of texts, so that a
// value means the same wherever it comes from.
type setting struct {
	name     string
	shown    string // what help calls the value
	usage    string
	fallback string // empty: whatever the settings hold beforehand
	list     bool   // several values; separated by commas where they are one text
	toggle   bool   // --name alone means true
	number   bool   // a settings file may write it as a number
	set      func(*server.Settings, []string) error
}

var allSettings = []setting{
	{name: "policies", shown: "PATH", usage: "policy file or directory (required)",
		set: one(nonEmpty, func(s *server.Settings, v string) { s.Policies = v })},
	{name: "listen", shown: "ADDR", list: true, fallback: "127.0.0.1:9002",
		usage: "ext_proc, gRPC health and reflection; repeatable; host:port or unix:///path; empty: none, the admin address alone",
		set:   func(s *server.Settings, v []string) error { s.Listen = v; return nil }},
	{name: "admin-listen", shown: "ADDR", fallback: "127.0.0.1:9003", usage: "metrics, status page and reload; empty: off",
		set: one(text, func(s *server.Settings, v string) { s.AdminListen = v })},
	{name: "socket-mode", shown: "MODE", fallback: "0660", usage: "permissions of a unix socket, in octal (Envoy's user must be able to connect)",
		set: one(mode, func(s *server.Settings, v fs.FileMode) { s.SocketMode = v })},
	{name: "tls-cert", shown: "FILE", usage: "certificate in PEM form, with those it was signed with: TLS on --listen, but for unix sockets; taken up again when it changes",
		set: one(file, func(s *server.Settings, v string) { s.TLSCert = v })},
	{name: "tls-key", shown: "FILE", usage: "private key of --tls-cert", set: one(file, func(s *server.Settings, v string) { s.TLSKey = v })},
	{name: "tls-client-ca", shown: "FILE", usage: "mutual TLS: certificates that those of clients are signed with",
		set: one(file, func(s *server.Settings, v string) { s.TLSClientCA = v })},
	{name: "tls-client-names", shown: "LIST", list: true, usage: "SPIFFE URIs or DNS names of which a client's certificate carries one; compared whole",
		set: clientNames},
	{name: "plaintext", shown: "BOOL", fallback: "false", toggle: true, usage: "allow a --listen that is neither loopback nor a unix socket without TLS",
		set: one(boolean, func(s *server.Settings, v bool) { s.Plaintext = v })},
	{name: "reflection", shown: "BOOL", fallback: "true", toggle: true, usage: "gRPC reflection on --listen",
		set: one(boolean, func(s *server.Settings, v bool) { s.Reflection = v })},
	{name: "transport", shown: "NAME", fallback: "loop", usage: "what serves ext_proc streams: loop, or grpc (grpc-go; slower, for who will not run a transport of ours)",
		set: one(server.ParseTransport, func(s *server.Settings, v server.Transport) { s.Transport = v })},
	{name: "max-connections", shown: "N", fallback: "1024", number: true, usage: "connections on --listen; more are closed at once",
		set: one(atLeast(1), func(s *server.Settings, v int) { s.MaxConnections = v })},
	{name: "max-concurrent-streams", shown: "N", fallback: "0", number: true, usage: "streams per connection; 0: no limit",
		set: one(atLeast(0), func(s *server.Settings, v int) { s.MaxConcurrentStreams = uint32(v) })},
	{name: "max-message-bytes", shown: "N", fallback: "262144", number: true, usage: "largest ext_proc message that is read",
		set: one(atLeast(1), func(s *server.Settings, v int) { s.MaxMessageBytes = v })},
	{name: "admin-hosts", shown: "LIST", list: true, usage: "further Host names that the admin address answers to",
		set: func(s *server.Settings, v []string) error {
			s.AdminHosts = v
			for _, name := range v {
				if err := server.CheckHostName(name); err != nil {
					s.AdminHosts = nil
					return err
				}
			}
			return nil
		}},
	{name: "pprof", shown: "BOOL", fallback: "false", toggle: true, usage: "/debug/pprof/ on the admin address",
		set: one(boolean, func(s *server.Settings, v bool) { s.Pprof = v })},
	{name: "reload-interval", shown: "TIME", fallback: "30s", number: true, usage: "how often the policy files are looked at beside the watch; 0: watch only",
		set: one(parse.Duration, func(s *server.Settings, v time.Duration) { s.ReloadInterval = v })},
	{name: "drain-delay", shown: "TIME", fallback: "5s", number: true, usage: "after SIGTERM: how long new streams are still served while health says NOT_SERVING",
		set: one(parse.Duration, func(s *server.Settings, v time.Duration) { s.DrainDelay = v })},
	{name: "drain-timeout", shown: "TIME", fallback: "15s", number: true, usage: "then: how long open streams may finish",
		set: one(parse.Duration, func(s *server.Settings, v time.Duration) { s.DrainTimeout = v })},
	{name: "otlp-endpoint", shown: "ADDR", usage: "OpenTelemetry traces: host:port or URL of a collector; the standard OTEL_ variables count too",
		set: one(endpoint, func(s *server.Settings, v string) { s.OTLPEndpoint = v })},
	{name: "log-level", shown: "LEVEL", fallback: "info", usage: "debug, info, warn or error",
		set: one(parse.Level, func(s *server.Settings, v slog.Level) { s.LogLevel = v })},
	{name: "log-format", shown: "FORMAT", usage: "text or json (default: text on a terminal, json otherwise)",
		set: one(logs.ParseFormat, func(s *server.Settings, v logs.Format) { s.LogFormat = v })},
}

// one makes the set function of a setting with a single value.
func one[T any](parse func(string) (T, error), store func(*server.Settings, T)) func(*server.Settings, []string) error {
	return func(s *server.Settings, values []string) error {
		if len(values) != 1 {
			return errors.New("is a list where a single value is wanted")
		}
		v, err := parse(values[0])
		if err != nil {
			return err
		}
		store(s, v)
		return nil
	}
}

// splitList splits a text of several values at its commas.
func splitList(s string) []string {
	var list []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

func text(s string) (string, error) { return s, nil }

// endpoint is the address of a collector; empty: none.
func endpoint(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return s, server.CheckOTLPEndpoint(s)
}

func nonEmpty(s string) (string, error) {
	if s == "" {
		return "", errors.New("is empty")
	}
	return s, nil
}

// file is the name of a file on which security depends: a variable that somebody forgot to fill must not switch it off.
func file(s string) (string, error) {
	if s == "" {
		return "", errors.New("is empty; name a file in PEM form, or leave it out")
	}
	return s, nil
}

func clientNames(s *server.Settings, names []string) error {
	if len(names) == 0 {
		return errors.New("is empty; list SPIFFE URIs or DNS names, or leave it out to let in every certificate of --tls-client-ca")
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, certs.CheckClientName(name))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.TLSClientNames = names
	return nil
}

func boolean(s string) (bool, error) {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", s)
	}
	return v, nil
}

func atLeast(least int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil || int(n) < least {
			return 0, fmt.Errorf("%q is no number from %d to %d", s, least, math.MaxInt32)
		}
		return int(n), nil
	}
}

func mode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 32)
	if err != nil || n > uint64(fs.ModePerm) {
		return 0, fmt.Errorf("%q is no file mode; write three octal digits, for instance 0660", s)
	}
	return fs.FileMode(n), nil
}
