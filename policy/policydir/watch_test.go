package policydir_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/corsproc/corsproc/policy/policydir"
)

// watching is a loader that watches a real path.
type watching struct {
	t        *testing.T
	attempts chan policydir.Attempt
}

// watch loads a path, which holds good1, and watches it until the test ends. A change before the watch is established
// is found by the look with which it starts.
func watch(t *testing.T, path string, interval time.Duration) *watching {
	w := &watching{t: t, attempts: make(chan policydir.Attempt, 100)}
	loader := policydir.NewLoader(path, nil)
	if a := loader.Load(); !a.Good() {
		t.Fatal(a.Err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- policydir.Watch(ctx, path, interval, nil, func() {
			if a := loader.Load(); !a.Unchanged {
				w.attempts <- a
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the watch does not end")
		}
	})
	return w
}

// expect waits for a good set that has exactly these policies; attempts that fail on the way are fine, an other good
// set is not.
func (w *watching) expect(policies ...string) {
	w.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case a := <-w.attempts:
			if !a.Good() {
				continue
			}
			if got := slices.Sorted(a.Result.Set.Policies()); !slices.Equal(got, policies) {
				w.t.Fatalf("policies %v, want %v", got, policies)
			}
			return
		case <-deadline:
			w.t.Fatalf("the change to %v is not taken up", policies)
		}
	}
}

// expectBad waits for an attempt that fails.
func (w *watching) expectBad() {
	w.t.Helper()
	select {
	case a := <-w.attempts:
		if a.Good() {
			w.t.Fatal("good")
		}
	case <-time.After(10 * time.Second):
		w.t.Fatal("the change is not taken up")
	}
}

// rename puts data at path by way of another file, as careful editors do.
func rename(t *testing.T, path, data string) {
	t.Helper()
	write(t, path+"~", data)
	do(t, os.Rename(path+"~", path))
}

// swap lets the symbolic link at path lead to target, at once.
func swap(t *testing.T, target, path string) {
	t.Helper()
	do(t, os.Symlink(target, path+"_tmp"), os.Rename(path+"_tmp", path))
}

func makeFile(t *testing.T, path, data string) {
	t.Helper()
	do(t, os.MkdirAll(filepath.Dir(path), 0o755))
	write(t, path, data)
}

// TestWatch changes a path in every way that is seen in practice. No case has the slow look, but the one that needs it.
func TestWatch(t *testing.T) {
	for _, c := range []struct {
		name  string
		path  string // under the test's directory
		poll  time.Duration
		setup func(t *testing.T, dir string)
		run   func(t *testing.T, dir string, w *watching)
	}{
		{name: "in place", path: "p.yaml", run: func(t *testing.T, dir string, w *watching) {
			write(t, dir+"/p.yaml", good2)
			w.expect("two")
			write(t, dir+"/p.yaml", good1)
			w.expect("one")
		}},
		{name: "by renaming", path: "p.yaml", run: func(t *testing.T, dir string, w *watching) {
			rename(t, dir+"/p.yaml", good2)
			w.expect("two")
			rename(t, dir+"/p.yaml", good1)
			w.expect("one")
		}},
		{name: "truncated, emptied, broken", path: "p.yaml", run: func(t *testing.T, dir string, w *watching) {
			do(t, os.Truncate(dir+"/p.yaml", 0))
			w.expectBad()
			write(t, dir+"/p.yaml", good1[:10])
			w.expectBad()
			write(t, dir+"/p.yaml", good1)
			w.expect("one")
		}},
		{name: "deleted and made again", path: "p.yaml", run: func(t *testing.T, dir string, w *watching) {
			do(t, os.Remove(dir+"/p.yaml"))
			w.expectBad()
			write(t, dir+"/p.yaml", good2)
			w.expect("two")
		}},
		{name: "moved away and made again", path: "p.yaml", run: func(t *testing.T, dir string, w *watching) {
			do(t, os.Rename(dir+"/p.yaml", dir+"/p.yaml.old"))
			write(t, dir+"/p.yaml", good2)
			w.expect("two")
		}},
		{name: "directory: files come and go", path: ".", run: func(t *testing.T, dir string, w *watching) {
			write(t, dir+"/q.yaml", good2)
			w.expect("one", "two")
			do(t, os.Remove(dir+"/p.yaml"))
			w.expect("two")
			write(t, dir+"/q.yaml", good1)
			w.expect("one")
		}},
		{name: "directory deleted and made again", path: "d", setup: func(t *testing.T, dir string) {
			makeFile(t, dir+"/d/p.yaml", good1)
		}, run: func(t *testing.T, dir string, w *watching) {
			for range 3 {
				do(t, os.RemoveAll(dir+"/d"))
				w.expectBad()
				makeFile(t, dir+"/d/p.yaml", good2)
				w.expect("two")
			}
			write(t, dir+"/d/p.yaml", good1)
			w.expect("one")
		}},
		{name: "directory of the file deleted and made again", path: "d/e/p.yaml", setup: func(t *testing.T, dir string) {
			makeFile(t, dir+"/d/e/p.yaml", good1)
		}, run: func(t *testing.T, dir string, w *watching) {
			do(t, os.RemoveAll(dir+"/d"))
			w.expectBad()
			makeFile(t, dir+"/d/e/p.yaml", good2)
			w.expect("two")
			write(t, dir+"/d/e/p.yaml", good1)
			w.expect("one")
		}},
		{name: "directory replaced", path: "d", setup: func(t *testing.T, dir string) {
			makeFile(t, dir+"/d/p.yaml", good1)
			makeFile(t, dir+"/new/p.yaml", good2)
		}, run: func(t *testing.T, dir string, w *watching) {
			do(t, os.Rename(dir+"/d", dir+"/old"), os.Rename(dir+"/new", dir+"/d"))
			w.expect("two")
			write(t, dir+"/d/p.yaml", good1)
			w.expect("one")
		}},
		{name: "ConfigMap", path: "m", setup: func(t *testing.T, dir string) {
			makeFile(t, dir+"/m/..1/p.yaml", good1)
			do(t, os.Symlink("..1", dir+"/m/..data"), os.Symlink("..data/p.yaml", dir+"/m/p.yaml"))
		}, run: func(t *testing.T, dir string, w *watching) {
			makeFile(t, dir+"/m/..2/p.yaml", good2)
			swap(t, "..2", dir+"/m/..data")
			do(t, os.RemoveAll(dir+"/m/..1"))
			w.expect("two")
			makeFile(t, dir+"/m/..3/p.yaml", good1)
			swap(t, "..3", dir+"/m/..data")
			do(t, os.RemoveAll(dir+"/m/..2"))
			w.expect("one")
		}},
		{name: "ConfigMap, file named", path: "m/p.yaml", setup: func(t *testing.T, dir string) {
			makeFile(t, dir+"/m/..1/p.yaml", good1)
			do(t, os.Symlink("..1", dir+"/m/..data"), os.Symlink("..data/p.yaml", dir+"/m/p.yaml"))
		}, run: func(t *testing.T, dir string, w *watching) {
			makeFile(t, dir+"/m/..2/p.yaml", good2)
			swap(t, "..2", dir+"/m/..data")
			w.expect("two")
		}},
		{name: "link to the directory swapped", path: "current/p.yaml", setup: func(t *testing.T, dir string) {
			makeFile(t, dir+"/v1/p.yaml", good1)
			makeFile(t, dir+"/v2/p.yaml", good2)
			do(t, os.Symlink("v1", dir+"/current"))
		}, run: func(t *testing.T, dir string, w *watching) {
			swap(t, "v2", dir+"/current")
			w.expect("two")
			write(t, dir+"/v2/p.yaml", good1)
			w.expect("one")
		}},
		{name: "link further up swapped", path: "current/a/b/p.yaml", poll: 50 * time.Millisecond, setup: func(t *testing.T, dir string) {
			makeFile(t, dir+"/v1/a/b/p.yaml", good1)
			makeFile(t, dir+"/v2/a/b/p.yaml", good2)
			do(t, os.Symlink("v1", dir+"/current"))
		}, run: func(t *testing.T, dir string, w *watching) {
			swap(t, "v2", dir+"/current")
			w.expect("two")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if c.setup != nil {
				c.setup(t, dir)
			} else {
				write(t, dir+"/p.yaml", good1)
			}
			c.run(t, dir, watch(t, filepath.Join(dir, c.path), c.poll))
		})
	}
}

// TestWatchRests: a file that keeps changing is read now and then, an unchanged one is not reported.
func TestWatchRests(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.yaml")
	write(t, path, good1)
	w := watch(t, path, 20*time.Millisecond)
	stop := time.After(3 * time.Second)
	for writing := true; writing; {
		select {
		case a := <-w.attempts:
			t.Fatalf("the same content is reported: %v", a)
		case <-stop:
			writing = false
		default:
			rename(t, path, good1)
		}
	}
	rename(t, path, good2)
	w.expect("two")
}

// TestWatchWaitsForRest appends to a file for longer than bursts of events are waited for; every beginning of it is
// valid, and only the whole is taken up.
func TestWatchWaitsForRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policies.yaml")
	do(t, os.WriteFile(path, []byte("virtual_hosts:\n"+host(0)), 0o600))
	hosts := make(chan int, 100)
	l := policydir.NewLoader(path, nil)
	l.Load()
	go policydir.Watch(t.Context(), path, 0, nil, func() {
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
	l := policydir.NewLoader(link, nil)
	l.Load()
	go policydir.Watch(t.Context(), link, 0, nil, func() {
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
