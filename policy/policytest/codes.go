package policytest

// The codes of what is wrong with test files, beside those of the reading of all files (package policyfile: syntax,
// unknown-key, wrong-type, unknown-value and so on). All of them are errors. Scripts rely on codes: they are never
// renamed.
const (
	CodeMissingField       = "missing-field"       // a field that has to be there and is not
	CodeNoTests            = "no-tests"            // a list of tests with none in it
	CodeTooManyTests       = "too-many-tests"      // more than MaxTests
	CodeDuplicateTest      = "duplicate-test"      // a name that another test of the file has; related is the first
	CodePageOrigin         = "page-origin"         // an origin that no browser sends
	CodeFetchURL           = "fetch-url"           // a URL that no script can fetch
	CodeFetchMethod        = "fetch-method"        // a method that no script can send
	CodeFetchHeader        = "fetch-header"        // a header that no script can set
	CodeWebSocketFetch     = "websocket-fetch"     // a WebSocket with what only a fetch has
	CodePoliciesUnreadable = "policies-unreadable" // policies that are not there, or cannot be read
	CodePolicyFile         = "policy-file"         // a policy file
)
