// Package fault carries a panic from the goroutine that met it to the one that waits for it, which could not recover it otherwise.
package fault

import (
	"fmt"
	"runtime/debug"
)

// A Fault is a panic of another goroutine, for whoever waits for it to panic with. Printed, it is that panic and its stack: of the
// goroutine that waits, the stack tells nothing.
type Fault struct {
	Value any
	Stack []byte
}

// Of makes a Fault of what recover returned, in the function that called it. nil: there was no panic. What is a Fault already stays as
// it is.
func Of(recovered any) *Fault {
	switch r := recovered.(type) {
	case nil:
		return nil
	case *Fault:
		return r
	}
	return &Fault{recovered, debug.Stack()}
}

func (f *Fault) String() string { return fmt.Sprintf("%v\n%s", f.Value, f.Stack) }
