//go:build unix

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// soakOrigins is how many origins the policies have that are loaded again and again.
const soakOrigins = 30_000

// soakPolicies is a large set of which each answer tells the generation.
func soakPolicies(generation int) []byte {
	var b strings.Builder
	b.WriteString("policies:\n  tenants:\n    allow_methods: [PUT]\n")
	fmt.Fprintf(&b, "    expose_headers: [X-Generation-%d]\n    max_age: %ds\n    allow_origins:\n", generation, generation)
	for i := range soakOrigins {
		fmt.Fprintf(&b, "    - https://tenant-%d.example.com\n", i)
	}
	b.WriteString("default: {policies: [tenants], reject: UNSAFE_METHODS}\n")
	return []byte(b.String())
}

// TestModuleSoak has two workers answer as fast as they can while Go's garbage collector is always at work, the policies are
// loaded again each second and listeners with the module come and go: every answer is right. SOAK says for how long, for instance
// SOAK=1h.
func TestModuleSoak(t *testing.T) {
	duration := 4 * time.Second
	if soak := os.Getenv("SOAK"); soak != "" {
		var err error
		if duration, err = time.ParseDuration(soak); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOGC", "5") // Envoy's, too
	dir := t.TempDir()
	large, other := filepath.Join(dir, "large.yaml"), filepath.Join(dir, "other.yaml")
	if err := os.WriteFile(large, soakPolicies(1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte(shopPolicies), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startDynamicModule(t, large)
	var newest, requests, sets, wrong atomic.Int64
	newest.Store(1)
	done := make(chan struct{})
	var wait sync.WaitGroup
	latencies := make([][]time.Duration, 8)
	for client := range latencies {
		wait.Go(func() {
			transport := &http.Transport{MaxIdleConnsPerHost: 1}
			defer transport.CloseIdleConnections()
			c := &soakClient{client: &http.Client{Timeout: patience, Transport: transport}, address: d.address, newest: &newest, sets: &sets}
			for i := client; ; i += 7 {
				select {
				case <-done:
					return
				default:
				}
				began := time.Now()
				if err := c.ask(i); err != nil {
					if wrong.Add(1) <= 10 {
						t.Error(err)
					}
					continue
				}
				if requests.Add(1); len(latencies[client]) < 1<<20 {
					latencies[client] = append(latencies[client], time.Since(began))
				}
			}
		})
	}
	memory, started := []int{rss(t, d.envoy.PID())}, time.Now()
	changes := 0
	enough := func() bool { return sets.Load() >= 2*int64(len(latencies)) }
	// A busy machine takes longer to see sets come into force.
	for generation := 2; (time.Since(started) < duration || !enough() && time.Since(started) < duration+patience) && !t.Failed(); generation++ {
		newest.Store(int64(generation))
		replace(t, large, soakPolicies(generation))
		for next := started.Add(time.Duration(generation-1) * time.Second); time.Now().Before(next); changes++ {
			listeners := map[string]string{"large": large, "other": other}
			if changes%3 == 0 {
				delete(listeners, "large")
			}
			if changes%2 == 0 {
				delete(listeners, "other")
			}
			d.deliverListeners(t, listeners)
			time.Sleep(250 * time.Millisecond)
		}
		if generation%60 == 0 {
			memory = append(memory, rss(t, d.envoy.PID()))
			t.Logf("%s: %d requests, %d MiB", time.Since(started).Round(time.Second), requests.Load(), memory[len(memory)-1])
		}
	}
	close(done)
	wait.Wait()
	select {
	case <-d.envoy.Done():
		t.Errorf("Envoy has ended: %v\n%s", d.envoy.Err(), d.log)
	default:
	}
	if !enough() {
		t.Error("hardly any set was taken up while requests flowed")
	}
	all := slices.Sorted(slices.Values(slices.Concat(latencies...)))
	t.Logf("%d requests in %s, %d wrong, %d changes of listeners; p50 %s, p99 %s; memory at first and last %d and %d MiB", requests.Load(), time.Since(started).Round(time.Second),
		wrong.Load(), changes, all[len(all)/2], all[len(all)*99/100], memory[0], rss(t, d.envoy.PID()))
}

// soakClient asks on one connection, and remembers the newest set that it has seen.
type soakClient struct {
	client       *http.Client
	address      string
	newest, sets *atomic.Int64
	seen         int64
}

// ask sends the i-th request, and says what is wrong with its answer.
func (c *soakClient) ask(i int) error {
	// A few origins again and again, which the module keeps decisions of, and many that it does not.
	tenant := i % soakOrigins
	if i%2 == 0 {
		tenant %= 10
	}
	origin, granted := fmt.Sprintf("https://tenant-%d.example.com", tenant), true
	method, status := "GET", 200
	switch i % 5 {
	case 1:
		method, status = "OPTIONS", 204
	case 2:
		origin, granted = fmt.Sprintf("https://tenant-%d.example.com.evil.example", i), false
	case 3:
		method, origin, granted, status = "DELETE", fmt.Sprintf("https://evil-%d.example", i), false, 403
	}
	r, err := http.NewRequest(method, fmt.Sprintf("http://%s/%d", c.address, i%10_000), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Origin", origin)
	if method == "OPTIONS" {
		r.Header.Set("Access-Control-Request-Method", "PUT")
	}
	a, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		return err
	}
	if got := a.Header.Get("Access-Control-Allow-Origin"); a.StatusCode != status || granted && got != origin || !granted && got != "" {
		return fmt.Errorf("%s %s: %d %v", method, origin, a.StatusCode, a.Header)
	}
	if !granted {
		return nil
	}
	generation, err := strconv.ParseInt(strings.TrimPrefix(a.Header.Get("Access-Control-Expose-Headers"), "X-Generation-"), 10, 64)
	if err != nil || generation < c.seen || generation > c.newest.Load() {
		return fmt.Errorf("generation %d after %d, with %d written: %w", generation, c.seen, c.newest.Load(), err)
	}
	if age := a.Header.Get("Access-Control-Max-Age"); method == "OPTIONS" && age != fmt.Sprint(generation) {
		return fmt.Errorf("a preflight of two sets: %v", a.Header)
	}
	if generation > c.seen {
		c.sets.Add(1)
	}
	c.seen = generation
	return nil
}

// rss returns the memory of a process, in MiB.
func rss(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}
