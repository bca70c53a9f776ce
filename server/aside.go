package server

import (
	"os"
	"runtime"

	"github.com/corsproc/corsproc/internal/aside"
)

// whileServing does work that takes seconds, such as compiling a large policy set, and returns when it is done. Requests are to
// wait for it as little as they can. So the work runs on a thread of low priority, where the system has such. And
// GOMAXPROCS is raised by 2 meanwhile, so that a request always finds a free P: with the work and the garbage collection
// on all of them, it would wait up to 10 ms until the runtime takes one away.
func whileServing(work func()) {
	const spare = 2
	procs := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(procs + spare)
	defer func() {
		if os.Getenv("GOMAXPROCS") != "" {
			runtime.GOMAXPROCS(procs)
		} else {
			runtime.SetDefaultGOMAXPROCS() // and follow the container's limit again
		}
	}()
	aside.Do(work)
}
