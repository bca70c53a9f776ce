//go:build unix

package launch

// Tested by envoy/e2e/modulerecipe_test.go.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoCompiler says that there is nothing to build the module with.
var ErrNoCompiler = errors.New("no C compiler: the module of envoy/module cannot be built")

// BuildModule builds corsproc as a dynamic module of Envoy into a folder and returns the file. It is for tests, each of which has a
// folder of its own: `make module` has the flags of what is released, and its one place.
func BuildModule(dir string) (path string, err error) {
	compiler, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		return "", err
	}
	words := strings.Fields(string(compiler)) // it may have flags
	if len(words) == 0 {
		return "", ErrNoCompiler
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoCompiler, err)
	}
	path = filepath.Join(dir, "libcorsproc.so")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", path, "github.com/corsproc/corsproc/envoy/module")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the module: %w\n%s", err, out)
	}
	return path, nil
}
