package child

// Tested by envoy/e2e/demo_test.go.

import "syscall"

// processGroup makes the child the leader of a process group, and has the kernel kill it when its parent dies.
func processGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
