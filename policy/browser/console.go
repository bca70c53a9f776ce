package browser

// Tested by answers_test.go, testdata/answers.yaml and model_test.go.

import (
	"fmt"
	"strings"
)

// console returns the words that Chromium's console shows for a fetch that failed (its cors_error_string.cc).
func (f *normalized) console(failed failure, preflight bool) string {
	if failed.kind == passes {
		return ""
	}
	if failed.kind == rejectedHandshake {
		return fmt.Sprintf("WebSocket connection to '%s' failed: Error during WebSocket handshake: Unexpected response code: %s", f.url, failed.value)
	}
	return fmt.Sprintf("Access to fetch at '%s%s' from origin '%s' has been blocked by CORS policy: %s",
		f.url, f.url.fragment, f.Origin, failed.words(f.Origin, preflight))
}

// originFault says what is wrong with a value of Access-Control-Allow-Origin that is not the page's origin.
func originFault(value string) string {
	switch {
	case strings.Contains(value, ","):
		return fmt.Sprintf("contains multiple values '%s', but only one is allowed", value)
	case value != "null" && !strings.Contains(value, "://"):
		return fmt.Sprintf("contains the invalid value '%s'", value)
	}
	return fmt.Sprintf("has a value '%s' that is not equal to the supplied origin", value)
}

// words returns what the console says after where the fetch went.
func (failed failure) words(origin string, preflight bool) string {
	words := ""
	switch failed.kind {
	case originMissing:
		words = "No 'Access-Control-Allow-Origin' header is present on the requested resource."
	case originWildcard:
		words = "The value of the 'Access-Control-Allow-Origin' header in the response must not be the wildcard '*' when the request's credentials mode is 'include'."
	case originDiffers:
		words = "The 'Access-Control-Allow-Origin' header " + originFault(failed.value) + ". Have the server send the header with a valid value."
	case credentialsNotOn:
		words = fmt.Sprintf("The value of the 'Access-Control-Allow-Credentials' header in the response is '%s' which must be 'true' when the request's credentials mode is 'include'.", failed.value)
	case statusNotOK:
		words = "It does not have HTTP ok status."
	case methodsUnreadable:
		return "Cannot parse Access-Control-Allow-Methods response header field in preflight response."
	case headersUnreadable:
		return "Cannot parse Access-Control-Allow-Headers response header field in preflight response."
	case methodMissing:
		return fmt.Sprintf("Method %s is not allowed by Access-Control-Allow-Methods in preflight response.", failed.value)
	case headerMissing:
		return fmt.Sprintf("Request header field %s is not allowed by Access-Control-Allow-Headers in preflight response.", failed.value)
	}
	if preflight {
		return "Response to preflight request doesn't pass access control check: " + words
	}
	return words
}
