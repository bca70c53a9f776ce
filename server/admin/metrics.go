package admin

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc/codes"

	"github.com/corsproc/corsproc/policy"
)

// Build says what was built, for corsproc_build_info.
type Build struct{ Version, Commit, Go string }

// Metrics counts what happens. All methods are safe for concurrent use; those that are called for every request take no
// lock and allocate nothing.
type Metrics struct {
	registry  *prometheus.Registry
	decisions *decisions

	duration   prometheus.Histogram
	streams    prometheus.Gauge
	streamsEnd [codes.Unauthenticated + 1]atomic.Uint64
	panics     prometheus.Counter
	turnedAway prometheus.Counter

	reloads     *prometheus.CounterVec
	lastGood    prometheus.Gauge
	lastGoodAt  prometheus.Gauge
	currentHash atomic.Pointer[string]
}

// durationBuckets go from the time of a simple decision (50 ns) to one millisecond, which no decision should take.
var durationBuckets = []float64{50e-9, 100e-9, 250e-9, 500e-9, 1e-6, 2.5e-6, 5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 1e-3}

// NewMetrics returns metrics with a registry of their own, so that nothing else in the process adds to it.
func NewMetrics(build Build) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		decisions: newDecisions(),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "corsproc_decision_duration_seconds",
			Help:    "Time to read the facts of a request and to decide about it.",
			Buckets: durationBuckets,
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "corsproc_streams_active",
			Help: "Open ext_proc streams. Envoy opens one per HTTP request.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "corsproc_panics_total",
			Help: "Streams that ended because of a bug in corsproc.",
		}),
		turnedAway: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "corsproc_connections_refused_total",
			Help: "Connections that were closed at once because max-connections were open.",
		}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "corsproc_policy_reload_total",
			Help: "Attempts to load the policy files, by result: success or failure. Unchanged content does not count.",
		}, []string{"result"}),
		lastGood: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "corsproc_policy_last_reload_successful",
			Help: "Whether the last attempt to load the policy files was successful: 1 or 0.",
		}),
		lastGoodAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "corsproc_policy_last_reload_success_timestamp_seconds",
			Help: "When the policy files were last loaded successfully, in Unix time.",
		}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "corsproc_build_info",
		Help:        "What was built; always 1.",
		ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "goversion": build.Go},
	})
	info.Set(1)
	// Both results are there from the start: an alert on an increase needs the value before the first one.
	m.reloads.WithLabelValues(resultSuccess)
	m.reloads.WithLabelValues(resultFailure)
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		info, m.decisions, m.duration, m.streams, m.panics, m.turnedAway,
		m.reloads, m.lastGood, m.lastGoodAt,
		streamsCollector{m}, policyInfo{m},
	)
	return m
}

const (
	resultSuccess = "success"
	resultFailure = "failure"
)

// StreamStarted counts a stream that has begun.
func (m *Metrics) StreamStarted() { m.streams.Inc() }

// StreamEnded counts the end of a stream.
func (m *Metrics) StreamEnded(code codes.Code) {
	m.streams.Dec()
	if int(code) >= len(m.streamsEnd) {
		code = codes.Unknown
	}
	m.streamsEnd[code].Add(1)
}

// Panicked counts a recovered panic.
func (m *Metrics) Panicked() { m.panics.Inc() }

// ConnectionRefused counts a connection over the limit.
func (m *Metrics) ConnectionRefused() { m.turnedAway.Inc() }

// Decided counts a decision.
func (m *Metrics) Decided(d *policy.Decision, took time.Duration) {
	m.duration.Observe(took.Seconds())
	m.decisions.count(d)
}

// InForce tells which set is in force from now on: series of names that it does not have disappear.
func (m *Metrics) InForce(set *policy.Set, hash string) {
	m.decisions.adopt(set)
	m.currentHash.Store(&hash)
}

// Attempted counts an attempt to load the policy files that found new content, or for the first time none that it could
// read.
func (m *Metrics) Attempted(successful bool) {
	result := resultFailure
	if successful {
		result = resultSuccess
	}
	m.reloads.WithLabelValues(result).Inc()
}

// LastAttempt tells what became of the last such attempt.
func (m *Metrics) LastAttempt(at time.Time, successful bool) {
	if !successful {
		m.lastGood.Set(0)
		return
	}
	m.lastGood.Set(1)
	m.lastGoodAt.Set(float64(at.UnixMilli()) / 1e3)
}

// streamsCollector turns the plain counters of ended streams into a metric.
type streamsCollector struct{ m *Metrics }

var streamsDesc = prometheus.NewDesc("corsproc_streams_total", "Ended ext_proc streams, by gRPC status.", []string{"code"}, nil)

func (c streamsCollector) Describe(ch chan<- *prometheus.Desc) { ch <- streamsDesc }

func (c streamsCollector) Collect(ch chan<- prometheus.Metric) {
	for code := range c.m.streamsEnd {
		if n := c.m.streamsEnd[code].Load(); n > 0 {
			ch <- prometheus.MustNewConstMetric(streamsDesc, prometheus.CounterValue, float64(n), codes.Code(code).String())
		}
	}
}

// policyInfo shows the hash of the set in force, and of no other.
type policyInfo struct{ m *Metrics }

var policyInfoDesc = prometheus.NewDesc("corsproc_policy_info", "The hash of the policy set in force; always 1.", []string{"hash"}, nil)

func (c policyInfo) Describe(ch chan<- *prometheus.Desc) { ch <- policyInfoDesc }

func (c policyInfo) Collect(ch chan<- prometheus.Metric) {
	if hash := c.m.currentHash.Load(); hash != nil {
		ch <- prometheus.MustNewConstMetric(policyInfoDesc, prometheus.GaugeValue, 1, *hash)
	}
}
