package admin

// Tested by turns_test.go.

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"
)

const (
	// maxProfile is how long a profile or a trace may be recorded.
	maxProfile = 5 * time.Minute
	// profilePatience is how long each piece of a profile may take to be read. A trace of the process grows while it waits.
	profilePatience = 10 * time.Second
	// maxSymbols is how much may be asked of /debug/pprof/symbol, in bytes. Its answer is made as a whole, and is larger.
	maxSymbols = 1 << 20
)

// mountPprof serves /debug/pprof/.
func mountPprof(handle func(pattern string, h http.Handler, methods ...string)) {
	turns := inTurns(pprofTurns)
	for path, h := range map[string]http.HandlerFunc{
		"": pprof.Index, "cmdline": pprof.Cmdline, "profile": pprof.Profile, "trace": pprof.Trace,
	} {
		handle("/debug/pprof/"+path, turns(recorded(h)), http.MethodGet)
	}
	handle("/debug/pprof/symbol", turns(http.MaxBytesHandler(http.HandlerFunc(pprof.Symbol), maxSymbols)), http.MethodGet, http.MethodPost)
}

// recorded bounds how long a handler records, and how long its answer may take.
func recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64); err == nil && !(seconds <= maxProfile.Seconds()) {
			http.Error(w, fmt.Sprintf("A profile is recorded for %d seconds at most.", int(maxProfile.Seconds())), http.StatusBadRequest)
			return
		}
		next.ServeHTTP(&progress{w}, r)
	})
}

// progress is an answer of which every piece has to be read in time.
type progress struct{ http.ResponseWriter }

// Write implements http.ResponseWriter.
func (p *progress) Write(b []byte) (int, error) {
	_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(profilePatience))
	return p.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] find the connection.
func (p *progress) Unwrap() http.ResponseWriter { return p.ResponseWriter }
