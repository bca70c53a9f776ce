package browser

// Tested by judge_test.go, model_test.go and answers_test.go.

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// A failure is why a browser goes no further. The zero value: it does.
type failure struct {
	kind  failureKind
	value string // what the browser read instead, or the method or header that is not allowed
}

type failureKind uint8

const (
	passes            failureKind = iota
	originMissing                 // no Access-Control-Allow-Origin
	originWildcard                // "*" for a request with credentials
	originDiffers                 // another origin
	credentialsNotOn              // no Access-Control-Allow-Credentials: true for a request with credentials
	statusNotOK                   // a preflight's status is not 200 to 299
	methodsUnreadable             // Access-Control-Allow-Methods is no list of tokens
	headersUnreadable
	methodMissing // not in Access-Control-Allow-Methods
	headerMissing
	rejectedHandshake // a WebSocket's handshake was not answered with 101
)

// Get returns the value of a header, several lines joined (Fetch, section 2.2.2, "get").
func (a *Answer) Get(name string) (value string, ok bool) {
	for _, h := range a.Headers {
		if h.Name != name {
			continue
		}
		if ok {
			value += ", "
		}
		value, ok = value+strings.Trim(h.Value, " \t"), true
	}
	return value, ok
}

// tokens returns the elements of a list of tokens. It reports false where any is none; empty elements are no elements.
func (a *Answer) tokens(name string) (list []string, ok bool) {
	value, _ := a.Get(name)
	for element := range strings.SplitSeq(value, ",") {
		element = strings.Trim(element, " \t")
		if element == "" {
			continue
		}
		if !fetch.IsToken(element) {
			return nil, false
		}
		list = append(list, element)
	}
	return list, true
}

// corsCheck decides whether a page may have a response (Fetch, section 4.9, "CORS check").
func corsCheck(r *Answer, origin string, include bool) failure {
	allowed, ok := r.Get(fetch.AllowOrigin)
	switch {
	case !ok:
		return failure{kind: originMissing}
	case allowed == "*" && !include:
		return failure{}
	case allowed == "*":
		return failure{kind: originWildcard}
	case allowed != origin:
		return failure{originDiffers, allowed}
	}
	if credentials, _ := r.Get(fetch.AllowCredentials); include && credentials != "true" {
		return failure{credentialsNotOn, credentials}
	}
	return failure{}
}

// Exposed is what a script sees of a response's headers.
type Exposed struct {
	All   bool     // all but Set-Cookie
	Names []string // beside the safelisted ones; none where All
}

// exposed returns what a response exposes (Fetch, section 4.1, "main fetch", step 14, "CORS-exposed header-name list").
// With credentials "*" is the name of a header.
func exposed(r *Answer, include bool) (e Exposed) {
	names, _ := r.tokens(fetch.ExposeHeaders)
	for _, name := range names {
		lower := strings.ToLower(name)
		switch {
		case name == "*" && !include:
			return Exposed{All: true}
		case fetch.IsForbiddenResponseHeader(lower), fetch.IsSafelistedResponseHeader(lower):
		case !slices.ContainsFunc(e.Names, func(have string) bool { return strings.EqualFold(have, name) }):
			e.Names = append(e.Names, name)
		}
	}
	return e
}
