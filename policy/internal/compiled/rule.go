package compiled

// Tested by policy/browser/table_test.go and policy/survey_test.go.

// Rule is a small reference to the part of a set that made a decision: a kind and two numbers, packed, so that it costs
// nothing per request and four bytes less than a pointer per pattern in sets with a million of them. The zero value
// refers to nothing.
type Rule uint64

type RuleKind uint8

const (
	RuleAllow    RuleKind = iota + 1 // policy, index in allow_origins
	RuleRegex                        // policy, index in allow_origin_regexes
	RuleDeny                         // policy, index in deny_origins
	RuleSet                          // origin set, index
	RuleMethods                      // policy
	RuleHeaders                      // policy
	RulePolicies                     // virtual host, route: the list that was tried
	RulePlace                        // virtual host, route: the place itself
	RuleField                        // policy, one of the fields below: also where it is not written
	RulePolicy                       // policy, as a whole
)

// The fields of a policy that a [Gap] may be about.
const (
	FieldOrigins = iota
	FieldMethods
	FieldHeaders
	FieldCredentials
)

var FieldNames = [...]string{"allow_origins", "allow_methods", "allow_headers", "allow_credentials"}

// NoRoute as the second number of RulePolicies and RulePlace is the virtual host itself. The virtual host 0 is default.
const NoRoute = ruleMask

const (
	ruleBits = 29
	ruleMask = 1<<ruleBits - 1
)

func MakeRule(k RuleKind, a, b int) Rule {
	return Rule(k)<<(2*ruleBits) | Rule(a&ruleMask)<<ruleBits | Rule(b&ruleMask)
}

func (r Rule) Parts() (k RuleKind, a, b int) {
	return RuleKind(r >> (2 * ruleBits)), int(r >> ruleBits & ruleMask), int(r & ruleMask)
}

// Element returns which element of its list a rule is.
func (r Rule) Element() int {
	_, _, i := r.Parts()
	return i
}
