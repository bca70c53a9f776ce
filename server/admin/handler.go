package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Source is what the handler shows and does. All functions are safe for concurrent use.
type Source struct {
	// Policies is the path of the policy file or directory.
	Policies string
	// Status returns what is in force.
	Status func() Status
	// Reload looks at the policy files now.
	Reload func() policydir.Attempt
	// Ready reports whether requests are served, and will be in the seconds to come.
	Ready func() bool
	// Metrics is what /metrics shows.
	Metrics *Metrics

	// Reloads, Activity and Refusals are what happened lately.
	Reloads  *Reloads
	Activity *Activity
	Refusals *Refusals
	// Connections returns how many connections of Envoy's are open, and how many may be. Nil: there is no address for Envoy, so
	// nothing is decided here.
	Connections func() (open, most int64)
	// LogDecisions logs the decisions of a virtual host and an origin, each empty for any, for so long; 0 ends it. It returns
	// [logs.ErrTooMany] where no more can be switched on.
	LogDecisions func(virtualHost, origin string, duration time.Duration) error
	// Logging returns what is being logged, in the order in which it ends.
	Logging func() []*corsprocv1.DecisionLog

	// Hosts are names that the handler answers to beside IP addresses and localhost. Case does not matter.
	Hosts []string
	// Pprof serves /debug/pprof/.
	Pprof bool
	// Version is shown on the page.
	Version string
}

// Status is the policy set in force and how it came there.
type Status struct {
	// InForce is the result that the set in force came from.
	InForce *policyfile.Result
	// Since is when it came into force.
	Since time.Time
	// Last is the last attempt to load the policy files that found something new. When it failed, InForce is older.
	Last policydir.Attempt
}

// handler is what the paths have in common.
type handler struct {
	Source
	inventory perSet[*corsprocv1.PoliciesInForce] // shared, and not to be changed
	yaml      perSet[[]byte]
}

// Handler serves the admin address.
func Handler(source Source) http.Handler {
	h := &handler{Source: source, inventory: perSet[*corsprocv1.PoliciesInForce]{make: take}, yaml: perSet[[]byte]{make: (*policyfile.Result).YAML}}
	mux := http.NewServeMux()
	handle := func(pattern string, h http.Handler, methods ...string) {
		mux.Handle(pattern, only(methods, h))
	}
	metrics := promhttp.HandlerFor(source.Metrics, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
	})
	handle("/{$}", page(source), http.MethodGet)
	handle("/page/{file}", http.HandlerFunc(pageFile), http.MethodGet)
	handle("/metrics", inTurns(metricsTurns)(takenWithin(metricsPatience, metrics)), http.MethodGet)
	handle("/config", inTurns(configTurns)(http.HandlerFunc(h.config)), http.MethodGet)
	handle("/-/healthy", http.HandlerFunc(healthy), http.MethodGet)
	handle("/-/ready", ready(source), http.MethodGet)
	handle("/-/reload", inTurns(reloadTurns)(reload(source)), http.MethodPost)
	h.mountAPI(mux)
	if source.Pprof {
		mountPprof(handle)
	}
	mux.HandleFunc("/", nothing)
	return secured(source.Hosts, mux)
}

// only refuses requests of other methods. Where GET is served, HEAD is too.
func only(methods []string, h http.Handler) http.Handler {
	if methods[0] == http.MethodGet {
		methods = append([]string{http.MethodGet, http.MethodHead}, methods[1:]...)
	}
	allow := strings.Join(methods, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(methods, r.Method) {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", allow)
		http.Error(w, fmt.Sprintf("%s takes %s, not %s.", asked(r.URL.Path), allow, asked(r.Method)), http.StatusMethodNotAllowed)
	})
}

func nothing(w http.ResponseWriter, r *http.Request) {
	http.Error(w, fmt.Sprintf("There is nothing at %s. The page at / shows what there is.", asked(r.URL.Path)), http.StatusNotFound)
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	sentence(w, http.StatusOK, "corsproc is running.")
}

func ready(source Source) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if source.Ready() {
			sentence(w, http.StatusOK, "corsproc is ready.")
			return
		}
		sentence(w, http.StatusServiceUnavailable, "corsproc is not ready: it is starting or stopping.")
	}
}

// config answers with the set in force as a policy file.
func (h *handler) config(w http.ResponseWriter, r *http.Request) {
	text := h.yaml.get(h.Status().InForce)
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	if r.Method == http.MethodHead {
		return
	}
	const piece = 64 << 10
	for p := range slices.Chunk(text, piece) {
		if _, err := w.Write(p); err != nil {
			return // nobody reads on
		}
	}
}

// sentence answers with one line of text.
func sentence(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}
