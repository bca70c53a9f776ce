package policyfile_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// TestPipes: a pipe that nobody writes to is not waited for, and no pipe is read again and again.
func TestPipes(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.yaml")
	do(t, syscall.Mkfifo(pipe, 0o600))
	done := make(chan string, 2)
	go func() {
		_, err := policyfile.Read(pipe, nil)
		done <- fmt.Sprint(err)
	}()
	go func() {
		done <- policyfile.NewLoader(pipe, nil).Load().Err.Error()
	}()
	for range 2 {
		select {
		case got := <-done:
			if got != pipe+" is a pipe that nothing was written to" && got != pipe+" is not a regular file" {
				t.Error(got)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("waits for ever")
		}
	}
}

// TestPipeWithWriter reads what the shell passes for <(command).
func TestPipeWithWriter(t *testing.T) {
	r, w, err := os.Pipe()
	do(t, err)
	defer r.Close()
	go func() {
		defer w.Close()
		for _, part := range []string{"policies: ", "{p: {}}\n", "default: {policies: [p]}\n"} {
			fmt.Fprint(w, part)
		}
	}()
	c, err := policyfile.Read(fmt.Sprintf("/dev/fd/%d", r.Fd()), nil)
	do(t, err)
	if got := text(t, c.Compile()); got != "" {
		t.Error(got)
	}
}

// TestManyFaults: of a file with very many faults the first are told, in time and memory that do not grow with it.
func TestManyFaults(t *testing.T) {
	for name, data := range map[string]string{
		"the reading's":  "policies: {" + strings.Repeat("x: 1,", 300_000) + "}",
		"the engine's":   "policies: {p: {allow_origins: [" + strings.Repeat("x/,", 300_000) + "]}}",
		"unknown fields": "{" + strings.Repeat("x: 1,", 300_000) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			r := content("a.yaml", data).Compile()
			if n := len(r.Findings); n < 1000 || n > 2100 {
				t.Errorf("%d findings", n)
			}
			told := false
			for _, f := range r.Findings {
				told = told || f.Code == string(finding.CodeTooManyFindings)
			}
			if !told {
				t.Error("nothing says that there are more")
			}
		})
	}
}

// TestOnlyLines: a file of nothing but ends of lines costs its size, and no table of its lines.
func TestOnlyLines(t *testing.T) {
	c := content("a.yaml", strings.Repeat("\n", 8<<20))
	findings := c.Compile().Findings
	findings = append(findings, &corsprocv1.Finding{Severity: "hint", File: "a.yaml", Line: 8 << 20, Column: 1, Message: "the end"})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do(t, policyfile.WriteAnnotated(io.Discard, findings, c.Files, false))
	runtime.ReadMemStats(&after)
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 1<<20 {
		t.Errorf("%d bytes for a file of %d", bytes, len(c.Files[0].Data))
	}
}

// TestManyCollections: lists and mappings side by side in one entry are counted as well, and what is too much is not read.
func TestManyCollections(t *testing.T) {
	c := content("a.yaml", "policies: {p: {allow_origins: ["+strings.Repeat("[[[[[[[[[]]]]]]]]],", 500_000)+"]}}\n")
	if f := c.Compile().Findings; len(f) != 1 || f[0].GetCode() != policyfile.CodeFileTooLarge {
		t.Errorf("%v", f)
	}
}

// TestJSONSurrogates reads what other languages' JSON writers make of characters beyond U+FFFF.
func TestJSONSurrogates(t *testing.T) {
	r := content("a.json", `{"virtual_hosts": [{"name": "\ud83d\ude00 \\ud83d \u00e9", "policies": ["none"]}]}`).Compile()
	if r.Set == nil {
		t.Fatal(text(t, r))
	}
	for label := range r.Set.VirtualHosts() {
		if label != "default" && label != "\U0001F600 \\ud83d é" {
			t.Errorf("%q", label)
		}
	}
}

// TestDuplicateKeysHide: what a duplicate hides is not called unknown.
func TestDuplicateKeysHide(t *testing.T) {
	r := content("a.yaml", "policies: {a: {}}\npolicies: {b: {}}\ndefault: {policies: [b]}\n").Compile()
	for _, f := range r.Findings {
		if f.Code == string(finding.CodeUnknownPolicy) {
			t.Error(text(t, r))
		}
	}
}

// TestWatchWaitsForRest appends to a file for longer than bursts of events are waited for; every beginning of it is
// valid, and only the whole is taken up.
func TestWatchWaitsForRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policies.yaml")
	do(t, os.WriteFile(path, []byte("virtual_hosts:\n"+host(0)), 0o600))
	hosts := make(chan int, 100)
	l := policyfile.NewLoader(path, nil)
	l.Load()
	go policyfile.Watch(t.Context(), path, 0, func() {
		if a := l.Load(); a.Good() && !a.Unchanged {
			n := 0
			for range a.Result.Set.VirtualHosts() {
				n++
			}
			hosts <- n
		}
	})
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	do(t, err)
	defer f.Close()
	const more = 30
	last := time.Now()
	for i := 1; i <= more; i++ {
		_, err := f.WriteString(host(i))
		do(t, err)
		if paused := time.Since(last); paused > 180*time.Millisecond {
			t.Skipf("the writer itself rested for %v: the machine is too busy", paused)
		}
		last = time.Now()
		time.Sleep(90 * time.Millisecond) // as slow as a writer may be
	}
	select {
	case n := <-hosts:
		if n != more+2 { // with default and the first
			t.Errorf("%d of %d virtual hosts were taken up", n, more+2)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was taken up")
	}
}

func host(i int) string { return fmt.Sprintf("  - {name: h%d, policies: [none]}\n", i) }

// TestWatchSymbolicLink edits the file that a link in another directory leads to.
func TestWatchSymbolicLink(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target.yaml")
	link := filepath.Join(t.TempDir(), "policies.yaml")
	do(t, os.WriteFile(target, []byte("{}"), 0o600), os.Symlink(target, link))
	loaded := make(chan string, 100)
	l := policyfile.NewLoader(link, nil)
	l.Load()
	go policyfile.Watch(t.Context(), link, 0, func() {
		if a := l.Load(); a.Good() && !a.Unchanged {
			loaded <- a.Result.Hash
		}
	})
	for deadline := time.After(20 * time.Second); ; {
		do(t, os.WriteFile(target, []byte("default: {policies: [none]}"), 0o600))
		select {
		case <-loaded:
			return
		case <-time.After(time.Second): // the watch had not begun: once more
		case <-deadline:
			t.Fatal("the edit is not seen")
		}
	}
}
