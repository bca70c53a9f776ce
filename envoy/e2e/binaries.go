//go:build unix

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/corsproc/corsproc/envoy/launch"
)

// RequireVariable is the environment variable that makes tests fail, not skip, where Envoy or a browser is missing.
const RequireVariable = "CORSPROC_REQUIRE_E2E"

// missing skips the test, or fails it where nothing may be missing.
func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv(RequireVariable) != "" {
		t.Fatal(err)
	}
	t.Skip("SKIPPED: ", err)
}

// RequireEnvoy returns the path of Envoy, or skips or fails the test.
func RequireEnvoy(t testing.TB) string {
	t.Helper()
	path, err := launch.FindEnvoy(Root(t))
	if err != nil {
		missing(t, err)
	}
	return path
}

// browsers are the names by which Chromium is found on PATH.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// RequireBrowser returns the path of Chromium (the environment's CHROMIUM, else PATH's), or skips or fails the test.
func RequireBrowser(t testing.TB) string {
	t.Helper()
	names := browsers
	if path := os.Getenv("CHROMIUM"); path != "" {
		names = []string{path}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, errors.New("no Chromium on PATH, and CHROMIUM names none"))
	return ""
}

// Root returns the top folder of the repository.
func Root(t testing.TB) string {
	t.Helper()
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

var findRoot = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.mod above the working directory")
})

// serviceBinary returns corsproc, built from this tree.
func serviceBinary(t testing.TB) string { return built(t, "corsproc", buildService) }

var buildService = sync.OnceValues(func() (string, error) { return build("./cmd/corsproc") })

func built(t testing.TB, what string, binary func() (string, error)) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatalf("building %s: %v", what, err)
	}
	return path
}

// build builds a program of the repository into a folder that [Clean] removes, with the race detector where the tests
// have it.
func build(pkg string) (string, error) {
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	dir, err := buildFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.Command("go", append(append([]string{"build"}, raceFlags...), "-o", path, pkg)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

var buildFolder = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "corsproc-e2e-") })

// Clean removes what was built. It is for TestMain, after the tests.
func Clean() {
	if dir, err := buildFolder(); err == nil {
		_ = os.RemoveAll(dir)
	}
}
