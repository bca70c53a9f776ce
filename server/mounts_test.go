//go:build linux

package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inNamespace is set where the test runs in a mount namespace of its own.
const inNamespace = "CORSPROC_TEST_IN_NAMESPACE"

// TestFileSystemFaults runs itself again in a user and mount namespace, where it may mount what it likes.
func TestFileSystemFaults(t *testing.T) {
	if os.Getenv(inNamespace) != "" {
		t.Run("in the namespace", checkFileSystemFaults)
		return
	}
	if out, err := exec.Command("unshare", "-rm", "true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, not tested: no mount namespaces here: %v %s", err, out)
	}
	cmd := exec.Command("unshare", "-rm", os.Args[0], "-test.run=^TestFileSystemFaults$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestFileSystemFaults/in_the_namespace") {
		t.Errorf("%v\n%s", err, out)
	}
}

func checkFileSystemFaults(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	mount := func(flags uintptr, options string) {
		t.Helper()
		must(syscall.Mount("corsproc", dir, "tmpfs", flags, options))
	}
	mount(0, "size=64k")
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "policies.yaml")
	must(os.WriteFile(path, []byte(somePolicies), 0o600))
	other := strings.ReplaceAll(somePolicies, "shop.example.com", "other.example.com")
	r := start(t, somePolicies, func(s *Settings) { s.Policies = dir; s.ReloadInterval = patience / 100 })
	conn := r.connect()
	inForce := func(origin, while string) {
		t.Helper()
		if !r.ask(conn, origin) {
			t.Errorf("%s: %s is not granted", while, origin)
		}
	}
	inForce("https://shop.example.com", "at first")

	// The disk is full: what an editor writes is cut short.
	must(os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 1<<10), 0o600))
	for i := 0; ; i++ {
		if os.WriteFile(filepath.Join(dir, "ballast"+string(rune('a'+i))), make([]byte, 4<<10), 0o600) != nil {
			break
		}
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("# more than fits\n", 2000)+other), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	r.logged("policies not loaded; the last good set stays in force")
	inForce("https://shop.example.com", "with a full disk")

	// It is mounted away: the directory is empty.
	must(syscall.Unmount(dir, syscall.MNT_DETACH))
	r.logged("policies not loaded; the last good set stays in force")
	inForce("https://shop.example.com", "without the file system")

	// It is back, with other content.
	mount(0, "size=64k")
	must(os.WriteFile(path, []byte(other), 0o600))
	r.logged("policies loaded")
	inForce("https://other.example.com", "with the file system back")

	// It is read-only: nothing changes, and a look at the files finds nothing wrong.
	must(syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	if os.WriteFile(path, nil, 0o600) == nil {
		t.Fatal("the file system is not read-only")
	}
	if status, body := r.http("POST", "/-/reload"); status != 200 {
		t.Errorf("reload: %d %s", status, body)
	}
	inForce("https://other.example.com", "read-only")
}
