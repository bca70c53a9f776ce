package server

import (
	"os"
	"runtime"
)

// aside does work that takes seconds (compiling a large policy set) so that requests wait for it as little as they can:
// the work's thread yields to every other at the kernel, where that can be had, and there are more Ps than cores for so
// long, so that a request that comes in finds one that neither the work nor the garbage collection holds. Without that
// it waits for a P until the runtime takes it from them, up to 10 ms.
func aside(work func()) {
	const spare = 2
	procs := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(procs + spare)
	defer func() {
		if os.Getenv("GOMAXPROCS") != "" {
			runtime.GOMAXPROCS(procs)
		} else {
			runtime.SetDefaultGOMAXPROCS() // which follows the container's limit again
		}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The thread is not unlocked: it ends with the goroutine, and its priority with it.
		runtime.LockOSThread()
		yieldThread()
		work()
	}()
	<-done
}
