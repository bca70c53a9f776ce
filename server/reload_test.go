package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/server/admin"
	"github.com/corsproc/corsproc/server/logs"
	"github.com/corsproc/corsproc/server/logtest"
)

// slowFiles are policy files of which a load takes a second, and finds what they hold when it begins.
type slowFiles struct {
	*policies
	log logtest.Buffer

	mu     sync.Mutex
	policy string // the name of the one policy that they define; "" where they are bad
	loads  int    // how many have begun
	busy   bool   // one is going on
}

func newSlowFiles(t *testing.T) *slowFiles {
	f := &slowFiles{policy: "first"}
	f.policies = newPolicies("policies.yaml", admin.NewMetrics(admin.Build{}), logs.New(&f.log, logs.JSON, 0))
	last := ""
	f.read = func() policydir.Attempt {
		f.mu.Lock()
		if f.busy {
			t.Error("two loads at once")
		}
		f.busy = true
		f.loads++
		text := f.policy
		f.mu.Unlock()
		time.Sleep(time.Second)
		content := policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: []byte("policies: {" + text + ": {}}\n")}}}
		a := policydir.Attempt{Time: time.Now(), Result: content.Compile(), Unchanged: text == last}
		f.mu.Lock()
		last, f.busy = text, false
		f.mu.Unlock()
		return a
	}
	return f
}

func (f *slowFiles) write(policy string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.policy = policy
}

// begun returns how many loads have begun.
func (f *slowFiles) begun() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loads
}

// defines reports whether an attempt found the one policy of that name, or a fault where it is "".
func defines(a policydir.Attempt, policy string) bool {
	if policy == "" {
		return !a.Good()
	}
	return a.Good() && slices.Equal(slices.Collect(a.Result.Set.Policies()), []string{policy})
}

// TestReloadsAreInOrder: everybody who asks gets what a load found that began after they asked, one load at a time; those
// who only tell that something may have changed are heard once each time.
func TestReloadsAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSlowFiles(t)
		f.take(f.read())
		ctx, cancel := context.WithCancel(t.Context())
		go f.run(ctx)
		if f.hangUp(); !haveBegun(f, 2) {
			t.Fatal("SIGHUP loads nothing")
		}

		// While that load goes on, the files change, and everybody asks at once.
		answers := make(chan policydir.Attempt, 3)
		f.write("second")
		for range cap(answers) {
			go func() { answers <- f.load() }()
		}
		for range 100 {
			f.hangUp()
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		if n := f.begun(); n != 2+3+1 {
			t.Errorf("%d loads, want the two before, one for each who waits, and one for 100 signals", n)
		}
		for range cap(answers) {
			if a := <-answers; !defines(a, "second") {
				t.Errorf("answered with %+v", a)
			}
		}
		if !defines(*f.last.Load(), "second") || f.status().InForce.Hash != f.last.Load().Result.Hash {
			t.Error("the second set is not in force")
		}

		// A fault leaves the last good set where it is, and is the latest that is told.
		f.write("")
		if a := f.load(); !defines(a, "") || a.Unchanged {
			t.Errorf("a bad file: %+v", a)
		}
		if a := f.load(); !defines(a, "") || !a.Unchanged {
			t.Errorf("the same bad file: %+v", a)
		}
		if s := f.status(); slices.Collect(s.InForce.Set.Policies())[0] != "second" || !defines(s.Last, "") {
			t.Errorf("after a bad file: %+v", s)
		}
		var told []string
		for _, r := range f.log.Take(t) {
			told = append(told, r["msg"].(string))
		}
		if want := []string{"policies loaded", "policies loaded", "policies not loaded; the last good set stays in force", "policy error"}; !slices.Equal(told, want) {
			t.Errorf("logged: %q", told)
		}

		// Who waits when the process ends is answered, and so is who comes later.
		for range cap(answers) {
			go func() { answers <- f.load() }()
		}
		synctest.Wait()
		cancel()
		stopped := 0
		for range cap(answers) {
			if a := <-answers; a.Err == errStopped {
				stopped++
			}
		}
		if a := f.load(); a.Err != errStopped || stopped != cap(answers)-1 { // but for the load that goes on
			t.Errorf("at the end %d are told so, and then %+v", stopped, a)
		}
		f.hangUp()
	})
}

// haveBegun lets what can happen now happen, and reports whether that many loads have begun.
func haveBegun(f *slowFiles, loads int) bool {
	synctest.Wait()
	return f.begun() == loads
}

// TestManyFaultsAreLogged: of a file with very many faults the log holds some, and how many there are beside them.
func TestManyFaultsAreLogged(t *testing.T) {
	r := start(t, somePolicies, nil)
	const faults = maxLoggedFindings + 50
	var bad strings.Builder
	bad.WriteString("policies:\n")
	for i := range faults {
		fmt.Fprintf(&bad, "  p%d: {allow_origins: ['https://Shop.example.com']}\n", i)
	}
	r.write(bad.String())
	if code, body := r.http("POST", "/-/reload"); code != 400 || strings.Count(body, "Shop.example.com") < faults {
		t.Errorf("reloading: %d, and %d bytes", code, len(body))
	}
	before := r.records
	rest := r.logged("further policy errors are not logged")
	if n, ok := rest["count"].(float64); !ok || n < 50 {
		t.Errorf("logged as %v, after %d others", rest, len(before))
	}
}

// TestReloadFault: a fault of ours in a load is a failed attempt. The last good set stays, and the same content counts as loaded again.
func TestReloadFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSlowFiles(t)
		ctx, stop := context.WithCancel(t.Context())
		f.take(f.read())
		go f.run(ctx)
		read := f.read
		steps := []struct {
			name string
			read func() policydir.Attempt
			good bool
			news bool
		}{
			{"a fault", func() policydir.Attempt { panic("the files are cursed") }, false, true},
			{"the content of before", read, true, true},
			{"the same again", read, true, false},
		}
		for _, step := range steps {
			f.read = step.read
			a := f.load()
			if a.Good() != step.good || a.Unchanged == step.news {
				t.Errorf("%s: good %v, unchanged %v, %v", step.name, a.Good(), a.Unchanged, a.Err)
			}
			if last := f.status(); last.Last.Good() != step.good || !defines(policydir.Attempt{Result: last.InForce}, "first") {
				t.Errorf("%s: the last attempt was good: %v", step.name, last.Last.Good())
			}
		}
		if log := fmt.Sprint(f.log.Take(t)); !strings.Contains(log, "a bug in corsproc ended a load") || !strings.Contains(log, "TestReloadFault") {
			t.Errorf("logged: %s", log)
		}
		stop()
	})
}
