package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// The effects of a change.
const (
	effectGain   = "gain"
	effectLoss   = "loss"
	effectChange = "change"
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
	maxAge                    int // seconds
	preflightStatus           int
	key                       string // equal for policies that grant the same
}

// defaultMaxAge is how long a preflight is kept whose answer says nothing, in seconds (Fetch, section 4.8,
// "CORS-preflight fetch", step 7).
const defaultMaxAge = 5

// grantedBy returns what a policy grants.
func (d *differ) grantedBy(g *grant) *granted {
	if n := d.granted[g]; n != nil {
		return n
	}
	n := &granted{
		credentials: g.credentials, privateNetwork: g.privateNetwork, maxAge: defaultMaxAge, preflightStatus: g.preflightStatus,
	}
	if seconds, err := strconv.Atoi(g.maxAge); err == nil {
		n.maxAge = seconds
	}
	n.methods = newNames(slices.DeleteFunc(slices.Clone(g.methods), isIdleMethod), g.anyMethod)
	n.headers = newNames(slices.DeleteFunc(slices.Collect(maps.Keys(g.headers)), isIdleRequestHeader), g.anyHeader)
	if _, ok := g.headers["authorization"]; ok && g.anyHeader {
		n.headers.list = []string{"authorization"}
	}
	n.exposed = exposedNames(g.exposeHeaders)
	n.key = fmt.Sprint(n.methods, n.headers, n.exposed, n.credentials, n.privateNetwork, n.maxAge, n.preflightStatus)
	d.granted[g] = n
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

func (n *granted) message() *corsprocv1.Grant {
	return &corsprocv1.Grant{
		Methods: n.methods.all(), Headers: n.headers.all(), ExposedHeaders: n.exposed.all(),
		Credentials: n.credentials, MaxAgeSeconds: int32(n.maxAge),
	}
}

// compareGrants returns what changes for origins that are granted one thing by the old set and another by the new; nil:
// they may not read anything.
func compareGrants(before, after *granted) (changes []*corsprocv1.GrantChange) {
	switch {
	case before == nil:
		return []*corsprocv1.GrantChange{{Effect: effectGain, What: "origin", Grant: after.message()}}
	case after == nil:
		return []*corsprocv1.GrantChange{{Effect: effectLoss, What: "origin", Grant: before.message()}}
	}
	changes = append(changes, compareNames("methods", before.methods, after.methods)...)
	changes = append(changes, compareNames("headers", before.headers, after.headers)...)
	changes = append(changes, compareNames("exposed_headers", before.exposed, after.exposed)...)
	changes = append(changes, compareFlag("credentials", before.credentials, after.credentials)...)
	changes = append(changes, compareFlag("private_network", before.privateNetwork, after.privateNetwork)...)
	if before.maxAge != after.maxAge {
		changes = append(changes, &corsprocv1.GrantChange{Effect: effectChange, What: "max_age",
			Old: formatSeconds(before.maxAge), New: formatSeconds(after.maxAge)})
	}
	if before.preflightStatus != after.preflightStatus {
		changes = append(changes, &corsprocv1.GrantChange{Effect: effectChange, What: "preflight_status",
			Old: strconv.Itoa(before.preflightStatus), New: strconv.Itoa(after.preflightStatus)})
	}
	return changes
}

// compareNames returns which names are gained and which are lost. Where all take the place of some, or some that of all,
// old and new have the lists.
func compareNames(what string, before, after names) (changes []*corsprocv1.GrantChange) {
	add := func(effect string, values []string) {
		if len(values) == 0 {
			return
		}
		c := &corsprocv1.GrantChange{Effect: effect, What: what, Values: values}
		if before.any != after.any {
			c.Old, c.New = strings.Join(before.all(), ", "), strings.Join(after.all(), ", ")
		}
		changes = append(changes, c)
	}
	gained, lost := without(after.list, before.list), without(before.list, after.list)
	switch {
	case after.any && !before.any:
		// The star covers what was listed, but for what it never covers and is not listed any more.
		lost = slices.DeleteFunc(lost, func(name string) bool { return what != "headers" || name != "authorization" })
		gained = append([]string{"*"}, gained...)
	case before.any && !after.any:
		gained = slices.DeleteFunc(gained, func(name string) bool { return what != "headers" || name != "authorization" })
		lost = append([]string{"*"}, lost...)
	}
	add(effectGain, gained)
	add(effectLoss, lost)
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

func compareFlag(what string, before, after bool) []*corsprocv1.GrantChange {
	switch {
	case !before && after:
		return []*corsprocv1.GrantChange{{Effect: effectGain, What: what}}
	case before && !after:
		return []*corsprocv1.GrantChange{{Effect: effectLoss, What: what}}
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
