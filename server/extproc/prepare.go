package extproc

import (
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/corsproc/corsproc/policy"
)

// Prepared is a compiled policy set with everything made ahead that replies need. It is immutable, and safe for use by
// any number of goroutines.
type Prepared struct {
	set   *policy.Set
	names map[string]*structpb.Value // the set's names as metadata holds them
}

// Prepare makes ahead what replies of the set need. Its cost grows with the number of virtual hosts and policies, so it
// belongs to the loading of a set, not to a request.
func Prepare(set *policy.Set) *Prepared {
	p := &Prepared{set: set, names: make(map[string]*structpb.Value)}
	for name := range set.VirtualHosts() {
		p.names[name] = structpb.NewStringValue(name)
	}
	for name := range set.Policies() {
		p.names[name] = structpb.NewStringValue(name)
	}
	return p
}

// Set returns the set that was prepared.
func (p *Prepared) Set() *policy.Set { return p.set }

// name returns a name of the set as a value of metadata. The names that no file holds (none, passthrough, and the empty
// one) are made on the spot.
func (p *Prepared) name(name string) *structpb.Value {
	if v, ok := p.names[name]; ok {
		return v
	}
	return structpb.NewStringValue(name)
}
