package compile

import "github.com/corsproc/corsproc/policy/internal/origin"

// An Observer sees what is compiled while it is at hand as it is written: what loads and is still most likely not what its
// author meant shows there and nowhere else. Compiling does not know what is made of it.
type Observer interface {
	// Begin is called first. What is written is filled in meanwhile, and complete in End.
	Begin(*Written)
	// List is called where an origin set or the allow_origins of a policy begin.
	List(texts []string)
	// Pattern is called for the elements of that list, but for references and what is malformed. Each has its index.
	Pattern(p *origin.Pattern, index int)
	// OriginSet is called when an origin set is compiled.
	OriginSet(*List)
	// Policy is called when a policy is compiled that stands under its name. Its lists are there during the call only.
	Policy(*Policy)
	// End is called when all is compiled.
	End()
}
