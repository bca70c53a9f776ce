package policydir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/corsproc/corsproc/policy/policydir"
)

// TestPipes: a pipe that nobody writes to is not waited for, and no pipe is read again and again.
func TestPipes(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.yaml")
	do(t, syscall.Mkfifo(pipe, 0o600))
	done := make(chan string, 2)
	go func() {
		_, err := policydir.Read(pipe, nil)
		done <- fmt.Sprint(err)
	}()
	go func() {
		done <- policydir.NewLoader(pipe, nil).Load().Err.Error()
	}()
	for range 2 {
		select {
		case got := <-done:
			if got != pipe+" is a pipe that nothing was written to" && got != pipe+" is not a regular file" {
				t.Error(got)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("waits for ever")
		}
	}
}

// TestPipeWithWriter reads what the shell passes for <(command).
func TestPipeWithWriter(t *testing.T) {
	r, w, err := os.Pipe()
	do(t, err)
	defer r.Close()
	go func() {
		defer w.Close()
		for _, part := range []string{"policies: ", "{p: {}}\n", "default: {policies: [p]}\n"} {
			fmt.Fprint(w, part)
		}
	}()
	c, err := policydir.Read(fmt.Sprintf("/dev/fd/%d", r.Fd()), nil)
	do(t, err)
	if got := text(t, c.Compile()); got != "" {
		t.Error(got)
	}
}
