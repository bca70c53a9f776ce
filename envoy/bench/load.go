//go:build linux

package main

// Tested by bench_test.go.

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// crowd is a number of clients of one listener.
type crowd struct {
	clients []*client
	failed  chan error
}

// gather opens the connections and sends one request on each. Each client sends the requests in their order, and begins
// elsewhere.
func gather(address string, n int, requests [][]byte, want expectation) (*crowd, error) {
	c := &crowd{failed: make(chan error, n)}
	for i := range n {
		one, err := dial(address, want)
		if err == nil {
			c.clients = append(c.clients, one)
			one.requests, one.next = requests, i*len(requests)/n
			err = one.do()
		}
		if err != nil {
			c.disperse()
			return nil, err
		}
	}
	return c, nil
}

func (c *crowd) disperse() {
	for _, one := range c.clients {
		one.conn.Close()
	}
}

// warmUp is how long a load runs before it counts.
const warmUp = 50 * time.Millisecond

// closed has every client send its next request when it has its answer, and calls window with the load running and what tells
// how many answers came since it was called. It returns how many came during the call.
func (c *crowd) closed(ctx context.Context, window func(answers func() int64) error) (answers int64, err error) {
	var count atomic.Int64
	var over atomic.Bool
	var all sync.WaitGroup
	for _, one := range c.clients {
		all.Go(func() {
			for !over.Load() {
				if err := one.do(); err != nil {
					c.failed <- err
					return
				}
				count.Add(1)
			}
		})
	}
	err = sleep(ctx, warmUp)
	before := count.Load()
	if err == nil {
		err = window(func() int64 { return count.Load() - before })
	}
	answers = count.Load() - before
	over.Store(true)
	all.Wait()
	return answers, errors.Join(err, c.failure())
}

// open has requests come at a fixed rate, whatever becomes of those before, for as long as is given. It returns how long
// each took from when it came, waiting for a free connection counted, in ascending order.
func (c *crowd) open(ctx context.Context, rate int, during time.Duration) ([]time.Duration, error) {
	n := int(float64(rate) * during.Seconds())
	arrivals := make(chan time.Time, n)
	took := make([]time.Duration, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for _, one := range c.clients {
		all.Go(func() {
			for came := range arrivals {
				if err := one.do(); err != nil {
					c.failed <- err
					return
				}
				took[next.Add(1)-1] = time.Since(came)
			}
		})
	}
	err := func() error {
		defer close(arrivals)
		start := time.Now()
		for i := range n {
			if err := sleep(ctx, time.Until(start.Add(time.Second*time.Duration(i)/time.Duration(rate)))); err != nil {
				return err
			}
			arrivals <- time.Now() // when it came, which timers make a little later than was planned
		}
		return nil
	}()
	all.Wait()
	took = took[:next.Load()]
	slices.Sort(took)
	return took, errors.Join(err, c.failure())
}

// failure returns what went wrong first, if anything.
func (c *crowd) failure() error {
	select {
	case err := <-c.failed:
		return err
	default:
		return nil
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// percentile returns the value that a share p of sorted values do not exceed.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}
