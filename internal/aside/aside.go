// Package aside does work that takes seconds, such as compiling a large policy set, beside what must not wait for it.
package aside

import (
	"runtime"

	"github.com/corsproc/corsproc/internal/fault"
)

// Do does work on a thread of low priority, where the system has such, and returns when it is done. If work panics, so does
// Do, with a [fault.Fault].
func Do(work func()) {
	done := make(chan *fault.Fault)
	go func() {
		defer func() { done <- fault.Of(recover()) }()
		// The thread is not unlocked: it ends with the goroutine, and its priority with it.
		runtime.LockOSThread()
		yieldThread()
		work()
	}()
	if met := <-done; met != nil {
		panic(met)
	}
}
