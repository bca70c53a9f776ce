//go:build !race && unix

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCheckLarge holds what a check of a large set may cost, all lints included: 10,000 virtual hosts with a policy and
// an expression each, and 100,000 origins. The race detector would measure itself; and the time is that of processors,
// which does not depend on what else a machine is doing, and is more than a clock shows.
func TestCheckLarge(t *testing.T) {
	var b strings.Builder
	b.WriteString("policies:\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "  tenant-%d:\n    allow_origins:\n", i)
		for j := range 10 {
			fmt.Fprintf(&b, "      - https://app%d.t%d.example.com\n", j, i)
		}
		fmt.Fprintf(&b, "    deny_origins: [https://app0.t%d.example.com, https://*.old.t%d.example.com]\n", i, i)
		fmt.Fprintf(&b, "    allow_origin_regexes: ['https://pr-[0-9]+\\.t%d.example.com']\n", i)
		b.WriteString("    allow_methods: [PUT, DELETE, patch]\n    allow_headers: [Content-Type]\n    max_age: 4h\n")
	}
	b.WriteString("virtual_hosts:\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "  - name: host-%d\n    domains: [h%d.example.com, '*.h%d.example.com']\n    policies: [tenant-%d]\n", i, i, i, i)
		b.WriteString("    routes:\n      - {prefix: /public/, policies: [none]}\n      - {path: /public/x, policies: [passthrough]}\n")
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("policies.yaml", []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	before := processorTime(t)
	status, stdout, stderr := runIn(t, "", "check", "policies.yaml")
	took := processorTime(t) - before
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("%v, %d MiB from the system, %d findings", took, memory.Sys>>20, strings.Count(stdout, "\npolicies.yaml:"))
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d, %s", status, stderr)
	}
	for _, code := range []string{"origins of the list are subdomains", "an earlier route takes all", "a dot stands for any character"} {
		if !strings.Contains(stdout, code) {
			t.Errorf("nothing is said of what should be found: %s", code)
		}
	}
	if took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if memory.Sys > 1<<30 {
		t.Errorf("took %d MiB", memory.Sys>>20)
	}
}

// processorTime returns how long processors have worked for this process.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
