package admin

import (
	"sync"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// perSet is something that is made of the set in force: once for each set, when somebody asks for it, and one at a time.
// For a large set it takes seconds, and many times the memory of what is kept.
type perSet[T any] struct {
	make func(*policyfile.Result) T

	mu   sync.Mutex
	of   *policyfile.Result
	made T
}

// get returns what is made of a set.
func (p *perSet[T]) get(r *policyfile.Result) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of != r {
		var none T
		p.of, p.made = nil, none // not both at once
		p.of, p.made = r, p.make(r)
	}
	return p.made
}
