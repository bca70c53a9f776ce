//go:build cgo

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corsproc/corsproc/envoy/module/fakeenvoy"
)

// TestSoak has two workers send requests while the policies are reloaded, filters come and go, and the garbage collector runs
// all the time. Every answer has to be of one of the two sets, whole. In the end nothing is left. By hand, for longer:
//
//	CORSPROC_SOAK=1h go test -run TestSoak -timeout 2h -v ./envoy/module
func TestSoak(t *testing.T) {
	length := time.Second
	if s := os.Getenv("CORSPROC_SOAK"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	contents := [2]string{shop, strings.ReplaceAll(shop, "https://shop.example", "https://other.example")}
	path, config := writePolicies(t, contents[0])
	c := newConfig(t, config)

	response := lines(":status: 200", "access-control-allow-origin: *", "vary: Accept-Encoding", "vary: origin, X-Two")
	var templates []fakeenvoy.Template
	for _, r := range []*fakeenvoy.Request{
		request("GET", "/a"), request("GET", "/b?q", "origin: https://shop.example"), request("POST", "/guarded/x", "origin: https://other.example"),
		request("OPTIONS", "/", "origin: https://shop.example", "access-control-request-method: PUT"),
		request("OPTIONS", "/", "origin: https://other.example", "access-control-request-method: PATCH"),
		request("GET", "/trial", "origin: https://shop.example"), request("GET", "/open", "origin: https://evil.example"),
		request("GET", "/", "origin: https://evil.example", "access-control-request-headers: "+strings.Repeat("x", 3<<10)), // not kept
	} {
		templates = append(templates, fakeenvoy.Template{Request: r, Response: response})
	}
	for set, content := range contents {
		_, only := writePolicies(t, content)
		alone := newConfig(t, only)
		for i := range templates {
			templates[i].Outcomes[set] = alone.Do(templates[i].Request, false, response).Raw
		}
		alone.Destroy()
	}

	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() { // Envoy's main thread: filters come and go, and statistics are told
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				if further := fakeenvoy.NewConfig(config); further != nil {
					further.Do(templates[0].Request, false, response)
					further.Destroy()
				}
				c.Run()
				fakeenvoy.Logged()
			}
		}
	})
	others.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(150 * time.Millisecond):
				replace(t, path, contents[i%2])
			}
		}
	})

	requests := 0
	for began := time.Now(); time.Since(began) < length; {
		const n = 5000
		if wrong := c.Work(templates, workers, n); wrong > 0 {
			t.Fatalf("%d of %d answers are of neither set", wrong, workers*n)
		}
		requests += workers * n
	}
	close(stop)
	others.Wait()
	reloads := sources.sets
	c.Destroy()
	eventually(t, "no watcher is left", func() bool { return watchers() == 0 })
	if fakeenvoy.Schedulers() != 0 || len(sources.byPath) != 0 {
		t.Error("something is left")
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("%d requests, %d sets, %d collections, %d KiB of Go's memory in use", requests, reloads, m.NumGC, m.HeapInuse>>10)
}
