package main

// Tested by verifyask_test.go.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/verify"
)

// Limits of what is asked of an address that does not answer.
const (
	maxSilence = 3  // questions in a row, where it never answered
	maxLapse   = 32 // where it did
)

// A verification asks the questions of a plan and collects what comes of them.
type verification struct {
	plan   *verify.Plan
	asker  *asker
	repeat int

	mu       sync.Mutex
	report   *verify.Report
	index    int // of the next question
	nth      int // how often it was asked
	answered map[*verify.Site]bool
	silent   map[*verify.Site]int // questions in a row without an answer
}

// run asks everything, until ctx is done.
func (v *verification) run(ctx context.Context, stderr io.Writer) {
	v.answered, v.silent = map[*verify.Site]bool{}, map[*verify.Site]int{}
	stop := startProgress(stderr, v.progress)
	var all sync.WaitGroup
	for range maxConnections {
		all.Go(func() {
			for {
				q, index, nth, ok := v.take()
				if !ok || ctx.Err() != nil {
					return
				}
				answer, err := v.asker.ask(ctx, q, index, nth)
				if errors.Is(err, errBudget) || ctx.Err() != nil {
					return
				}
				v.record(q, index, answer, err)
			}
		})
	}
	all.Wait()
	stop()
	v.report.Sent(int(v.asker.sent.Load()))
	v.asker.close()
}

// take returns what is to be asked next. Repetitions of a question come one after the other: what takes turns behind a gateway
// then has its turn. Addresses that do not answer are left out.
func (v *verification) take() (q *verify.Question, index, nth int, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.index < len(v.plan.Questions) {
		q, index, nth = v.plan.Questions[v.index], v.index, v.nth
		if v.nth++; v.nth == v.repeat {
			v.index, v.nth = v.index+1, 0
		}
		site := q.Place.Site
		if n := v.silent[site]; n < maxSilence || v.answered[site] && n < maxLapse {
			return q, index, nth, true
		}
	}
	return nil, 0, 0, false
}

func (v *verification) record(q *verify.Question, index int, answer *browser.Answer, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	site := q.Place.Site
	if err != nil {
		v.silent[site]++
		v.report.Failed(index, v.asker.failureOf(err))
		return
	}
	v.silent[site], v.answered[site] = 0, true
	v.report.Answered(index, answer)
}

// progress says how far it is.
func (v *verification) progress() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	differences, findings := v.report.Wrong()
	return fmt.Sprintf("%d of %d questions asked, %d differences, %d findings", v.index, len(v.plan.Questions), differences, findings)
}
