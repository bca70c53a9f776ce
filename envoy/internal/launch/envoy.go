//go:build unix

// Package launch starts the two programs that the demo and the tests consist of, Envoy and corsproc, and returns once
// they answer. It knows how their addresses are learnt, not what either is configured to do.
package launch

// Tested by envoy/e2e/demo_test.go and envoy/e2e/harness_test.go.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/corsproc/corsproc/envoy/internal/child"
)

// ErrNoEnvoy says that there is no Envoy to run.
var ErrNoEnvoy = errors.New("no Envoy: set ENVOY to the path of one, put envoy on PATH, or let make fetch one into .tools/")

// FindEnvoy returns the path of the Envoy binary: the environment's ENVOY, else PATH's envoy, else what make fetched
// into .tools/ under root.
func FindEnvoy(root string) (string, error) {
	if path := os.Getenv("ENVOY"); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("ENVOY: %w", err)
		}
		return path, nil
	}
	for _, candidate := range []string{"envoy", filepath.Join(root, ".tools", "envoy", "bin", "envoy")} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", ErrNoEnvoy
}

// Envoy is a running Envoy that takes requests.
type Envoy struct {
	*child.Process
	Admin     string            // host:port of its admin interface
	Listener  string            // host:port of its first listener
	Listeners map[string]string // host:port of each, by its name
}

// StartEnvoy starts Envoy with a configuration of a listener or several and waits until it takes requests. What Envoy
// prints, its access log with it, goes to log. logLevel is one of Envoy's.
func StartEnvoy(ctx context.Context, binary, config, logLevel string, log io.Writer) (*Envoy, error) {
	return StartEnvoyWith(ctx, binary, config, log, "--log-level", logLevel, "--concurrency", "1", "--disable-hot-restart")
}

// StartEnvoyWith is [StartEnvoy] with other arguments.
func StartEnvoyWith(ctx context.Context, binary, config string, log io.Writer, args ...string) (*Envoy, error) {
	dir, err := os.MkdirTemp("", "corsproc-envoy-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	adminFile := filepath.Join(dir, "admin")
	cmd := exec.Command(binary, append([]string{"--config-path", config, "--admin-address-path", adminFile}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = log, log, time.Second
	process, err := child.Start("envoy", cmd)
	if err != nil {
		return nil, err
	}
	e := &Envoy{Process: process}
	if err := e.wait(ctx, adminFile); err != nil {
		e.Kill()
		return nil, fmt.Errorf("starting Envoy: %w", err)
	}
	return e, nil
}

// pollInterval is how long is waited between two looks at something that gives no sign of its own.
const pollInterval = 20 * time.Millisecond

// wait waits for Envoy to be ready and learns its addresses.
func (e *Envoy) wait(ctx context.Context, adminFile string) error {
	var last error
	for {
		if last = e.look(ctx, adminFile); last == nil {
			return nil
		}
		select {
		case <-e.Done():
			return fmt.Errorf("it ended: %w", e.Err())
		case <-ctx.Done():
			return fmt.Errorf("%w; %w", last, context.Cause(ctx))
		case <-time.After(pollInterval):
		}
	}
}

// look asks once whether Envoy is ready.
func (e *Envoy) look(ctx context.Context, adminFile string) error {
	address, err := os.ReadFile(adminFile)
	if err != nil {
		return err
	}
	e.Admin = strings.TrimSpace(string(address))
	if _, err := e.Get(ctx, "/ready"); err != nil {
		return err
	}
	if err := e.FindListeners(ctx); err != nil {
		return err
	}
	if len(e.Listeners) == 0 {
		return errors.New("no listener")
	}
	return nil
}

// FindListeners learns the listeners' addresses anew, which others may have changed.
func (e *Envoy) FindListeners(ctx context.Context) error {
	answer, err := e.Get(ctx, "/listeners?format=json")
	if err != nil {
		return err
	}
	var listeners struct {
		Statuses []struct {
			Name         string `json:"name"`
			LocalAddress struct {
				SocketAddress struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(answer, &listeners); err != nil {
		return err
	}
	e.Listeners = map[string]string{}
	for i, status := range listeners.Statuses {
		a := status.LocalAddress.SocketAddress
		e.Listeners[status.Name] = net.JoinHostPort(a.Address, strconv.Itoa(a.Port))
		if i == 0 {
			e.Listener = e.Listeners[status.Name]
		}
	}
	return nil
}

// Get asks Envoy's admin interface.
func (e *Envoy) Get(ctx context.Context, path string) ([]byte, error) {
	return get(ctx, "http://"+e.Admin+path)
}

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return body, err
}
