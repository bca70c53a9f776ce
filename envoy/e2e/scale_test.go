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

const (
	scaleFiles = 1000
	scaleHosts = 100 // of each file
)

// scaleFile is one of the files of a large set: a policy of its own for 100 virtual hosts. What it grants carries the
// number of its generation.
func scaleFile(n, generation int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `policies:
  team%d:
    allow_origins: [https://shop%d.example.com, "https://*.shop%d.example.com"]
    allow_methods: [PUT]
    allow_credentials: true
    expose_headers: [X-Generation-%d]
    max_age: %ds
virtual_hosts:
`, n, n, n, generation, generation)
	for h := range scaleHosts {
		fmt.Fprintf(&b, "  - {name: host%d-%d, domains: [%s], policies: [team%d]}\n", n, h, scaleHost(n, h), n)
	}
	return b.String()
}

func scaleHost(file, host int) string { return fmt.Sprintf("h%d.t%d.example.com", host, file) }

// TestReloadAtScale changes one of 1,000 files, which hold 100,000 virtual hosts together, while requests to hosts of many
// files flow: none fails, and every answer is that of one set.
func TestReloadAtScale(t *testing.T) {
	dir := t.TempDir()
	write := func(n, generation int) {
		t.Helper()
		path := filepath.Join(dir, fmt.Sprintf("team%d.yaml", n))
		if err := os.WriteFile(path+".new", []byte(scaleFile(n, generation)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	for n := range scaleFiles {
		write(n, 1)
	}
	g := start(t, setup{config: "enforcing.yaml", policyDir: dir})

	const changed = scaleFiles / 2
	var newest atomic.Int64
	newest.Store(1)
	// ask sends both kinds of requests to a host, and returns the generations that answered.
	ask := func(file, host int) (preflight, actual int, err error) {
		origin := fmt.Sprintf("Origin: https://pr-7.shop%d.example.com", file)
		number := func(a answer, err error, status int) (int, error) {
			if err != nil || a.status != status {
				return 0, fmt.Errorf("status %d, %v", a.status, err)
			}
			return strconv.Atoi(strings.TrimPrefix(a.joined["access-control-expose-headers"], "X-Generation-"))
		}
		a, err := send(g.address, "OPTIONS", scaleHost(file, host), "/", origin, "Access-Control-Request-Method: PUT")
		if preflight, err = number(a, err, http.StatusNoContent); err != nil {
			return 0, 0, fmt.Errorf("preflight: %w", err)
		}
		if a.joined["access-control-max-age"] != strconv.Itoa(preflight) {
			return 0, 0, fmt.Errorf("a preflight of two sets: %v", a.header)
		}
		a, err = send(g.address, "PUT", scaleHost(file, host), "/", origin)
		if actual, err = number(a, err, http.StatusOK); err != nil {
			return 0, 0, fmt.Errorf("actual request: %w", err)
		}
		return preflight, actual, nil
	}
	done := make(chan struct{})
	var wait sync.WaitGroup
	var requests atomic.Int64
	for client := range 4 {
		wait.Go(func() {
			seen := 1
			for i := client; ; i += 7 {
				select {
				case <-done:
					return
				default:
				}
				file, host := i%scaleFiles, i%scaleHosts
				if i%3 == 0 {
					file = changed
				}
				preflight, actual, err := ask(file, host)
				requests.Add(2)
				least, most := 1, 1
				if file == changed {
					least, most = seen, int(newest.Load())
					seen = actual
				}
				if err != nil || preflight < least || actual < preflight || actual > most {
					t.Errorf("%s: generations %d and %d, want from %d to %d: %v", scaleHost(file, host), preflight, actual, least, most, err)
					return
				}
			}
		})
	}
	before := requests.Load()
	for generation := 2; generation <= 3 && !t.Failed(); generation++ {
		began := time.Now()
		newest.Store(int64(generation))
		write(changed, generation)
		eventually(t, "the change is in force", func() bool {
			_, actual, err := ask(changed, 1)
			return err == nil && actual == generation
		})
		t.Logf("generation %d was in force after %s", generation, time.Since(began).Round(time.Millisecond))
	}
	if requests.Load()-before < 100 {
		t.Errorf("only %d requests while sets were loaded", requests.Load()-before)
	}
	close(done)
	wait.Wait()
	t.Logf("%d requests", requests.Load())
}
