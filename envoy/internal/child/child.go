//go:build unix

// Package child runs other programs so that none outlives us: each is the leader of a process group of its own, which is
// stopped as a whole, and where the system can do it (Linux), the kernel ends it when we die without a word.
//
// It knows nothing of what it runs.
package child

// Tested by envoy/e2e/demo_test.go.

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a running program.
type Process struct {
	Name string // as it is called in messages
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended and was waited for
	err  error         // how it ended, once done is closed
}

// Start starts cmd. Its SysProcAttr is taken over.
//
// The kernel's death signal is tied to the thread that started the child, so that thread belongs to the child until it
// ends.
func Start(name string, cmd *exec.Cmd) (*Process, error) {
	p := &Process{Name: name, cmd: cmd, done: make(chan struct{})}
	cmd.SysProcAttr = processGroup()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Done is closed once the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the program ended; nil for status 0. Only after [Process.Done].
func (p *Process) Err() error { return p.err }

// PID returns the process id, which is the id of its group too.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the program. One that has ended already is no error.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Stop sends the signal, waits at most for the patience given, and then kills what is left of the process group. It
// returns once the program has ended.
func (p *Process) Stop(sig syscall.Signal, patience time.Duration) {
	if p.Signal(sig) == nil {
		select {
		case <-p.done:
		case <-time.After(patience):
		}
	}
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // that nobody is left in the group is what one hopes for
	<-p.done
}

// Kill ends the program and its process group at once.
func (p *Process) Kill() { p.Stop(syscall.SIGKILL, 0) }
