package policy

// Tested by cases_test.go and policy/casetable/testdata/, and naive_test.go.

import (
	"slices"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// maxEmptyElements is how many empty elements a list of request headers may have in all. RFC 9110, section 5.6.1.2, wants
// "a reasonable number" accepted; browsers send none.
const maxEmptyElements = 32

// checkMethod decides about the method that a preflight asks for (Fetch, section 4.8, "CORS-preflight fetch", step 7).
func checkMethod(policy *compiled.Policy, f Field) Reason {
	method := f.Value
	switch {
	case f.Lines != 1:
		return ReasonMethodMalformed
	case fetch.IsSafelistedMethod(method), slices.Contains(policy.Methods, method):
		return ReasonAllowed
	case !fetch.IsToken(method):
		return ReasonMethodMalformed
	case policy.AnyMethod && !fetch.IsForbiddenMethod(method) && !(policy.Credentials && method == "*"):
		return ReasonAllowed // "*" itself is not echoed: to a request without credentials it would mean all
	}
	return ReasonMethodNotAllowed
}

// headersCheck is the outcome of checking a preflight's list of request headers.
type headersCheck struct {
	reason Reason // that of the first name that fails
	// names are the lines whose allowed names may be echoed; none where the list is not worth walking through again.
	names []string
	// bareAuthorization says that the list may have Authorization and the policy does not list it.
	bareAuthorization bool
}

// checkHeaders decides about the request headers that a preflight asks for (Fetch, as above, steps 8 and 9).
func checkHeaders(policy *compiled.Policy, lines []string) headersCheck {
	c := headersCheck{reason: ReasonAllowed, names: lines}
	empty := 0
	for list := (fetch.Elements{Lines: lines}); ; {
		name, ok := list.Next()
		switch {
		case !ok:
			return c
		case name == "":
			// A list of nothing but commas is not walked to its end, so what it hides there is unknown.
			if empty++; empty > maxEmptyElements {
				if c.reason == ReasonAllowed {
					c.reason = ReasonHeaderMalformed
				}
				c.names, c.bareAuthorization = nil, !policy.ListsHeader("authorization")
				return c
			}
		case fetch.IsNonWildcardRequestHeader(name):
			if !policy.ListsHeader(name) {
				c.bareAuthorization = true
				if c.reason == ReasonAllowed {
					c.reason = ReasonHeaderNotAllowed
				}
			}
		case c.reason == ReasonAllowed:
			c.reason = checkHeader(policy, name)
		}
	}
}

// checkHeader decides about one name.
func checkHeader(policy *compiled.Policy, name string) Reason {
	switch {
	case policy.ListsHeader(name): // and so is a token
		return ReasonAllowed
	case !fetch.IsToken(name):
		return ReasonHeaderMalformed
	case policy.AnyHeader && !fetch.IsNonWildcardRequestHeader(name) && !(policy.Credentials && name == "*"):
		return ReasonAllowed // as for methods
	}
	return ReasonHeaderNotAllowed
}
