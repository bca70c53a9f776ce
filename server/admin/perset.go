package admin

// Tested by turns_test.go.

import (
	"sync"
	"weak"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// perSet is something that is made of the set in force when somebody asks for it first, and kept until there is another set.
// Making it takes seconds for a large set, and many times the memory of what is kept. So it is made by one caller, for whom
// the others wait.
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
