package admin

import (
	"fmt"
	"net/http"
	"time"
)

// How many requests for a thing are answered at once. Each may need memory in proportion to the set in force, to its message
// or to the process, and whoever reaches the admin address may send any number of them. More wait for their turn for
// turnPatience, and are then refused. What is not listed here needs next to no memory.
const (
	configTurns  = 4
	metricsTurns = 4
	reloadTurns  = 2
	apiTurns     = 4
	pprofTurns   = 4
)

// turnPatience is how long a request waits for its turn: half of what the page and Prometheus wait for an answer.
const turnPatience = 5 * time.Second

// inTurns returns a wrapper of handlers. All that it wraps answer at most so many requests at once, together. A turn ends when
// the answer is written.
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

// metricsPatience is how long a client may take to read /metrics, since the answer holds memory for all series. Prometheus
// waits as long by default.
const metricsPatience = 10 * time.Second

// takenWithin ends an answer that is not read within d of when the handler is called.
func takenWithin(d time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// It fails where there is no connection, as in tests of handlers.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
		next.ServeHTTP(w, r)
	})
}
