package admin

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/extproc"
)

// Build says what was built, for corsproc_build_info.
type Build struct{ Version, Commit, Go string }

// clashing is a gauge of the Go collector that is left out. In OpenMetrics it would be of the same family as the counter
// go_memstats_alloc_bytes_total, which is not allowed. go_memstats_heap_alloc_bytes says the same.
const clashing = "go_memstats_alloc_bytes"

// Gather implements [prometheus.Gatherer].
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	families, err := m.registry.Gather()
	return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == clashing }), err
}

// Metrics counts what happens. All methods are safe for concurrent use; those that are called for every request take no
// lock and allocate nothing.
type Metrics struct {
	registry  *prometheus.Registry
	decisions *decisions
	duration  *durations

	streams    atomic.Int64
	streamsEnd [codes.Unauthenticated + 1]atomic.Uint64
	messages   [extproc.Phases]atomic.Uint64
	panics     prometheus.Counter
	turnedAway prometheus.Counter
	connsEnd   *prometheus.CounterVec
	displaced  prometheus.Counter

	reloads     *prometheus.CounterVec
	lastGood    prometheus.Gauge
	lastGoodAt  prometheus.Gauge
	currentHash atomic.Pointer[string]
}

// NewMetrics returns metrics with a registry of their own, so that nothing else in the process adds to it.
func NewMetrics(build Build) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		decisions: newDecisions(),
		duration: newDurations("corsproc_decision_duration_seconds",
			"Time to read the facts of a request and to decide about it.", time.Now()),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "corsproc_panics_total",
			Help: "Streams, connections and loads of policies that ended because of a bug in corsproc.",
		}),
		turnedAway: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "corsproc_connections_refused_total",
			Help: "Connections that were closed at once because max-connections were open.",
		}),
		connsEnd: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "corsproc_connections_ended_total",
			Help: "Connections that corsproc ended because of what came on them, by HTTP/2's code for the reason; with transport grpc always 0.",
		}, []string{"code"}),
		displaced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "corsproc_connections_displaced_total",
			Help: "Connections that asked for nothing and were closed to make room for others.",
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
	for code := http2.ErrCodeNo; code <= http2.ErrCodeHTTP11Required; code++ {
		m.connsEnd.WithLabelValues(code.String())
	}
	// Both results are there from the start: without the zero, an alert on an increase would miss the first one.
	m.reloads.WithLabelValues(resultSuccess)
	m.reloads.WithLabelValues(resultFailure)
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		info, m.decisions, m.duration, m.panics, m.turnedAway, m.displaced, m.connsEnd,
		m.reloads, m.lastGood, m.lastGoodAt,
		streamsCollector{m}, messagesCollector{m}, policyInfo{m},
		gauge("corsproc_streams_active", "Open ext_proc streams. Envoy opens one per HTTP request.",
			func() float64 { return float64(m.streams.Load()) }),
	)
	return m
}

// gauge is a gauge whose value is asked for when it is read.
func gauge(name, help string, value func() float64) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

const (
	resultSuccess = "success"
	resultFailure = "failure"
)

// WatchConnections shows how many connections are open, how many are before the end of their greeting, and how many may be
// open. It is called once.
func (m *Metrics) WatchConnections(limit int, open, greeting func() int64) {
	m.registry.MustRegister(
		gauge("corsproc_connections_active", "Open connections on the addresses for Envoy that have said HTTP/2.",
			func() float64 { return float64(open()) }),
		gauge("corsproc_connections_greeting", "Open connections on the addresses for Envoy that are still in their handshake or have not said HTTP/2.",
			func() float64 { return float64(greeting()) }),
		gauge("corsproc_connections_max", "How many connections may be open (--max-connections).",
			func() float64 { return float64(limit) }),
	)
}

// WatchTraces shows what became of spans: those that the collector has, those that were dropped because too many waited, and
// those that the collector did not take. It is called once at most, where there is tracing.
func (m *Metrics) WatchTraces(counts func() (exported, dropped, failed uint64)) {
	m.registry.MustRegister(tracesCollector{counts})
}

// StreamStarted counts a stream that has begun.
func (m *Metrics) StreamStarted() { m.streams.Add(1) }

// StreamEnded counts the end of a stream.
func (m *Metrics) StreamEnded(code codes.Code) {
	m.streams.Add(-1)
	if int(code) >= len(m.streamsEnd) {
		code = codes.Unknown
	}
	m.streamsEnd[code].Add(1)
}

// MessageReceived counts a message of Envoy's.
func (m *Metrics) MessageReceived(phase extproc.Phase) { m.messages[phase].Add(1) }

// Panicked counts a recovered panic.
func (m *Metrics) Panicked() { m.panics.Inc() }

// ConnectionRefused counts a connection over the limit.
func (m *Metrics) ConnectionRefused() { m.turnedAway.Inc() }

// ConnectionDisplaced counts a connection that was closed to make room for another.
func (m *Metrics) ConnectionDisplaced() { m.displaced.Inc() }

// ConnectionEnded counts a connection that we ended because of what came on it.
func (m *Metrics) ConnectionEnded(code http2.ErrCode) {
	if code > http2.ErrCodeHTTP11Required {
		code = http2.ErrCodeInternal
	}
	m.connsEnd.WithLabelValues(code.String()).Inc()
}

// Decided counts a decision.
func (m *Metrics) Decided(d *policy.Decision, took time.Duration) {
	m.duration.observe(took)
	m.decisions.count(d)
}

// Traced remembers a trace, by its identifiers in hexadecimal digits, as an example of decisions that took so long.
func (m *Metrics) Traced(took time.Duration, traceID, spanID string) {
	m.duration.exemplify(took, time.Now(), traceID, spanID)
}

// InForce tells which set is in force from now on: series of names that it does not have disappear.
func (m *Metrics) InForce(set *policy.Set, hash string) {
	m.decisions.adopt(set)
	m.currentHash.Store(&hash)
}

// Attempted counts an attempt to load the policy files that found new content, or for the first time none that it could
// read. Attempts are told in the order in which they were made.
func (m *Metrics) Attempted(at time.Time, successful bool) {
	if !successful {
		m.reloads.WithLabelValues(resultFailure).Inc()
		m.lastGood.Set(0)
		return
	}
	m.reloads.WithLabelValues(resultSuccess).Inc()
	m.lastGood.Set(1)
	m.lastGoodAt.Set(float64(at.UnixMilli()) / 1e3)
}

// streamsCollector turns the plain counters of ended streams into a metric.
type streamsCollector struct{ m *Metrics }

var streamsDesc = prometheus.NewDesc("corsproc_streams_total", "Ended ext_proc streams, by gRPC status.", []string{"code"}, nil)

func (c streamsCollector) Describe(ch chan<- *prometheus.Desc) { ch <- streamsDesc }

func (c streamsCollector) Collect(ch chan<- prometheus.Metric) {
	for code := range c.m.streamsEnd {
		// The usual end is there from the start: an alert on no streams needs a zero, not nothing.
		if n := c.m.streamsEnd[code].Load(); n > 0 || codes.Code(code) == codes.OK {
			ch <- prometheus.MustNewConstMetric(streamsDesc, prometheus.CounterValue, float64(n), codes.Code(code).String())
		}
	}
}

// messagesCollector does so with the plain counters of messages.
type messagesCollector struct{ m *Metrics }

var messagesDesc = prometheus.NewDesc("corsproc_messages_total",
	"Messages of Envoy's that were read, by the phase of the HTTP request that they are about.", []string{"phase"}, nil)

func (c messagesCollector) Describe(ch chan<- *prometheus.Desc) { ch <- messagesDesc }

func (c messagesCollector) Collect(ch chan<- prometheus.Metric) {
	for phase := range extproc.Phases {
		ch <- prometheus.MustNewConstMetric(messagesDesc, prometheus.CounterValue, float64(c.m.messages[phase].Load()), phase.String())
	}
}

// tracesCollector shows what became of spans.
type tracesCollector struct {
	counts func() (exported, dropped, failed uint64)
}

var tracesDesc = prometheus.NewDesc("corsproc_trace_spans_total",
	"Ended spans, by what became of them: exported, dropped (too many waited) or failed (the collector did not take them).", []string{"result"}, nil)

func (c tracesCollector) Describe(ch chan<- *prometheus.Desc) { ch <- tracesDesc }

func (c tracesCollector) Collect(ch chan<- prometheus.Metric) {
	exported, dropped, failed := c.counts()
	for result, n := range map[string]uint64{"exported": exported, "dropped": dropped, "failed": failed} {
		ch <- prometheus.MustNewConstMetric(tracesDesc, prometheus.CounterValue, float64(n), result)
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
