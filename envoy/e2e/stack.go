//go:build unix

// Package e2e runs the files of envoy/ for real: Envoy with a reference configuration, the corsproc binary, and an
// upstream whose answers a test dictates. Its tests, and the demo's with a real browser, are what a user's set-up is held
// against.
//
// Filter and cluster are always those of the reference configuration; only routes, upstreams, ports and neighbouring
// filters differ. Start reading at [Start].
//
// Without an Envoy the tests are skipped, unless CORSPROC_REQUIRE_E2E is set: then they fail.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/corsproc/corsproc/envoy/bootstrap"
	"github.com/corsproc/corsproc/envoy/launch"
)

// The clusters that routes of a test may name.
const (
	UpstreamCluster = "echo"   // leads to [Stack.Upstream]
	NobodyCluster   = "nobody" // has no endpoint: Envoy answers 503
)

const (
	startPatience = 60 * time.Second // for Envoy or corsproc to answer, on a busy machine
	stopPatience  = 5 * time.Second
)

// Options say what of a [Stack] is not as usual.
type Options struct {
	Config       string                  // a file of envoy/; default envoy.yaml
	Policies     string                  // the text of the policy file
	VirtualHosts string                  // Envoy's, as a YAML list; default: one called "local" for all domains
	Before       string                  // HTTP filters before corsproc, as a YAML list
	After        string                  // HTTP filters behind it
	Edit         func(*bootstrap.Config) // the last word about Envoy's configuration
}

const defaultVirtualHosts = `
- name: local
  domains: ["*"]
  routes:
  - name: all
    match: { prefix: "/" }
    route: { cluster: echo }
`

// Stack is a running Envoy with corsproc beside it and an upstream behind it. It ends with the test.
type Stack struct {
	Envoy      *launch.Envoy
	Service    *launch.Service
	Upstream   *Upstream
	PolicyFile string

	log     *logBuffer
	binary  string
	service []string // the arguments that start corsproc where Envoy looks for it
}

// Start starts a stack and waits until it takes requests. It skips or fails the test where there is no Envoy.
func Start(t testing.TB, o Options) *Stack {
	t.Helper()
	envoy := RequireEnvoy(t)
	s := &Stack{Upstream: startUpstream(t), PolicyFile: filepath.Join(t.TempDir(), "policies.yaml"), log: newLogBuffer(t), binary: serviceBinary(t)}
	if err := os.WriteFile(s.PolicyFile, []byte(o.Policies), 0o644); err != nil {
		t.Fatal(err)
	}
	s.service = []string{"--policies", s.PolicyFile, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}
	s.StartService(t)
	t.Cleanup(func() { s.Service.Kill() })
	s.service[3] = s.Service.Listen // where Envoy looks for it from now on

	config := s.configure(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	var err error
	if s.Envoy, err = launch.StartEnvoy(ctx, envoy, config, "warning", s.log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Envoy.Kill)
	return s
}

// configure writes Envoy's configuration.
func (s *Stack) configure(t testing.TB, o Options) (path string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if o.Config == "" {
		o.Config = "envoy.yaml"
	}
	if o.VirtualHosts == "" {
		o.VirtualHosts = defaultVirtualHosts
	}
	c, err := bootstrap.Load(filepath.Join(Root(t), "envoy", o.Config))
	must(err)
	c.Listen(bootstrap.Address{IP: "127.0.0.1"}, bootstrap.Address{IP: "127.0.0.1"})
	service, err := bootstrap.ParseAddress(s.Service.Listen)
	must(err)
	must(c.SetEndpoint(bootstrap.ClusterName, service))
	upstream, err := bootstrap.ParseAddress(s.Upstream.Addr)
	must(err)
	must(c.SetEndpoint(UpstreamCluster, upstream))
	must(c.SetVirtualHosts(o.VirtualHosts))
	must(c.AddFilters(o.Before, o.After))
	if o.Edit != nil {
		o.Edit(c)
	}
	path, err = c.WriteTemp()
	must(err)
	t.Cleanup(func() { os.Remove(path) })
	return path
}

// StartService starts corsproc, again where Envoy looks for it if it was stopped.
func (s *Stack) StartService(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	service, err := launch.StartService(ctx, s.binary, s.service, s.log)
	if err != nil {
		t.Fatal(err)
	}
	s.Service = service
}

// StopService ends corsproc at once, as a crash would.
func (s *Stack) StopService() { s.Service.Kill() }

// SetPolicies replaces the policy file and returns once the new text is in force.
func (s *Stack) SetPolicies(t testing.TB, text string) {
	t.Helper()
	if err := replaceFile(s.PolicyFile, text); err != nil {
		t.Fatal(err)
	}
	if status, body := s.Reload(t); status != http.StatusOK {
		t.Fatalf("the policies are not taken up: %d: %s", status, body)
	}
}

// Reload asks corsproc to look at its policy file, and returns what it answers.
func (s *Stack) Reload(t testing.TB) (status int, body string) {
	t.Helper()
	response, err := http.Post("http://"+s.Service.Admin+"/-/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// Log returns what Envoy and corsproc have printed so far; Envoy's access log is part of it.
func (s *Stack) Log() string { return s.log.String() }

// replaceFile writes a file beside the old one and renames it, as most editors do.
func replaceFile(path, text string) error {
	next := path + ".next"
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// logBuffer keeps what programs print and shows it when the test has failed.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func newLogBuffer(t testing.TB) *logBuffer {
	b := &logBuffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the programs printed:\n%s", b.String())
		}
	})
	return b
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Eventually waits until the condition holds, and fails the test where it does not within patience.
func Eventually(t testing.TB, what string, patience time.Duration, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// Freeze keeps corsproc from answering without ending it, until the test ends or the function returned is called.
func (s *Stack) Freeze(t testing.TB) (thaw func()) {
	t.Helper()
	if err := s.Service.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(fmt.Errorf("freezing corsproc: %w", err))
	}
	thaw = sync.OnceFunc(func() { _ = s.Service.Signal(syscall.SIGCONT) })
	t.Cleanup(thaw)
	return thaw
}
