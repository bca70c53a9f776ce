package policy

// Rule is a small reference to the part of a set that made a decision: a kind and two numbers, packed, so that it costs
// nothing per request and four bytes less than a pointer per pattern in sets with a million of them. The zero value
// refers to nothing.
type Rule uint64

type ruleKind uint8

const (
	ruleAllow    ruleKind = iota + 1 // policy, index in allow_origins
	ruleRegex                        // policy, index in allow_origin_regexes
	ruleDeny                         // policy, index in deny_origins
	ruleSet                          // origin set, index
	ruleMethods                      // policy
	ruleHeaders                      // policy
	rulePolicies                     // virtual host, route: the list that was tried
	rulePlace                        // virtual host, route: the place itself
	ruleField                        // policy, one of the fields below: also where it is not written
	rulePolicy                       // policy, as a whole
)

// The fields of a policy that a [Gap] may be about.
const (
	fieldOrigins = iota
	fieldMethods
	fieldHeaders
	fieldCredentials
)

var fieldNames = [...]string{"allow_origins", "allow_methods", "allow_headers", "allow_credentials"}

// noRoute as the second number of rulePolicies and rulePlace is the virtual host itself. The virtual host 0 is default.
const noRoute = ruleMask

const (
	ruleBits = 29
	ruleMask = 1<<ruleBits - 1
)

func makeRule(k ruleKind, a, b int) Rule {
	return Rule(k)<<(2*ruleBits) | Rule(a&ruleMask)<<ruleBits | Rule(b&ruleMask)
}

func (r Rule) parts() (k ruleKind, a, b int) {
	return ruleKind(r >> (2 * ruleBits)), int(r >> ruleBits & ruleMask), int(r & ruleMask)
}

// element returns which element of its list a rule is.
func (r Rule) element() int {
	_, _, i := r.parts()
	return i
}
