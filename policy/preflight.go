package policy

import (
	"slices"
	"strings"
)

// maxEmptyElements is how many empty elements a list of request headers may have in all. RFC 9110, section 5.6.1.2, wants
// "a reasonable number" accepted; browsers send none.
const maxEmptyElements = 32

// checkMethod decides about the method that a preflight asks for (Fetch, section 4.8, "CORS-preflight fetch", step 7).
func (g *grant) checkMethod(f Field) Reason {
	method := f.Value
	switch {
	case f.Lines != 1:
		return ReasonMethodMalformed
	case isSafelistedMethod(method), slices.Contains(g.methods, method):
		return ReasonAllowed
	case !isToken(method):
		return ReasonMethodMalformed
	case g.anyMethod && !isForbiddenMethod(method) && !(g.credentials && method == "*"):
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
func (g *grant) checkHeaders(lines []string) headersCheck {
	c := headersCheck{reason: ReasonAllowed, names: lines}
	empty := 0
	for list := (elements{lines: lines}); ; {
		name, ok := list.next()
		switch {
		case !ok:
			return c
		case name == "":
			// A list of nothing but commas is not walked to its end, so what it hides there is unknown.
			if empty++; empty > maxEmptyElements {
				if c.reason == ReasonAllowed {
					c.reason = ReasonHeaderMalformed
				}
				c.names, c.bareAuthorization = nil, !g.listsHeader("authorization")
				return c
			}
		case isAuthorization(name):
			if !g.listsHeader(name) {
				c.bareAuthorization = true
				if c.reason == ReasonAllowed {
					c.reason = ReasonHeaderNotAllowed
				}
			}
		case c.reason == ReasonAllowed:
			c.reason = g.checkHeader(name)
		}
	}
}

// checkHeader decides about one name.
func (g *grant) checkHeader(name string) Reason {
	switch {
	case g.listsHeader(name): // and so is a token
		return ReasonAllowed
	case !isToken(name):
		return ReasonHeaderMalformed
	case g.anyHeader && !isAuthorization(name) && !(g.credentials && name == "*"):
		return ReasonAllowed // as for methods
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
func isAuthorization(name string) bool { return equalFoldASCII(name, "authorization") }

// elements walks through the elements of a field whose value is a list (RFC 9110, section 5.6.1), the empty ones too.
// Several lines are one list. A field without a line has no element.
type elements struct {
	lines []string // not begun yet
	line  string   // what is left of the current one
	open  bool     // there is a current one
}

// next returns the next element, without the blanks around it.
func (e *elements) next() (element string, ok bool) {
	if !e.open {
		if len(e.lines) == 0 {
			return "", false
		}
		e.line, e.lines, e.open = e.lines[0], e.lines[1:], true
	}
	i := strings.IndexByte(e.line, ',')
	if i < 0 {
		e.open = false
		return trimOWS(e.line), true
	}
	element, e.line = e.line[:i], e.line[i+1:]
	return trimOWS(element), true
}
