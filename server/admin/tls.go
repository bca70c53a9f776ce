package admin

// Tested by metrics_test.go.

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/corsproc/corsproc/server/certs"
)

// TLSMetrics are the metrics of a process that speaks TLS.
type TLSMetrics struct {
	reloads    *prometheus.CounterVec
	lastGood   prometheus.Gauge
	expiry     *prometheus.GaugeVec
	handshakes *prometheus.CounterVec
}

// TLS adds the metrics of TLS. It is called once, and only where TLS is spoken: otherwise a certificate would seem to have
// expired in 1970.
func (m *Metrics) TLS() *TLSMetrics {
	t := &TLSMetrics{
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "corsproc_tls_reload_total",
			Help: "Attempts to load the files of certificate, key and client CA, by result: success or failure. Unchanged content does not count.",
		}, []string{"result"}),
		lastGood: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "corsproc_tls_last_reload_successful",
			Help: "Whether the last attempt to load those files was successful: 1 or 0.",
		}),
		expiry: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "corsproc_tls_certificate_expiry_timestamp_seconds",
			Help: "When the certificates in force expire, in Unix time, by setting: of tls-cert the first of its chain, of tls-client-ca the last.",
		}, []string{"setting"}),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "corsproc_tls_handshake_failures_total",
			Help: "TLS handshakes that failed, by reason: client_certificate, refused_by_client, timeout, closed or other.",
		}, []string{"reason"}),
	}
	t.reloads.WithLabelValues(resultSuccess)
	t.reloads.WithLabelValues(resultFailure)
	for _, reason := range certs.HandshakeFailures {
		t.handshakes.WithLabelValues(string(reason))
	}
	m.registry.MustRegister(t.reloads, t.lastGood, t.expiry, t.handshakes)
	return t
}

// Loaded counts an attempt that was successful, and tells when the certificates expire. A zero clientCAs: there are none.
func (t *TLSMetrics) Loaded(cert, clientCAs time.Time) {
	t.reloads.WithLabelValues(resultSuccess).Inc()
	t.lastGood.Set(1)
	t.expiry.WithLabelValues("tls-cert").Set(float64(cert.Unix()))
	if !clientCAs.IsZero() {
		t.expiry.WithLabelValues("tls-client-ca").Set(float64(clientCAs.Unix()))
	}
}

// Failed counts an attempt that changed nothing.
func (t *TLSMetrics) Failed() {
	t.reloads.WithLabelValues(resultFailure).Inc()
	t.lastGood.Set(0)
}

// HandshakeFailed counts a handshake.
func (t *TLSMetrics) HandshakeFailed(reason certs.HandshakeFailure) {
	t.handshakes.WithLabelValues(string(reason)).Inc()
}
