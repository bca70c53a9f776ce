//go:build linux

package main

// Tested by bench_test.go.

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the CPU time, user and system, that the kernel has charged to a process. It is the clock behind
// utime and stime of proc(5), in nanoseconds where those are in hundredths of a second.
func cpuTime(pid int) (time.Duration, error) {
	const ofProcess = 2 // CPUCLOCK_SCHED of all threads; clock_getcpuclockid(3) makes the number in the same way
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|ofProcess, &t); err != nil {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// busyTime returns how long the machine's cores have worked, for whomever.
func busyTime() (time.Duration, error) {
	const tick = time.Second / 100 // USER_HZ, which is 100 on every architecture that Envoy has
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal guest guest_nice
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var busy time.Duration
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 { // not idle
			busy += time.Duration(n) * tick
		}
	}
	return busy, nil
}

// residentBytes returns how much memory of a process is in RAM.
func residentBytes(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm of process %d is %q", pid, text)
	}
	pages, err := strconv.Atoi(fields[1])
	return pages * os.Getpagesize(), err
}

// shareWatch tells how much of the machine others used since it was started.
type shareWatch struct {
	pids []int // ours
	at   time.Time
	busy time.Duration
	ours time.Duration
}

func watchShare(pids []int) (*shareWatch, error) {
	w := &shareWatch{pids: pids, at: time.Now()}
	var err error
	if w.ours, err = total(pids); err != nil {
		return nil, err
	}
	w.busy, err = busyTime()
	return w, err
}

// others returns the share, from 0 to 1, of all cores.
func (w *shareWatch) others() (float64, error) {
	ours, err := total(w.pids)
	if err != nil {
		return 0, err
	}
	busy, err := busyTime()
	if err != nil {
		return 0, err
	}
	foreign := (busy - w.busy) - (ours - w.ours)
	cores := time.Duration(runtime.NumCPU()) * time.Since(w.at)
	return max(0, float64(foreign)/float64(cores)), nil
}

func total(pids []int) (sum time.Duration, err error) {
	for _, pid := range pids {
		t, err := cpuTime(pid)
		if err != nil {
			return 0, err
		}
		sum += t
	}
	return sum, nil
}
