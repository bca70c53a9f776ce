package admin

import (
	"fmt"
	"net/http"
	"time"
)

// How many requests of a kind are worked on at once. Each of them may hold memory in proportion to the set in force, to
// the message that it brings or to the process that it looks at; and whoever reaches the admin address may send any number
// of them. Those beyond wait for a turn, and are then refused. What is not listed here holds next to nothing.
const (
	configTurns  = 4
	metricsTurns = 4
	reloadTurns  = 2
	apiTurns     = 4
	pprofTurns   = 4
)

// turnPatience is how long a request waits for its turn: half of what the page and Prometheus wait for an answer.
const turnPatience = 5 * time.Second

// inTurns returns what makes handlers work on at most so many requests at once, all of them together, each until its answer
// is written.
func inTurns(most int) func(next http.Handler) http.Handler {
	turns := make(chan struct{}, most)
	return func(next http.Handler) http.Handler { return inTurn(turns, next) }
}

func inTurn(turns chan struct{}, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		patience := time.NewTimer(turnPatience)
		defer patience.Stop()
		select {
		case turns <- struct{}{}:
		case <-r.Context().Done():
			return
		case <-patience.C:
			w.Header().Set("Retry-After", "5")
			http.Error(w, fmt.Sprintf("Too many ask for this at once; %d are answered at a time.", cap(turns)), http.StatusServiceUnavailable)
			return
		}
		defer func() { <-turns }()
		next.ServeHTTP(w, r)
	})
}

// metricsPatience is how long an answer of /metrics may take to be read. It holds all series, and Prometheus does not wait
// any longer by default.
const metricsPatience = 10 * time.Second

// takenWithin has an answer end where it is not read in time, from when its turn came.
func takenWithin(d time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// It fails where there is no connection, as in tests of handlers.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
		next.ServeHTTP(w, r)
	})
}
