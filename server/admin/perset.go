package admin

// Tested by turns_test.go.

import (
	"sync"
	"weak"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// perSet is something that is made of the set in force: once for each set, when somebody asks for it, and one at a time.
// For a large set it takes seconds, and many times the memory of what is kept.
type perSet[T any] struct {
	make func(*policyfile.Result) T

	mu   sync.Mutex
	of   weak.Pointer[policyfile.Result] // a set that is no longer in force is not kept for it
	made T
}

// get returns what is made of a set.
func (p *perSet[T]) get(r *policyfile.Result) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	if this := weak.Make(r); p.of != this {
		var none T
		p.made = none // not both at once
		p.made, p.of = p.make(r), this
	}
	return p.made
}
