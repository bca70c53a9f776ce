// Package policytest reads and runs policy test files: what pages may and may not do under some policies, written down
// beside them, so that a pull request shows policy and expectation together.
//
// It knows files, the browser's half of CORS and how results are shown. It decides nothing: what comes of a fetch is
// package browser's to say, which asks the policies' own engine, and how a file is read is package policyfile's. It knows
// nothing of the command line, of Envoy, and of the process it runs in.
//
// Start reading at [Run] (run.go). What can be wrong with a test file is found in check.go and listed in codes.go; text.go
// and junit.go show the results.
package policytest
