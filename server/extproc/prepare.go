package extproc

import "github.com/corsproc/corsproc/policy"

// Prepared is a compiled policy set as streams use it. It is immutable, and safe for use by any number of goroutines.
type Prepared struct{ set *policy.Set }

// Prepare makes ahead what replies of the set need.
func Prepare(set *policy.Set) *Prepared { return &Prepared{set: set} }

// Set returns the set that was prepared.
func (p *Prepared) Set() *policy.Set { return p.set }
