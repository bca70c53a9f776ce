package policy

import "slices"

// maxEmptyElements is how many empty elements a list of request headers may have in all. RFC 9110, section 5.6.1.2, wants
// "a reasonable number" accepted; browsers send none.
const maxEmptyElements = 32

// checkMethod decides about the method that a preflight asks for (Fetch, section 4.8, "CORS-preflight fetch", step 7).
func (g *grant) checkMethod(f Field) Reason {
	method := f.Value
	switch {
	case f.Lines != 1 || !isToken(method):
		return ReasonMethodMalformed
	case isSafelistedMethod(method), slices.Contains(g.methods, method):
		return ReasonAllowed
	case g.anyMethod && !isForbiddenMethod(method):
		return ReasonAllowed
	}
	return ReasonMethodNotAllowed
}

// headersCheck is the outcome of checking a preflight's list of request headers.
type headersCheck struct {
	reason Reason // that of the first name that fails
	// bareAuthorization says that the list has Authorization and the policy does not list it.
	bareAuthorization bool
}

// checkHeaders decides about the request headers that a preflight asks for (Fetch, as above, steps 8 and 9).
func (g *grant) checkHeaders(lines []string) headersCheck {
	c := headersCheck{reason: ReasonAllowed}
	empty := 0
	for name := range listElements(lines) {
		if name == "" {
			if empty++; empty > maxEmptyElements && c.reason == ReasonAllowed {
				c.reason = ReasonHeaderMalformed
			}
			continue
		}
		reason := g.checkHeader(name)
		if c.reason == ReasonAllowed {
			c.reason = reason
		}
		if reason == ReasonHeaderNotAllowed && isAuthorization(name) {
			c.bareAuthorization = true
		}
	}
	return c
}

// checkHeader decides about one name.
func (g *grant) checkHeader(name string) Reason {
	if !isToken(name) {
		return ReasonHeaderMalformed
	}
	if g.listsHeader(name) || (g.anyHeader && !isAuthorization(name)) {
		return ReasonAllowed
	}
	return ReasonHeaderNotAllowed
}

// listsHeader reports whether the policy lists a field name, ignoring case.
func (g *grant) listsHeader(name string) bool {
	if len(name) > g.maxHeader {
		return false
	}
	if !hasUpperASCII(name) { // as browsers send them
		_, ok := g.headers[name]
		return ok
	}
	var buf [128]byte
	_, ok := g.headers[string(lowerASCII(name, buf[:]))]
	return ok
}

// isAuthorization reports whether a field name is the one that a "*" never covers (Fetch, section 4.8, "CORS
// non-wildcard request-header name").
func isAuthorization(name string) bool {
	if len(name) != len("authorization") {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != "authorization"[i] {
			return false
		}
	}
	return true
}

// listElements yields the elements of a field whose value is a list (RFC 9110, section 5.6.1), the empty ones too.
// Several lines are one list. A field without a line has no element.
func listElements(lines []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range lines {
			start := 0
			for i := 0; i <= len(line); i++ {
				if i == len(line) || line[i] == ',' {
					if !yield(trimOWS(line[start:i])) {
						return
					}
					start = i + 1
				}
			}
		}
	}
}
