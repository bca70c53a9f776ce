package browser

import (
	"fmt"

	"github.com/corsproc/corsproc/policy"
)

// Part is a part of a [Fetch].
type Part uint8

const (
	PartOrigin      Part = iota + 1 // Origin
	PartURL                         // URL
	PartMethod                      // Method
	PartHeaderName                  // the name of one of Headers
	PartHeaderValue                 // the value of one
	PartHeaders                     // all of Headers
	PartWebSocket                   // WebSocket, beside what a WebSocket does not have
)

// A Fault is something of a [Fetch] that no script can ask for, or no browser sends.
type Fault struct {
	Part   Part
	Header string // the header's name as it is written, where Part is about one
	Why    string // one sentence for people, which quotes what is wrong
	Fix    string // the right spelling of it, where there is one
}

// Error returns the reason, and what to write instead.
func (f *Fault) Error() string {
	if f.Fix == "" {
		return f.Why
	}
	return f.Why + "; write " + f.Fix
}

// Faults returns everything that [Do] would refuse the fetch for; Do itself tells only the first.
func (f Fetch) Faults() []*Fault {
	_, faults := normalize(f)
	return faults
}

// CheckOrigin returns what is wrong with an origin that no browser sends, or nil.
func CheckOrigin(origin string) *Fault {
	fix, why, ok := policy.CheckOrigin(origin)
	if ok {
		return nil
	}
	return &Fault{Part: PartOrigin, Why: fmt.Sprintf("no browser sends the origin %q: %s", cut(origin), why), Fix: fix}
}

// faultList collects faults.
type faultList []*Fault

func (l *faultList) add(part Part, format string, args ...any) *Fault {
	fault := &Fault{Part: part, Why: fmt.Sprintf(format, args...)}
	*l = append(*l, fault)
	return fault
}
