package sample

import "example.com/sample/inner"

const limit = 3

// A is used by B's file, which A uses.
type A struct {
	b *B
	n inner.Number
}

// Top uses what is below it, and what is in another package.
func (a *A) Top() int {
	if a.b.size() > limit {
		return 0
	}
	return a.n.Twice()
}
