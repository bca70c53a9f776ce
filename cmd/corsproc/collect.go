package main

// Tested by check_large_test.go.

import (
	"os"
	"runtime/debug"

	"github.com/corsproc/corsproc/policy/policyfile"
)

const (
	// largePolicies is from how many bytes on policy files take hundreds of MiB to read.
	largePolicies = 16 << 20
	// sooner is at how many per cent more than what is in use the garbage collector runs then.
	sooner = 30
)

// collectSooner sets the garbage collector for a command that reads large policy files, says something and ends: what it
// takes at its height is what its container has to have, and that is worth some tenths of its time. GOGC wins.
func collectSooner(content *policyfile.Content) {
	size := 0
	for i := range content.Files {
		size += len(content.Files[i].Data)
	}
	if _, ok := os.LookupEnv("GOGC"); !ok && size > largePolicies {
		debug.SetGCPercent(sooner)
	}
}
