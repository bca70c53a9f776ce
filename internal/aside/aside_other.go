//go:build !linux

package aside

// yieldThread does nothing where threads have no priority of their own.
func yieldThread() {}
