//go:build linux

package server

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestSilentDisk runs itself again in a user and mount namespace, where it may mount a file system that never answers.
func TestSilentDisk(t *testing.T) {
	if os.Getenv(inNamespace) != "" {
		t.Run("in the namespace", checkSilentDisk)
		return
	}
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("SKIPPED, not tested: no FUSE here: %v", err)
	} else {
		f.Close()
	}
	if out, err := exec.Command("unshare", "-rm", "true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, not tested: no mount namespaces here: %v %s", err, out)
	}
	t.Parallel() // nearly all of it is waiting
	cmd := exec.Command("unshare", "-rm", os.Args[0], "-test.run=^TestSilentDisk$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestSilentDisk/in_the_namespace") {
		t.Errorf("%v\n%s", err, out)
	}
}

// checkSilentDisk: policies on a mount whose server does not answer are told as a failed reload, cost nothing more the
// more often they are looked at, and are taken up again when they are somewhere else.
func checkSilentDisk(t *testing.T) {
	dir, mount := t.TempDir(), t.TempDir()
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close() // answers everybody who waits, with an error
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", device.Fd())
	if err := syscall.Mount("corsproc", mount, "fuse", 0, options); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(mount, syscall.MNT_DETACH)

	path := filepath.Join(dir, "policies.yaml")
	replace := func(err error) {
		t.Helper()
		if err := errors.Join(err, os.Rename(path+"~", path)); err != nil {
			t.Fatal(err)
		}
	}
	replace(os.WriteFile(path+"~", []byte(somePolicies), 0o600))
	r := start(t, somePolicies, func(s *Settings) { s.Policies = dir; s.ReloadInterval = patience / 100 })
	conn := r.connect()

	replace(os.Symlink(filepath.Join(mount, "policies.yaml"), path+"~"))
	failed := r.logged("policies not loaded; the last good set stays in force")
	if want := path + " does not answer: it could not be read within 5s"; failed["error"] != want {
		t.Errorf("the log says %v, want %s", failed["error"], want)
	}
	if status, body := r.http("GET", "/metrics"); !strings.Contains(body, "corsproc_policy_last_reload_successful 0") {
		t.Errorf("metrics: %d\n%s", status, body)
	}
	before := 0
	for i := range 30 {
		r.signals <- syscall.SIGHUP
		if status, body := r.http("POST", "/-/reload"); status != 400 || !strings.Contains(body, "does not answer") {
			t.Errorf("reload: %d %s", status, body)
		}
		if i == 5 {
			before = runtime.NumGoroutine()
		}
	}
	if n := runtime.NumGoroutine(); n > before+10 {
		t.Errorf("%d goroutines after 5 reloads, %d after 30", before, n)
	}
	if !r.ask(conn, "https://shop.example.com") {
		t.Error("the last good set is not in force")
	}

	replace(os.WriteFile(path+"~", []byte(strings.ReplaceAll(somePolicies, "shop.example.com", "other.example.com")), 0o600))
	r.logged("policies loaded")
	if !r.ask(conn, "https://other.example.com") {
		t.Error("the files are good again, and not in force")
	}
}

// TestKernelLog: /proc/kmsg is a regular file, and reading it never ends.
func TestKernelLog(t *testing.T) {
	const name = "/proc/kmsg"
	if f, err := os.Open(name); err != nil {
		t.Skipf("SKIPPED, not tested: %v", err)
	} else {
		f.Close()
	}
	t.Parallel()
	r := start(t, somePolicies, nil)
	replace := func(err error) {
		t.Helper()
		if err := errors.Join(err, os.Rename(r.path+"~", r.path)); err != nil {
			t.Fatal(err)
		}
	}
	replace(os.Symlink(name, r.path+"~"))
	if failed := r.logged("policies not loaded; the last good set stays in force"); failed["error"] != r.path+" does not answer: it could not be read within 5s" {
		t.Errorf("the log says %v", failed["error"])
	}
	replace(os.WriteFile(r.path+"~", []byte(strings.ReplaceAll(somePolicies, "shop.example.com", "other.example.com")), 0o600))
	r.logged("policies loaded")
}
