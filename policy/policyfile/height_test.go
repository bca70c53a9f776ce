//go:build !race

package policyfile_test

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestHeight holds what a load of a large file takes at its height, as a multiple of the file: the nodes of a document,
// which are most of it, are let go while the set is filled. The garbage collector runs all the time meanwhile, so that
// garbage is no part of it.
func TestHeight(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(3))
	text := "policies:\n" + repeat(12_000, "  p%d: {allow_origins: [https://a.example], allow_methods: [PUT], max_age: 1h}\n") +
		"virtual_hosts:\n" + repeat(12_000, "- {name: h%d, policies: [p1]}\n")
	content := files("p.yaml", text)
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	before, height := memory.HeapAlloc, uint64(0)
	done := make(chan bool)
	go func() {
		defer close(done)
		if content.Compile().Set == nil {
			t.Error("the file does not load")
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(time.Millisecond):
		}
		runtime.ReadMemStats(&memory)
		height = max(height, memory.HeapAlloc)
	}
	times := float64(height-before) / float64(len(text))
	t.Logf("%.1f times the %d KiB of the file", times, len(text)>>10)
	if times > 35 {
		t.Errorf("it takes %.1f times the size of the file", times)
	}
}
