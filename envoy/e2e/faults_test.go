//go:build unix

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// traffic is requests of several clients that go on while a test does something, each checked.
type traffic struct {
	g        *gateway
	stop     chan struct{}
	wait     sync.WaitGroup
	requests atomic.Int64
	failed   sync.Map // what was wrong -> *atomic.Int64
}

// startTraffic begins requests of four clients: actual ones and preflights.
func (g *gateway) startTraffic() *traffic {
	t := &traffic{g: g, stop: make(chan struct{})}
	for range 4 {
		t.wait.Go(func() {
			for {
				select {
				case <-t.stop:
					return
				default:
				}
				t.check("GET", http.StatusOK)
				t.check("OPTIONS", http.StatusNoContent, "Access-Control-Request-Method: POST")
			}
		})
	}
	return t
}

func (t *traffic) check(method string, status int, lines ...string) {
	const origin = "https://shop.example.com"
	a, err := send(t.g.address, method, "api.example.com", "/", append(lines, "Origin: "+origin)...)
	t.requests.Add(1)
	what := ""
	switch {
	case err != nil:
		what = err.Error()
	case a.status != status:
		what = fmt.Sprintf("%s: status %d", method, a.status)
	case a.joined["access-control-allow-origin"] != origin:
		what = fmt.Sprintf("%s: not granted", method)
	default:
		return
	}
	n, _ := t.failed.LoadOrStore(what, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
}

// end ends the requests and returns how often which of them went wrong.
func (t *traffic) end() map[string]int64 {
	close(t.stop)
	t.wait.Wait()
	failed := map[string]int64{}
	t.failed.Range(func(what, n any) bool {
		failed[what.(string)] = n.(*atomic.Int64).Load()
		return true
	})
	return failed
}

// TestRollingReplacement stops and replaces two replicas one after the other, as an orchestrator does. With the
// fail-closed configuration every request that does not reach corsproc fails, and none does.
func TestRollingReplacement(t *testing.T) {
	for _, transport := range []string{"loop", "grpc"} {
		t.Run(transport, func(t *testing.T) { replaceReplicas(t, transport) })
	}
}

func replaceReplicas(t *testing.T, transport string) {
	// The drain delay is what lets Envoy's health check (every second) see that a replica goes.
	g := start(t, setup{config: "enforcing.yaml", policies: shopPolicies, replicas: 2, args: []string{"--drain-delay", "3s", "--transport", transport}})
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	requests := g.startTraffic()
	for i, replica := range g.replicas {
		replica.Stop(syscall.SIGTERM, patience)
		g.replicas[i] = g.startService(ctx, replica.Listen)
		g.waitForService(ctx)
	}
	if failed := requests.end(); len(failed) > 0 {
		t.Errorf("of %d requests went wrong: %v", requests.requests.Load(), failed)
	}
	t.Logf("%d requests", requests.requests.Load())
}

// TestStalledReplica stops a replica's process without ending it: connections stay open, and nothing is answered. Until
// Envoy's health check finds out, what is sent there fails after the message timeout, or is granted nothing, as the
// configuration has it; after that everything is well.
func TestStalledReplica(t *testing.T) {
	for config, failure := range map[string]string{"enforcing.yaml": "GET: status 504", "envoy.yaml": "GET: not granted"} {
		t.Run(config, func(t *testing.T) {
			g := start(t, setup{config: config, policies: shopPolicies, replicas: 2})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			stalled := g.replicas[0]
			if err := stalled.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			during := g.startTraffic()
			g.replicas = g.replicas[1:]
			g.waitForService(ctx)
			failed := during.end()
			for what := range failed {
				if what != failure && what != "OPTIONS: status 504" && what != "OPTIONS: status 200" {
					t.Errorf("before Envoy found out: %s", what)
				}
			}
			t.Logf("before Envoy found out: %d requests, of which %v", during.requests.Load(), failed)

			after := g.startTraffic()
			time.Sleep(time.Second)
			if failed := after.end(); len(failed) > 0 {
				t.Errorf("after Envoy found out: of %d requests %v", after.requests.Load(), failed)
			}
			if err := stalled.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			g.replicas = append(g.replicas, stalled)
			g.waitForService(ctx)
			again := g.startTraffic()
			time.Sleep(time.Second)
			if failed := again.end(); len(failed) > 0 {
				t.Errorf("with both again: of %d requests %v", again.requests.Load(), failed)
			}
		})
	}
}

// TestLimits is what Envoy makes of corsproc's limits.
func TestLimits(t *testing.T) {
	t.Run("a message that is too large", func(t *testing.T) {
		for config, want := range map[string]int{"enforcing.yaml": http.StatusInternalServerError, "envoy.yaml": http.StatusOK} {
			g := start(t, setup{config: config, policies: shopPolicies, args: []string{"--max-message-bytes", "1024"}})
			path := "/" + strings.Repeat("a", 1<<10)
			a := g.do("GET", "api.example.com", path, "Origin: https://shop.example.com")
			if a.status != want || a.joined["access-control-allow-origin"] != "" {
				t.Errorf("%s: %d %v", config, a.status, a.header)
			}
			if a := g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com"); a.joined["access-control-allow-origin"] == "" {
				t.Errorf("%s: a small one after it: %d %v", config, a.status, a.header)
			}
		}
	})
	// Envoy keeps to the limit that it is told of and opens more connections. On a new one it does not know the limit yet:
	// what it opens too much there is refused, and that request fails.
	t.Run("one stream per connection", func(t *testing.T) {
		g := start(t, setup{config: "enforcing.yaml", policies: shopPolicies, args: []string{"--max-concurrent-streams", "1"}})
		requests := g.startTraffic()
		time.Sleep(time.Second)
		failed, all := requests.end(), requests.requests.Load()
		for what, n := range failed {
			if !strings.HasSuffix(what, "status 500") || n > all/20 {
				t.Errorf("of %d requests, %d times %s", all, n, what)
			}
		}
	})
}
