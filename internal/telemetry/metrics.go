package telemetry

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// Metrics counts and times what the sidecar does. Every series that a request can touch is resolved beforehand, and
// every label comes from a closed set: issuers are those of the configuration. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	calls     *prometheus.HistogramVec
	lookups   *prometheus.CounterVec
	evictions *prometheus.CounterVec
	refusals  *prometheus.CounterVec
	retries   *prometheus.CounterVec
	stale     *prometheus.CounterVec
	refreshes *prometheus.CounterVec
	issuers   sync.Map // name -> *issuer
	caches    *caches
	breakers  *gaugesBy
	inactive  *gaugesBy

	events  *prometheus.CounterVec
	streams *streams

	written, dropped, suppressed, failures prometheus.Counter
	losses                                 map[string]prometheus.Counter // by reason; never changed
	queue, queueBytes                      *gaugeFunc
}

// NewMetrics returns metrics in a registry of their own. version is that of the sidecar.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newInfo("sidecar_app_build_info", "Version of the sidecar; always 1.", []string{"version"}, version),
	)
	m.registerIntrospection()
	m.registerEvents()
	m.registerLog()
	return m
}

// Registerer is where parts of the sidecar register what they count.
func (m *Metrics) Registerer() metrics.Registerer { return m.registry }

// Handler serves the metrics in the text format of Prometheus, or as OpenMetrics when asked.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

func (m *Metrics) registerLog() {
	events := m.counterVec("sidecar_decisionlog_events_total",
		"Events of the decision log: written, dropped (lost), or suppressed by the policy's own drop rule.", "outcome")
	m.written, m.dropped, m.suppressed = events.WithLabelValues("written"), events.WithLabelValues("dropped"), events.WithLabelValues("suppressed")
	dropped := m.counterVec("sidecar_decisionlog_dropped_total", "Events of the decision log that are lost, by reason.", "reason")
	m.losses = map[string]prometheus.Counter{}
	for _, why := range []string{"queue_full", "queue_bytes", "sink_failed", "closing"} {
		m.losses[why] = dropped.WithLabelValues(why)
	}
	m.failures = m.counterVec("sidecar_decisionlog_failures_total", "Writes and masks of the decision log that failed.").WithLabelValues()
	m.queue = newGaugeFunc("sidecar_decisionlog_queue_entries", "Events that wait to be written.")
	m.queueBytes = newGaugeFunc("sidecar_decisionlog_queue_bytes", "Memory of the events that wait to be written, estimated.")
	m.registry.MustRegister(m.queue, m.queueBytes)
}

// Written counts events of the decision log that reached every sink.
func (m *Metrics) Written(n int) { m.written.Add(float64(n)) }

// Dropped counts events of the decision log that are lost, by the reason.
func (m *Metrics) Dropped(n int, why string) {
	m.dropped.Add(float64(n))
	if c := m.losses[why]; c != nil {
		c.Add(float64(n))
	}
}

// Suppressed counts events that the policy's own drop rule kept out of the decision log.
func (m *Metrics) Suppressed(n int) { m.suppressed.Add(float64(n)) }

// Failed counts a write or a mask of the decision log that failed.
func (m *Metrics) Failed(error) { m.failures.Inc() }

// ObserveQueue makes length the number of events that wait to be written, and bytes their memory. Both are called at each
// scrape.
func (m *Metrics) ObserveQueue(length, bytes func() int) {
	m.queue.set(length)
	m.queueBytes.set(bytes)
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }

func (m *Metrics) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	m.registry.MustRegister(g)
	return g
}

// histogram has buckets for work in memory that may wait for the network: 10 us to 2.5 s.
func (m *Metrics) histogram(name, help string) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: []float64{
		10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5}})
	m.registry.MustRegister(h)
	return h
}
