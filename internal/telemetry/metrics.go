package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// Metrics is the registry of one sidecar, and its page.
type Metrics struct{ registry *prometheus.Registry }

// NewMetrics returns a registry with the metrics of the Go runtime and of the process. version is that of the sidecar.
func NewMetrics(version string) *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics.NewInfo(r, "sidecar_app_build_info", "Version of the sidecar; always 1.", "version").Set(version)
	return &Metrics{r}
}

// Registerer is where parts of the sidecar register what they count.
func (m *Metrics) Registerer() metrics.Registerer { return m.registry }

// Handler serves the metrics in the text format of Prometheus, or as OpenMetrics when asked.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
