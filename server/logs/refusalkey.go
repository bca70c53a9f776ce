package logs

// Tested by refusals_test.go and server/admin/refusals_test.go.

import (
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/printable"
)

// maxMalformed is how many bytes are kept of an origin that is malformed.
const maxMalformed = 128

// RefusalKey is what makes two refused requests the same. The place is the virtual host and the rule, which is of one place.
type RefusalKey struct {
	VirtualHost string
	Rule        policy.Rule
	Reason      policy.Reason
	Origin      string // cut, and not validated
}

// KeyOf returns the key of a refused request. Its texts are those of r and d, for as long as those are good.
func KeyOf(r *policy.Request, d *policy.Decision) RefusalKey {
	most := policy.MaxOriginBytes
	if d.Reason == policy.ReasonOriginMalformed {
		most = maxMalformed
	}
	return RefusalKey{d.VirtualHost, d.Rule, d.Reason, r.Origin.Value[:min(len(r.Origin.Value), most)]}
}

// Clone returns a key whose texts are its own.
func (k RefusalKey) Clone() RefusalKey {
	k.VirtualHost, k.Origin = strings.Clone(k.VirtualHost), strings.Clone(k.Origin)
	return k
}

// ShownOrigin returns the origin so that it can be shown: in quotes where it is malformed or not printable.
func (k *RefusalKey) ShownOrigin() string { return shownOrigin(k.Origin, k.Reason) }

func shownOrigin(origin string, why policy.Reason) string {
	if why == policy.ReasonOriginMalformed {
		return printable.Quoted(origin, policy.MaxOriginBytes)
	}
	return printable.ASCII(origin, policy.MaxOriginBytes)
}
