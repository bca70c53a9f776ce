//go:build cgo

package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/corsproc/corsproc/envoy/module/fakeenvoy"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/server/logs"
)

// newConfig makes a configuration that the test destroys.
func newConfig(t *testing.T, config string) *fakeenvoy.Config {
	t.Helper()
	fakeenvoy.Logged()
	c := fakeenvoy.NewConfig(config)
	if c == nil {
		t.Fatalf("rejected: %v", fakeenvoy.Logged())
	}
	c.Run()
	return c
}

// eventually waits for something that a goroutine does.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// reads waits until Envoy was told of an attempt to load the policies.
func reads(t *testing.T, c *fakeenvoy.Config) {
	t.Helper()
	eventually(t, "the policies are loaded", func() bool { return c.Run() > 0 })
}

func grants(c *fakeenvoy.Config, origin string) bool {
	got := c.Do(request("GET", "/", "origin: "+origin), false, nil)
	return values(got.Response, "access-control-allow-origin") == origin
}

// TestReload: a good set replaces the one in force, a broken one does not, and both are counted.
func TestReload(t *testing.T) {
	path, config := writePolicies(t, shop)
	c := newConfig(t, config)
	defer c.Destroy()
	check := func(what string, shop, other bool, successes, failures, last int) {
		t.Helper()
		for range 2 { // decided, and kept
			if grants(c, "https://shop.example") != shop || grants(c, "https://other.example") != other {
				t.Errorf("%s: the grants are others", what)
			}
		}
		for stat, want := range map[string]int{"success": successes, "failure": failures} {
			if got := c.Stat("policy_reloads", stat); got != want {
				t.Errorf("%s: policy_reloads{%s} is %d, want %d", what, stat, got, want)
			}
		}
		if got := c.Stat("policy_last_reload_successful"); got != last {
			t.Errorf("%s: policy_last_reload_successful is %d", what, got)
		}
	}
	check("at first", true, false, 1, 0, 1)
	hash := c.Stat("policy_hash")

	// A request that was decided before goes on as it began.
	began := c.NewStream(request("GET", "/", "origin: https://shop.example"))
	began.OnRequest()
	replace(t, path, strings.ReplaceAll(shop, "https://shop.example", "https://other.example"))
	reads(t, c)
	check("another set", false, true, 2, 0, 1)
	if c.Stat("policy_hash") == hash {
		t.Error("policy_hash is the same for another set")
	}
	began.OnResponse(lines(":status: 200"))
	if values(began.Outcome().Response, "access-control-allow-origin") != "https://shop.example" {
		t.Error("the second phase of a request is of another set")
	}
	began.Destroy()

	hash = c.Stat("policy_hash")
	fakeenvoy.Logged()
	replace(t, path, "policies: {shop: {allow_origin: []}}\n")
	reads(t, c)
	check("a broken file", false, true, 2, 1, 0)
	if c.Stat("policy_hash") != hash {
		t.Error("policy_hash is not that of the set in force")
	}
	var all strings.Builder
	for _, line := range fakeenvoy.Logged() {
		all.WriteString(line.Text + "\n")
	}
	for _, want := range []string{"the last good set stays in force", "code=unknown-key", path + ":1:19"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, all.String())
		}
	}
	if fakeenvoy.NewConfig(config) != nil {
		t.Error("a further filter takes a broken file")
	}
	check("a further filter", false, true, 2, 1, 0)

	replace(t, path, shop)
	reads(t, c)
	check("as at first", true, false, 3, 1, 1)
}

// hashes returns what of all sets in force is shown as their hash.
func hashes() (sum int) {
	sources.mu.Lock()
	defer sources.mu.Unlock()
	for _, src := range sources.byPath {
		sum += int(hash48(src.current.Load().result.Hash))
	}
	return sum % (1 << 48)
}

// TestFailingPath: filters of one metrics_namespace have one gauge, which says that a path does not load until it does, or nobody
// names it any more, whatever others do.
func TestFailingPath(t *testing.T) {
	path, config := writePolicies(t, shop)
	otherPath, otherConfig := writePolicies(t, shop)
	a, b := newConfig(t, config), newConfig(t, otherConfig)
	defer b.Destroy()
	check := func(what string, want int) {
		t.Helper()
		a.Run()
		b.Run()
		if sum := hashes(); b.Stat("policy_hash") != sum {
			t.Errorf("%s: policy_hash is %d, want %d", what, b.Stat("policy_hash"), sum)
		}
		if got := b.Stat("policy_last_reload_successful"); got != want {
			t.Errorf("%s: policy_last_reload_successful is %d, want %d", what, got, want)
		}
	}
	check("at first", 1)
	replace(t, path, "policies: {shop: {allow_origin: []}}\n")
	reads(t, a)
	check("another path is broken", 0)
	replace(t, otherPath, strings.ReplaceAll(shop, "https://shop.example", "https://other.example"))
	eventually(t, "the other path is loaded", func() bool { b.Run(); return grants(b, "https://other.example") })
	check("it is broken still", 0)
	if fakeenvoy.NewConfig(configOf(path+".missing")) != nil {
		t.Error("a missing file is taken")
	}
	check("a configuration was rejected", 0)
	replace(t, path, shop)
	reads(t, a)
	check("it is mended", 1)
	replace(t, path, "policies: {shop: {allow_origin: []}}\n")
	reads(t, a)
	check("it is broken again", 0)
	a.Destroy()
	a = newConfig(t, otherConfig)
	defer a.Destroy()
	check("nobody names it any more", 1)
}

// TestReloadPanic: a fault of ours in a reload is a failed one, and the next one is as if nothing had been.
func TestReloadPanic(t *testing.T) {
	path, config := writePolicies(t, shop)
	c := newConfig(t, config)
	defer c.Destroy()
	src := sources.byPath[path]
	swap := func(l *policydir.Loader) (old *policydir.Loader) {
		src.loading.Lock()
		defer src.loading.Unlock()
		old, src.loader = src.loader, l
		return old
	}
	good := swap(nil) // whoever loads now meets a nil pointer
	fakeenvoy.Logged()
	panics = logs.Throttle{Interval: panics.Interval} // an earlier test may have been logged just now
	replace(t, path, strings.ReplaceAll(shop, "https://shop.example", "https://other.example"))
	reads(t, c)
	if n, last := c.Stat("policy_reloads", "failure"), c.Stat("policy_last_reload_successful"); n != 1 || last != 0 {
		t.Errorf("%d failures, policy_last_reload_successful is %d", n, last)
	}
	if !grants(c, "https://shop.example") {
		t.Error("the last good set is not in force")
	}
	var logged string
	for _, line := range fakeenvoy.Logged() {
		logged += line.Text + "\n"
	}
	if !strings.Contains(logged, "internal error, please report it") {
		t.Errorf("logged %s", logged)
	}
	swap(good)
	replace(t, path, shop)
	reads(t, c)
	if n, last := c.Stat("policy_reloads", "success"), c.Stat("policy_last_reload_successful"); n != 2 || last != 1 || !grants(c, "https://shop.example") {
		t.Errorf("the content of before: %d successes, policy_last_reload_successful is %d", n, last)
	}
	replace(t, path, strings.ReplaceAll(shop, "https://shop.example", "https://third.example"))
	reads(t, c)
	if !grants(c, "https://third.example") || c.Stat("policy_last_reload_successful") != 1 {
		t.Error("the watch does not go on")
	}
}

// TestUntilDone: a goroutine of the module goes on after a fault of ours, and ends with its work, or when nobody needs that.
func TestUntilDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began, times := time.Now(), 0
		untilDone(ctx, func() {
			if times++; times < 3 {
				panic("fault")
			}
		})
		if took := time.Since(began); times != 3 || took != 2*afterFault {
			t.Errorf("%d times in %v", times, took)
		}
		untilDone(ctx, func() {
			times++
			cancel()
			panic("fault")
		})
		if times != 4 {
			t.Errorf("%d times", times)
		}
	})
}

// watchers returns how many goroutines watch policies.
func watchers() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "policydir.Watch(")
}

// TestOneWatcher: however many filters name a path, it is watched once, with the interval of the latest, and not at all when the
// last of them is gone.
func TestOneWatcher(t *testing.T) {
	path, config := writePolicies(t, shop)
	other, otherConfig := writePolicies(t, shop)
	a, b, d := newConfig(t, config), newConfig(t, config), newConfig(t, otherConfig)
	if n := len(sources.byPath); n != 2 {
		t.Errorf("%d sources", n)
	}
	eventually(t, "two watchers", func() bool { return watchers() == 2 })
	if got := b.Stat("policy_reloads", "success"); got != 0 {
		t.Errorf("one load is counted %d times more", got)
	}
	if a.Stat("policy_hash") != b.Stat("policy_hash") {
		t.Error("the second filter has another hash")
	}

	a.Destroy()
	if src := sources.byPath[path]; src == nil || len(src.users) != 1 {
		t.Error("the source is gone with the first of two filters")
	}
	b.Run() // what the third had it told
	replace(t, path, strings.ReplaceAll(shop, "https://shop.example", "https://other.example"))
	reads(t, b)
	if !grants(b, "https://other.example") || !grants(d, "https://shop.example") {
		t.Error("a filter has the set of another path")
	}

	e := newConfig(t, configWith(path, map[string]any{"reload-interval": "0"}))
	if src := sources.byPath[path]; src.interval != 0 {
		t.Errorf("the interval is %v", src.interval)
	}
	b.Destroy()
	eventually(t, "one watcher a path", func() bool { return watchers() == 2 })
	replace(t, path, shop)
	reads(t, e)
	e.Destroy()
	d.Destroy()
	eventually(t, "no watcher", func() bool { return watchers() == 0 })
	if n := len(sources.byPath); n != 0 {
		t.Errorf("%d sources are left", n)
	}
	_ = os.Remove(other)

	numbers := len(*sources.byID.Load())
	again := newConfig(t, config)
	defer again.Destroy()
	if len(*sources.byID.Load()) != numbers {
		t.Error("numbers of sources are not used again")
	}
	if !grants(again, "https://shop.example") {
		t.Error("a path that nobody named for a while is not loaded anew")
	}
}

// TestSpellings: one path has one watcher, however it is written, and messages have what was written. Where a link may be in the way,
// paths are not taken for one.
func TestSpellings(t *testing.T) {
	const other = "https://other.example"
	dir := filepath.Join(t.TempDir(), "dir")
	elsewhere := t.TempDir()
	for _, folder := range []string{dir, filepath.Join(elsewhere, "sub")} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Dir(dir))
	replace(t, "dir/a.yaml", shop)
	replace(t, filepath.Join(elsewhere, "dir.yaml"), strings.ReplaceAll(shop, "https://shop.example", other))
	replace(t, "dir.yaml", shop)
	if err := os.Symlink(filepath.Join(elsewhere, "sub"), "link"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"dir", dir, "dir/", "./dir", ".//dir/.", dir + "//"} {
		c := newConfig(t, configOf(path))
		defer c.Destroy()
		if n := len(sources.byPath); n != 1 {
			t.Errorf("%s: %d sources", path, n)
		}
	}
	if got := sources.at(0).path; got != "dir" {
		t.Errorf("it is called %s", got)
	}
	for path, origin := range map[string]string{"dir.yaml": "https://shop.example", "link/../dir.yaml": other} {
		c := newConfig(t, configOf(path))
		defer c.Destroy()
		if !grants(c, origin) {
			t.Errorf("%s: it has the policies of another path", path)
		}
	}
	if n := len(sources.byPath); n != 3 {
		t.Errorf("%d sources", n)
	}
	eventually(t, "a watcher a path", func() bool { return watchers() == 3 })
}

// TestDirectory: policies may be a directory.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	replace(t, filepath.Join(dir, "a.yaml"), shop)
	replace(t, filepath.Join(dir, "b.yaml"), "default: {policies: [none]}\n")
	c := newConfig(t, configOf(dir))
	defer c.Destroy()
	if !grants(c, "https://shop.example") {
		t.Error("the directory is not read")
	}
}

// TestRefusals: a refusal is logged once with its place, also where it is kept, and at the level that is asked for.
func TestRefusals(t *testing.T) {
	path, config := writePolicies(t, shop)
	c := newConfig(t, config)
	defer c.Destroy()
	for range 3 {
		c.Do(request("GET", "/", "origin: https://evil.example"), false, nil)
	}
	c.Do(request("GET", "/", "origin: https://e\x1bvil.example"), false, nil)
	var logged []string
	eventually(t, "two refusals are logged", func() bool {
		for _, line := range fakeenvoy.Logged() {
			if strings.Contains(line.Text, "refused virtual_host") {
				logged = append(logged, line.Text)
			}
			checkPlace(t, line)
		}
		return len(logged) == 2
	})
	for i, want := range []string{
		"corsproc: refused virtual_host=api policy=\"\" kind=actual verdict=refused reason=origin_not_allowed origin=https://evil.example method=GET rule=" + path + ":10:15",
		`origin="\"https://e\\x1bvil.example\""`,
	} {
		if !strings.Contains(logged[i], want) {
			t.Errorf("logged %s, want %s", logged[i], want)
		}
	}

	quiet := newConfig(t, configWith(path, map[string]any{"log-level": "warn"}))
	defer quiet.Destroy()
	c.Do(request("GET", "/", "origin: https://another.example"), false, nil)
	if sources.at(0).log.Enabled(t.Context(), 0) {
		t.Error("log-level is not taken over")
	}
}
