//go:build unix

package launch

// Tested by envoy/e2e/demo_test.go and envoy/e2e/harness_test.go.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/corsproc/corsproc/envoy/internal/child"
)

// Service is a running corsproc whose listeners answer.
type Service struct {
	*child.Process
	Listen string // host:port of ext_proc
	Admin  string // host:port of the admin address
}

// Get asks corsproc's admin address.
func (s *Service) Get(ctx context.Context, path string) ([]byte, error) {
	return get(ctx, "http://"+s.Admin+path)
}

// StartService runs `corsproc serve` with these arguments and waits for the log record that says it is ready. What it
// prints goes to log.
func StartService(ctx context.Context, binary string, args []string, log io.Writer) (*Service, error) {
	watch := &readyWatch{to: log, ready: make(chan readyRecord, 1)}
	cmd := exec.Command(binary, append([]string{"serve", "--log-format", "json"}, args...)...)
	// The settings are those of the arguments, whatever the environment of whoever runs this says.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = log, watch, time.Second
	process, err := child.Start("corsproc", cmd)
	if err != nil {
		return nil, err
	}
	s := &Service{Process: process}
	select {
	case r := <-watch.ready:
		s.Listen, s.Admin = r.listen, r.Admin
		return s, nil
	case <-process.Done():
		return nil, fmt.Errorf("starting corsproc: it ended: %w", process.Err())
	case <-ctx.Done():
		s.Kill()
		return nil, fmt.Errorf("starting corsproc: %w", context.Cause(ctx))
	}
}

// readyRecord is the log record that corsproc writes when every listener answers.
type readyRecord struct {
	Message string          `json:"msg"`
	Listen  json.RawMessage `json:"listen"` // one address, or a list of them
	Admin   string          `json:"admin"`

	listen string
}

// readyWatch passes a log on and finds the record in it. It stops looking once it has found it.
type readyWatch struct {
	to    io.Writer
	mu    sync.Mutex
	rest  []byte
	found bool
	ready chan readyRecord
}

func (w *readyWatch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.found {
		w.rest = append(w.rest, p...)
		for !w.found {
			line, rest, whole := bytes.Cut(w.rest, []byte("\n"))
			if !whole {
				break
			}
			w.rest = rest
			if r, ok := parseReady(line); ok {
				w.found = true
				w.ready <- r
			}
		}
	}
	return w.to.Write(p)
}

func parseReady(line []byte) (r readyRecord, ok bool) {
	if json.Unmarshal(line, &r) != nil || r.Message != "ready" {
		return r, false
	}
	var list []string
	if json.Unmarshal(r.Listen, &list) == nil && len(list) > 0 {
		r.listen = list[0]
		return r, true
	}
	return r, json.Unmarshal(r.Listen, &r.listen) == nil
}
