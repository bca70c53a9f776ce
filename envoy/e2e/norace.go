//go:build !race && unix

package e2e

// raceFlags build the programs as the tests are built.
var raceFlags []string
