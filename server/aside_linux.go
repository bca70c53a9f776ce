package server

import "syscall"

// yieldThread gives the calling thread, and no other, a low priority. Linux has one for each thread, whatever POSIX says;
// where it may not be lowered nothing is lost but time.
func yieldThread() {
	const nice = 15
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), nice)
}
