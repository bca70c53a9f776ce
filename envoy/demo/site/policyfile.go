package site

// Tested by envoy/e2e/demo_test.go.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// PolicyFile lets the page show the policy file and what corsproc thinks of it.
type PolicyFile struct {
	Path   string // the file
	Reload string // the URL of corsproc's POST /-/reload

	mu      sync.Mutex
	first   string // what the file held when the demo started
	started bool
	last    PolicyState
}

// PolicyState is the policy file at one moment.
type PolicyState struct {
	Text    string `json:"text"`
	Edited  bool   `json:"edited"`  // it differs from what it was when the demo started
	Problem string `json:"problem"` // why it is not in force; empty: it is
}

// reloadPatience is how long corsproc may take to read the file.
const reloadPatience = 5 * time.Second

// Look reads the file. Where it changed since the last look, corsproc is asked to take it up: it would do so by itself a
// moment later, but the answer holds its findings, and the page knows that what it tries next is decided by this text.
func (f *PolicyFile) Look(ctx context.Context) PolicyState {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, err := os.ReadFile(f.Path)
	if err != nil {
		return PolicyState{Text: f.last.Text, Edited: true, Problem: err.Error()}
	}
	if !f.started {
		f.started, f.first = true, string(text)
		f.last = PolicyState{Text: f.first}
		return f.last
	}
	if string(text) != f.last.Text {
		f.last = PolicyState{Text: string(text), Edited: string(text) != f.first, Problem: f.reload(ctx)}
	}
	return f.last
}

// reload asks corsproc to read the file and returns what it found.
func (f *PolicyFile) reload(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadPatience) // a reader who leaves ends nothing
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.Reload, nil)
	if err != nil {
		return err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Sprintf("corsproc does not answer: %v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err.Error()
	case response.StatusCode == http.StatusOK:
		return ""
	}
	return strings.TrimSpace(string(body))
}
