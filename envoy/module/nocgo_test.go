//go:build !cgo

package main

import (
	"os"
	"testing"
)

// TestNoCompiler says in a verbose run, and where every test is wanted, that the module was not tested.
func TestNoCompiler(t *testing.T) {
	const why = "there is no C compiler, or CGO_ENABLED is 0: the module is not tested"
	if os.Getenv("CORSPROC_REQUIRE_E2E") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
