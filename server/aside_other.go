//go:build !linux

package server

// yieldThread does nothing where threads have no priority of their own.
func yieldThread() {}
