//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// generation is a policy file whose two phases can be told apart from those of every other generation: the preflight's
// max age and the exposed header carry its number.
func generation(n int) string {
	return fmt.Sprintf(`
policies:
  p:
    allow_origins: [https://shop.example.com]
    allow_methods: [PUT]
    expose_headers: [X-Generation-%d]
    max_age: %ds
default: {policies: [p]}
`, n, n)
}

// TestReloadUnderTraffic edits the policy file 1,000 times while requests flow, in every way in which editors write, some
// edits broken: no request fails, each answer is that of one good set, and sets never go back in time.
func TestReloadUnderTraffic(t *testing.T) { reloadUnderTraffic(t, "enforcing.yaml") }

func reloadUnderTraffic(t *testing.T, config string) {
	const edits, clients = 1000, 4
	g := start(t, setup{config: config, policies: generation(1)})
	var last atomic.Int64 // the greatest generation that was written
	last.Store(1)
	done := make(chan struct{})
	var requests, changes atomic.Int64
	var wait sync.WaitGroup
	for range clients {
		wait.Go(func() {
			seen := int64(0)
			for {
				select {
				case <-done:
					return
				default:
				}
				get, err := send(g.address, "GET", "api.example.com", "/", "Origin: https://shop.example.com")
				if err != nil || get.status != http.StatusOK {
					t.Errorf("GET: %v %v", get, err)
					return
				}
				preflight, err := send(g.address, "OPTIONS", "api.example.com", "/", "Origin: https://shop.example.com", "Access-Control-Request-Method: PUT")
				if err != nil || preflight.status != http.StatusNoContent {
					t.Errorf("preflight: %v %v", preflight, err)
					return
				}
				requests.Add(2)
				for _, text := range []string{strings.TrimPrefix(get.joined["access-control-expose-headers"], "X-Generation-"), preflight.joined["access-control-max-age"]} {
					n, err := strconv.ParseInt(text, 10, 64)
					if err != nil || n < seen || n > last.Load() {
						t.Errorf("generation %q after %d, with %d written", text, seen, last.Load())
						return
					}
					if n > seen {
						changes.Add(1)
					}
					seen = n
				}
				if "X-Generation-"+preflight.joined["access-control-max-age"] != preflight.joined["access-control-expose-headers"] {
					t.Errorf("a preflight of two sets: %v", preflight.header)
				}
			}
		})
	}
	for n := 2; n <= edits && !t.Failed(); n++ {
		last.Store(int64(n))
		edit(t, g.policyFile, n)
		if n%100 == 0 {
			// Let the file be still for long enough to be taken up, whatever was written last.
			if n%3 == 0 {
				edit(t, g.policyFile, n)
			}
			time.Sleep(300 * time.Millisecond)
		}
	}
	// The last edit is a good one, and comes into force.
	last.Store(edits + 1)
	if err := os.WriteFile(g.policyFile, []byte(generation(edits+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("X-Generation-%d", edits+1)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com").joined["access-control-expose-headers"] == want {
			break
		}
		if time.Now().After(deadline) {
			t.Error("the last edit never came into force")
			break
		}
	}
	close(done)
	wait.Wait()
	t.Logf("%d requests, %d times a client saw a new set", requests.Load(), changes.Load())
	if changes.Load() < 2*clients {
		t.Error("hardly any edit was taken up while requests flowed")
	}
}

// edit writes the n-th generation in one of the ways in which files are written.
func edit(t *testing.T, path string, n int) {
	t.Helper()
	var err error
	switch n % 5 {
	case 0: // in place
		err = os.WriteFile(path, []byte(generation(n)), 0o600)
	case 1: // beside, and renamed over
		temporary := filepath.Join(filepath.Dir(path), ".policies.tmp")
		if err = os.WriteFile(temporary, []byte(generation(n)), 0o600); err == nil {
			err = os.Rename(temporary, path)
		}
	case 2: // deleted and created
		if err = os.Remove(path); err == nil {
			err = os.WriteFile(path, []byte(generation(n)), 0o600)
		}
	case 3: // broken
		err = os.WriteFile(path, []byte("policies: {p: {allow_origins: [https://Shop.example.com/"), 0o600)
	case 4: // truncated
		err = os.WriteFile(path, nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
