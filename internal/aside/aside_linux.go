package aside

import "syscall"

// yieldThread gives the calling thread a low priority, and no other: on Linux each thread has its own, whatever POSIX says.
// A failure costs nothing but time.
func yieldThread() {
	const nice = 15
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), nice)
}
