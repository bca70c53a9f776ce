//go:build unix

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// console prints what a program logs, line by line and short enough to be read beside a browser. Envoy's access log and
// corsproc's log are JSON; a line that is not is printed as it came.
type console struct {
	to   io.Writer
	name string
	mu   sync.Mutex
	rest []byte
}

func newConsole(to io.Writer, name string) *console { return &console{to: to, name: name} }

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rest = append(c.rest, p...)
	for {
		line, rest, whole := bytes.Cut(c.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		fmt.Fprintf(c.to, "%-8s | %s\n", c.name, render(line))
		c.rest = rest
	}
}

// access is what is shown of a line of Envoy's access log (envoy/envoy.yaml).
type access struct {
	Method    string `json:"method"`
	Authority string `json:"authority"`
	Path      string `json:"path"`
	Origin    string `json:"origin"`
	Status    int    `json:"status"`
	Verdict   string `json:"cors_verdict"`
	Reason    string `json:"cors_reason"`
	Policy    string `json:"cors_policy"`
	Message   string `json:"msg"` // of a record of corsproc, which may have a method too
}

func render(line []byte) []byte {
	var a access
	if json.Unmarshal(line, &a) == nil && a.Message == "" && a.Method != "" {
		text := fmt.Appendf(nil, "%d %-7s %s%s", a.Status, a.Method, a.Authority, a.Path)
		if a.Origin != "" {
			text = fmt.Appendf(text, "  from %s", a.Origin)
		}
		text = fmt.Appendf(text, "  cors: %s", cmp.Or(a.Verdict, "not asked"))
		if a.Reason != a.Verdict {
			text = fmt.Appendf(text, " (%s)", a.Reason)
		}
		if a.Policy != "" {
			text = fmt.Appendf(text, " by %s", a.Policy)
		}
		return text
	}
	return renderRecord(line)
}

// renderRecord makes `info message key=value …` of a record of log/slog, in the record's order.
func renderRecord(line []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(line))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return line
	}
	var level, message string
	var rest []byte
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return line
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return line
		}
		text := string(value)
		_ = json.Unmarshal(value, &text) // what is no text stays JSON
		switch key {
		case "time":
		case "level":
			level = text
		case "msg":
			message = text
		default:
			rest = fmt.Appendf(rest, " %s=%s", key, text)
		}
	}
	if message == "" {
		return line
	}
	return append(fmt.Appendf(nil, "%s %s", level, message), rest...)
}
