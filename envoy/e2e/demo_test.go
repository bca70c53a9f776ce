//go:build unix

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/corsproc/corsproc/envoy/internal/child"
	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// buildDemo builds the demo beside corsproc.
var buildDemo = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(binary), "demo")
	out, err := exec.Command("go", "build", "-o", path, "github.com/corsproc/corsproc/envoy/demo").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("building the demo: %w\n%s", err, out)
	}
	return path, err
})

// demo is a running demo, on ports that nobody else uses.
type demo struct {
	*child.Process
	policies string // its policy file, a copy of the shipped one
	page     string // the origin of the page
	api      string // the origin of Envoy
	admin    string // the origin of corsproc's own page
	stats    string // the origin of Envoy's admin address
	log      *syncBuffer
}

// demoCommand returns the command line that starts a demo, and where it will be.
func demoCommand(t *testing.T) (args []string, d *demo) {
	t.Helper()
	_, err := launch.FindEnvoy(root)
	need(t, err)
	port := map[string]string{}
	for _, name := range []string{"envoy", "page", "upstream", "extproc", "admin", "envoy-admin"} {
		port[name] = strconv.Itoa(int(closedPort(t)))
		args = append(args, "-"+name+"-port", port[name])
	}
	d = &demo{log: &syncBuffer{}, policies: filepath.Join(t.TempDir(), "policies.yaml"),
		page: "http://localhost:" + port["page"], api: "http://localhost:" + port["envoy"], admin: "http://localhost:" + port["admin"],
		stats: "http://localhost:" + port["envoy-admin"]}
	text := strings.ReplaceAll(read(t, "envoy/demo/policies.yaml"), "http://localhost:8081", d.page)
	if err := os.WriteFile(d.policies, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return append(args, "-policies", d.policies), d
}

// startDemo starts the demo as `make run ARGS=…` does and waits until it says that everything answers.
func startDemo(t *testing.T, more ...string) *demo {
	t.Helper()
	args, d := demoCommand(t)
	program, err := buildDemo()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append(append(args, "-root", root, "-corsproc", binary), more...)...)
	d.start(t, cmd)
	return d
}

func (d *demo) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	d.startUntil(t, cmd, "Ctrl-C stops everything")
}

// startUntil starts the demo and waits until it says something.
func (d *demo) startUntil(t *testing.T, cmd *exec.Cmd, says string) {
	t.Helper()
	cmd.Stdout, cmd.Stderr = d.log, d.log
	var err error
	if d.Process, err = child.Start("demo", cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Stop(syscall.SIGTERM, patience)
		if t.Failed() {
			t.Logf("the demo printed:\n%s", d.log)
		}
	})
	eventually(t, "the demo says that it runs", func() bool {
		select {
		case <-d.Done():
			t.Fatalf("the demo ended: %v\n%s", d.Err(), d.log)
		default:
		}
		return strings.Contains(d.log.String(), says)
	})
}

// eventually waits until something holds, at most for the usual patience.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// freeze keeps corsproc from answering without ending it, until the test ends.
func freeze(t *testing.T, s *launch.Service) {
	t.Helper()
	if err := s.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Signal(syscall.SIGCONT) })
}

// TestDemoAddresses asks each of the addresses that the demo prints.
func TestDemoAddresses(t *testing.T) {
	d := startDemo(t)
	for _, path := range []string{"/", "/any/path?x=1", "/down"} {
		request, _ := http.NewRequest(http.MethodGet, d.api+path, nil)
		request.Header.Set("Origin", d.page)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := response.Header.Get("Access-Control-Allow-Origin"); got != d.page {
			t.Errorf("%s: Access-Control-Allow-Origin %q", path, got)
		}
	}
	response, err := http.Get(strings.Replace(d.page, "localhost", "127.0.0.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Request.URL.Host; response.StatusCode != http.StatusOK || "http://"+got != d.page {
		t.Errorf("the page by its other name: %s at %s", response.Status, got)
	}
}

// TestDemoStops ends the demo in every way in which it can end: nothing of it is left.
func TestDemoStops(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(t *testing.T, d *demo, family []process)
		status int // the exit status; -1: killed
	}{
		{"Ctrl-C", func(_ *testing.T, d *demo, _ []process) { _ = syscall.Kill(-d.PID(), syscall.SIGINT) }, 0},
		{"SIGTERM", func(_ *testing.T, d *demo, _ []process) { _ = d.Signal(syscall.SIGTERM) }, 0},
		{"a closed terminal", func(_ *testing.T, d *demo, _ []process) { _ = d.Signal(syscall.SIGHUP) }, 0},
		{"kill -9", func(_ *testing.T, d *demo, _ []process) { _ = d.Signal(syscall.SIGKILL) }, -1},
		{"Envoy dies", func(t *testing.T, _ *demo, family []process) { kill(t, family, "--admin-address-path") }, 1},
		{"corsproc dies", func(t *testing.T, _ *demo, family []process) { kill(t, family, "--admin-listen") }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := startDemo(t)
			family := descendants(t, d.PID())
			if len(family) < 2 {
				t.Fatalf("the demo has started %v", family)
			}
			c.end(t, d, family)
			d.checkEnd(t, c.status, family)
		})
	}
}

// checkEnd waits for the end of the demo and of everything that it had started.
func (d *demo) checkEnd(t *testing.T, status int, family []process) {
	t.Helper()
	select {
	case <-d.Done():
	case <-time.After(patience):
		t.Fatal("the demo does not end")
	}
	var exit *exec.ExitError
	switch errors.As(d.Err(), &exit); {
	case exit == nil && status != 0:
		t.Errorf("exit status 0, want %d", status)
	case exit != nil && exit.ExitCode() != status:
		t.Errorf("%v, want exit status %d", d.Err(), status)
	}
	// Ended by the kernel after kill -9, a program may be seen for another moment.
	eventually(t, "nothing that the demo started is left", func() bool {
		for _, p := range family {
			if p.alive() {
				return false
			}
		}
		return true
	})
}

func kill(t *testing.T, family []process, argument string) {
	t.Helper()
	for _, p := range family {
		if strings.Contains(p.commandLine(), argument) {
			if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("none of %v was started with %s", family, argument)
}

// TestMakeRun starts the demo by its own command and presses Ctrl-C.
func TestMakeRun(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		need(t, err)
	}
	args, d := demoCommand(t)
	cmd := exec.Command("make", "run", "ARGS="+strings.Join(args, " "))
	cmd.Dir = root
	d.start(t, cmd)
	family := descendants(t, d.PID())
	if len(family) < 3 { // the demo, Envoy and corsproc
		t.Fatalf("make has started %v", family)
	}
	_ = syscall.Kill(-d.PID(), syscall.SIGINT) // a terminal's Ctrl-C goes to the whole group
	d.checkEnd(t, -1, family)                  // make ends itself by the same signal
}

// TestDemoNamesPorts starts a second demo on the ports of the first.
func TestDemoNamesPorts(t *testing.T) {
	args, d := demoCommand(t)
	program, err := buildDemo()
	if err != nil {
		t.Fatal(err)
	}
	args = append(args, "-root", root, "-corsproc", binary)
	d.start(t, exec.Command(program, args...))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the second demo: %v", err)
	}
	for i := 1; i < 12; i += 2 {
		if !strings.Contains(string(out), "port "+args[i]+",") {
			t.Errorf("%s %s is not named in:\n%s", args[i-1], args[i], out)
		}
	}
}
