//go:build unix && !linux

package child

// Tested by envoy/e2e/demo_test.go.

import "syscall"

// processGroup makes the child the leader of a process group. Nothing here ends it when its parent is killed.
func processGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
