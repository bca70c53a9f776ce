//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// process is one of the system's, told from a later one with its number by when it began.
type process struct {
	pid   int
	begun string
}

// stat is what proc(5) says of a process.
type stat struct {
	process
	parent int
	state  string
}

func readStat(pid int) (s stat, ok bool) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return s, false
	}
	// The name, in parentheses, may hold anything. After it: state, parent, and the start time as the 20th field.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	s.pid, s.state, s.begun = pid, fields[0], fields[19]
	s.parent, err = strconv.Atoi(fields[1])
	return s, err == nil
}

// alive reports whether the process still runs; one that has ended and was not yet waited for does not.
func (p process) alive() bool {
	s, ok := readStat(p.pid)
	return ok && s.begun == p.begun && s.state != "Z" && s.state != "X"
}

func (p process) commandLine() string {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "cmdline")) // gone: empty
	return strings.ReplaceAll(string(text), "\x00", " ")
}

// descendants returns what a process has started, and what that has.
func descendants(t *testing.T, pid int) (family []process) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, not tested: finding processes needs Linux's /proc")
	}
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	children := map[int][]process{}
	for _, e := range entries {
		n, _ := strconv.Atoi(filepath.Base(e))
		if s, ok := readStat(n); ok {
			children[s.parent] = append(children[s.parent], s.process)
		}
	}
	queue := []int{pid}
	for len(queue) > 0 {
		for _, c := range children[queue[0]] {
			family = append(family, c)
			queue = append(queue, c.pid)
		}
		queue = queue[1:]
	}
	return family
}
