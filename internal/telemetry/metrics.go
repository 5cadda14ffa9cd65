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
	return m
}

// Registerer is where parts of the sidecar register what they count.
func (m *Metrics) Registerer() metrics.Registerer { return m.registry }

// Handler serves the metrics in the text format of Prometheus, or as OpenMetrics when asked.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
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
