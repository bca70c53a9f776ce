package disk

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/corsproc/corsproc/internal/fault"
)

// hang is work that asks for name and gets no answer until free is closed.
func hang(name string, free <-chan struct{}, runs *int) func(*Run) (string, error) {
	return func(r *Run) (string, error) {
		*runs++
		if err := r.At(name); err != nil {
			return "", err
		}
		<-free
		return "late", r.At(name)
	}
}

func answer(*Run) (string, error) { return "answer", nil }

// TestSilence: a disk that does not answer is waited for once, however often it is asked, and works again when it does.
func TestSilence(t *testing.T) {
	name := filepath.Join(t.TempDir(), "policies.yaml")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var task Task
		runs, free, before := 0, make(chan struct{}), time.Now()
		goroutines := 0
		for i := range 50 {
			_, err := Do(&task, hang(name, free, &runs))
			if silent := (*SilentError)(nil); !errors.As(err, &silent) || err.Error() != name+" does not answer: it could not be read within 5s" {
				t.Fatalf("%d: %v", i, err)
			}
			synctest.Wait()
			if n := runtime.NumGoroutine(); i == 0 {
				goroutines = n
			} else if n > goroutines+10 { // one for each of the runs would be many more; the runtime starts a few of its own
				t.Fatalf("%d goroutines after %d runs, %d after the first", n, i+1, goroutines)
			}
		}
		if took := time.Since(before); took != Silence || runs != 1 {
			t.Errorf("waited for %v, in %d runs", took, runs)
		}
		close(free)
		synctest.Wait()
		if got, err := Do(&task, answer); got != "answer" || err != nil {
			t.Errorf("afterwards: %q, %v", got, err)
		}
	})
}

// TestReplaced: what does not answer is asked for again when something else stands under its name, a bounded number of
// times.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "policies.yaml")
	replace := func(target string) {
		t.Helper()
		if err := errors.Join(os.Symlink(target, name+"~"), os.Rename(name+"~", name)); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var task Task
		runs, free := 0, make(chan struct{})
		defer close(free)
		for n := range 20 {
			replace(strings.Repeat("x", n+1))
			_, err := Do(&task, hang(name, free, &runs))
			if restart := strings.HasSuffix(err.Error(), "a restart is needed"); restart != (n > maxLeft) {
				t.Errorf("%d: %v", n, err)
			}
		}
		if runs != maxLeft+1 {
			t.Errorf("%d runs are left behind", runs)
		}

		var other Task
		_, err := Do(&other, hang(name, free, &runs))
		replace("good")
		if got, again := Do(&other, answer); err == nil || again != nil || got != "answer" {
			t.Errorf("%v, then %q, %v", err, got, again)
		}
	})
}

// TestDrip: what answers again and again and never ends is left behind too, and ends by itself.
func TestDrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var task Task
		before, ended := time.Now(), make(chan error, 1)
		_, err := Do(&task, func(r *Run) (string, error) {
			for {
				if err := r.At("drip"); err != nil {
					ended <- err
					return "", err
				}
				time.Sleep(Silence - time.Second)
			}
		})
		if took := time.Since(before); err == nil || err.Error() != "drip does not answer: it could not be read within 1m0s" || took != Longest {
			t.Errorf("%v after %v", err, took)
		}
		if err := <-ended; err == nil {
			t.Error("it goes on")
		}
		if got, err := Do(&task, answer); err != nil {
			t.Errorf("afterwards: %q, %v", got, err)
		}
	})
}

// TestFault: a panic of the work is one of whoever waits for it, or of the next who asks, and the task works again.
func TestFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var task Task
		faults := func(what string, do func()) {
			t.Helper()
			defer func() {
				if met := fault.Of(recover()); met == nil || met.Value != "fault" {
					t.Errorf("%s: recovered %v", what, met)
				}
				if got, err := Do(&task, answer); got != "answer" || err != nil {
					t.Errorf("%s: afterwards %q, %v", what, got, err)
				}
			}()
			do()
			t.Errorf("%s: it is lost", what)
		}
		faults("waited for", func() { _, _ = Do(&task, func(*Run) (string, error) { panic("fault") }) })

		free := make(chan struct{})
		_, err := Do(&task, func(*Run) (string, error) {
			<-free
			panic("fault")
		})
		if silent := (*SilentError)(nil); !errors.As(err, &silent) {
			t.Errorf("left behind: %v", err)
		}
		close(free)
		synctest.Wait()
		faults("left behind", func() { _, _ = Do(&task, answer) })

		looks := Task{stuck: newRun(), look: lookAt(nil)}
		defer func() {
			if recover() == nil {
				t.Error("the fault of a look is lost")
			}
		}()
		_, _ = Do(&looks, answer)
	})
}

// TestSlow: a disk that is slow and answers is waited for.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := Do(new(Task), func(r *Run) (string, error) {
			for range 10 {
				time.Sleep(Silence - time.Second)
				if err := r.At("."); err != nil {
					return "", err
				}
			}
			return "whole", nil
		})
		if got != "whole" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestReadFile reads what is there and refuses, without opening it, what is no regular file.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	file, pipe, link := filepath.Join(dir, "file"), filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	err := errors.Join(os.WriteFile(file, []byte("0123456789"), 0o600), syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/zero", link))
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]string{100: "0123456789", 10: "0123456789", 9: "0123456789", 3: "0123", 0: "0"} {
		if got, err := ReadFile(new(Task), file, limit); string(got) != want || err != nil {
			t.Errorf("at most %d: %q, %v", limit, got, err)
		}
	}
	for _, name := range []string{pipe, link, dir} {
		if _, err := ReadFile(new(Task), name, 10); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGrowingFile: a file that says it has no size, as those of /proc do, is read to its end and no further than allowed.
func TestGrowingFile(t *testing.T) {
	const name = "/proc/self/maps"
	whole, err := ReadFile(new(Task), name, 1<<20)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("SKIPPED, not tested: no /proc here")
	}
	if err != nil || len(whole) < 1000 {
		t.Errorf("%d bytes, %v", len(whole), err)
	}
	if some, err := ReadFile(new(Task), name, 100); err != nil || len(some) != 101 {
		t.Errorf("%d bytes, %v", len(some), err)
	}
}
