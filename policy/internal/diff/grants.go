package diff

// Tested by policy/diff_test.go, policy/testdata/diff.yaml and policy/diff_random_test.go.

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// names is a list of names of which order and repetition do not matter.
type names struct {
	list []string // sorted; beside any only what it does not cover
	any  bool
}

func newNames(list []string, any bool) names {
	if any {
		return names{any: true}
	}
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return names{list: slices.Compact(sorted)}
}

// all returns the names as a list of a policy file.
func (n names) all() []string {
	if n.any {
		return append([]string{"*"}, n.list...)
	}
	return n.list
}

// granted is what a policy grants to an origin that it allows, without what makes no difference to a browser.
type granted struct {
	methods, headers, exposed names
	credentials               bool
	privateNetwork            bool
	exposeUpstream            bool
	maxAge                    int // seconds
	preflightStatus           int
	key                       string // equal for policies that grant the same
}

// defaultMaxAge is how long a preflight is kept whose answer says nothing, in seconds (Fetch, section 4.8,
// "CORS-preflight fetch", step 7).
const defaultMaxAge = 5

// grantedBy returns what a policy grants.
func (d *differ) grantedBy(policy *compiled.Policy) *granted {
	if n := d.granted[policy]; n != nil {
		return n
	}
	n := &granted{
		credentials: policy.Credentials, privateNetwork: policy.PrivateNetwork, exposeUpstream: policy.ExposeUpstream,
		maxAge: defaultMaxAge, preflightStatus: policy.PreflightStatus,
	}
	if seconds, err := strconv.Atoi(policy.MaxAge); err == nil {
		n.maxAge = seconds
	}
	n.methods = newNames(slices.DeleteFunc(slices.Clone(policy.Methods), isIdleMethod), policy.AnyMethod)
	n.headers = newNames(slices.DeleteFunc(slices.Collect(maps.Keys(policy.Headers)), isIdleRequestHeader), policy.AnyHeader)
	if _, ok := policy.Headers["authorization"]; ok && policy.AnyHeader {
		n.headers.list = []string{"authorization"}
	}
	n.exposed = exposedNames(policy.ExposeHeaders)
	n.key = fmt.Sprint(n.methods, n.headers, n.exposed, n.credentials, n.privateNetwork, n.exposeUpstream, n.maxAge, n.preflightStatus)
	d.granted[policy] = n
	return n
}

// isIdleMethod reports whether it makes no difference that a method is listed: every page may use it, no script can, or
// browsers write it otherwise.
func isIdleMethod(m string) bool {
	upper := strings.ToUpper(m)
	return fetch.IsSafelistedMethod(m) || fetch.IsForbiddenMethod(m) || m != upper && fetch.IsNormalizedMethod(upper)
}

// isIdleRequestHeader reports whether it makes no difference that a lower-case name is listed.
func isIdleRequestHeader(name string) bool {
	return fetch.IsSafelistedRequestHeader(name) || fetch.IsForbiddenRequestHeader(name)
}

// exposedNames reads the value of Access-Control-Expose-Headers.
func exposedNames(value string) names {
	var list []string
	for name := range strings.SplitSeq(value, ", ") {
		switch lower := strings.ToLower(name); {
		case name == "*":
			return names{any: true}
		case name == "", fetch.IsForbiddenResponseHeader(lower), fetch.IsSafelistedResponseHeader(lower):
		default:
			list = append(list, lower)
		}
	}
	return newNames(list, false)
}

// told returns what a change that is about the origin itself says of it.
func (n *granted) told() *Grant {
	return &Grant{
		Methods: n.methods.all(), Headers: n.headers.all(), Exposed: n.exposed.all(), Credentials: n.credentials, ExposeUpstream: n.exposeUpstream,
		MaxAge: n.maxAge,
	}
}

// compareGrants returns what changes for origins that are granted one thing by the old set and another by the new; nil:
// they may not read anything.
func compareGrants(before, after *granted) (changes []*Change) {
	switch {
	case before == nil:
		return []*Change{{Effect: Gain, What: whatOrigin, Grant: after.told()}}
	case after == nil:
		return []*Change{{Effect: Loss, What: whatOrigin, Grant: before.told()}}
	}
	changes = append(changes, compareNames(whatMethods, before.methods, after.methods)...)
	changes = append(changes, compareNames(whatHeaders, before.headers, after.headers)...)
	changes = append(changes, compareNames(whatExposed, before.exposed, after.exposed)...)
	if !before.exposed.any && !after.exposed.any { // "*" covers what the upstream names
		changes = append(changes, compareFlag(whatExposeUpstream, before.exposeUpstream, after.exposeUpstream)...)
	}
	changes = append(changes, compareFlag(whatCredentials, before.credentials, after.credentials)...)
	changes = append(changes, compareFlag(whatPrivateNetwork, before.privateNetwork, after.privateNetwork)...)
	if before.maxAge != after.maxAge {
		changes = append(changes, &Change{Effect: Neither, What: whatMaxAge,
			Old: formatSeconds(before.maxAge), New: formatSeconds(after.maxAge)})
	}
	if before.preflightStatus != after.preflightStatus {
		changes = append(changes, &Change{Effect: Neither, What: whatPreflightStatus,
			Old: strconv.Itoa(before.preflightStatus), New: strconv.Itoa(after.preflightStatus)})
	}
	return changes
}

// compareNames returns which names are gained and which are lost. Where all take the place of some, or some that of all,
// old and new have the lists.
func compareNames(what What, before, after names) (changes []*Change) {
	add := func(effect Effect, values []string) {
		if len(values) == 0 {
			return
		}
		c := &Change{Effect: effect, What: what, Values: values}
		if before.any != after.any {
			c.Old, c.New = strings.Join(before.all(), ", "), strings.Join(after.all(), ", ")
		}
		changes = append(changes, c)
	}
	gained, lost := without(after.list, before.list), without(before.list, after.list)
	switch {
	case after.any && !before.any:
		// The star covers what was listed, but for what it never covers and is not listed any more.
		lost = slices.DeleteFunc(lost, func(name string) bool { return what != whatHeaders || name != "authorization" })
		gained = append([]string{"*"}, gained...)
	case before.any && !after.any:
		gained = slices.DeleteFunc(gained, func(name string) bool { return what != whatHeaders || name != "authorization" })
		lost = append([]string{"*"}, lost...)
	}
	add(Gain, gained)
	add(Loss, lost)
	return changes
}

// without returns what of a sorted list is not in another one.
func without(list, other []string) (rest []string) {
	for _, s := range list {
		if _, ok := slices.BinarySearch(other, s); !ok {
			rest = append(rest, s)
		}
	}
	return rest
}

func compareFlag(what What, before, after bool) []*Change {
	switch {
	case !before && after:
		return []*Change{{Effect: Gain, What: what}}
	case before && !after:
		return []*Change{{Effect: Loss, What: what}}
	}
	return nil
}

// formatSeconds writes a duration as policy files do.
func formatSeconds(n int) string {
	var b strings.Builder
	for _, unit := range [...]struct {
		seconds int
		letter  byte
	}{{3600, 'h'}, {60, 'm'}, {1, 's'}} {
		if count := n / unit.seconds; count > 0 || unit.seconds == 1 && b.Len() == 0 {
			b.WriteString(strconv.Itoa(count))
			b.WriteByte(unit.letter)
		}
		n %= unit.seconds
	}
	return b.String()
}
