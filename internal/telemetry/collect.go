package telemetry

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// info is a gauge that is always 1 and tells by its labels. Its old labels vanish in the moment the new ones appear.
type info struct {
	desc *prometheus.Desc
	now  atomic.Pointer[[]string] // values of the labels; nil before the first
}

func newInfo(name, help string, labels []string, values ...string) *info {
	i := &info{desc: prometheus.NewDesc(name, help, labels, nil)}
	if len(values) > 0 {
		i.set(values...)
	}
	return i
}

func (i *info) set(values ...string) {
	for n, v := range values {
		values[n] = strings.ToValidUTF8(v, "\ufffd")
	}
	i.now.Store(&values)
}

// Describe implements prometheus.Collector.
func (i *info) Describe(ch chan<- *prometheus.Desc) { ch <- i.desc }

// Collect implements prometheus.Collector.
func (i *info) Collect(ch chan<- prometheus.Metric) {
	if values := i.now.Load(); values != nil {
		ch <- prometheus.MustNewConstMetric(i.desc, prometheus.GaugeValue, 1, *values...)
	}
}

// gaugeFunc is a gauge that asks for its value, once its source is there.
type gaugeFunc struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	ask  atomic.Pointer[func() int]
}

func newGaugeFunc(name, help string) *gaugeFunc {
	return &gaugeFunc{desc: prometheus.NewDesc(name, help, nil, nil), kind: prometheus.GaugeValue}
}

// newCounterFunc is a counter that does the same.
func newCounterFunc(name, help string) *gaugeFunc {
	return &gaugeFunc{desc: prometheus.NewDesc(name, help, nil, nil), kind: prometheus.CounterValue}
}

func (g *gaugeFunc) set(ask func() int) {
	if ask == nil {
		g.ask.Store(nil)
		return
	}
	g.ask.Store(&ask)
}

// Describe implements prometheus.Collector.
func (g *gaugeFunc) Describe(ch chan<- *prometheus.Desc) { ch <- g.desc }

// Collect implements prometheus.Collector.
func (g *gaugeFunc) Collect(ch chan<- prometheus.Metric) {
	if ask := g.ask.Load(); ask != nil {
		ch <- prometheus.MustNewConstMetric(g.desc, g.kind, float64((*ask)()))
	}
}

// caches tells the size of every issuer's caches.
type caches struct {
	entries, bytes, revocations *prometheus.Desc

	mu    sync.Mutex
	stats map[string]func() Held // by issuer
}

func newCaches() *caches {
	return &caches{
		entries: prometheus.NewDesc("sidecar_introspect_cache_entries", "Answers kept.", []string{"issuer", "cache"}, nil),
		bytes:   prometheus.NewDesc("sidecar_introspect_cache_bytes", "Memory that the active answers kept take, estimated.", []string{"issuer"}, nil),
		revocations: prometheus.NewDesc("sidecar_introspect_tombstones",
			"Revocations that stand: against questions under way (pending), and against JWTs that are validated here (remembered).", []string{"issuer", "kind"}, nil),
		stats: map[string]func() Held{},
	}
}

func (c *caches) set(issuer string, stats func() Held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stats == nil {
		delete(c.stats, issuer)
		return
	}
	c.stats[issuer] = stats
}

// Describe implements prometheus.Collector.
func (c *caches) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.entries
	ch <- c.bytes
	ch <- c.revocations
}

// Collect implements prometheus.Collector.
func (c *caches) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for issuer, stats := range c.stats {
		h := stats()
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
		}
		gauge(c.entries, float64(h.Active), issuer, "active")
		gauge(c.entries, float64(h.Inactive), issuer, "inactive")
		gauge(c.bytes, float64(h.Bytes), issuer)
		gauge(c.revocations, float64(h.Tombstones), issuer, "pending")
		gauge(c.revocations, float64(h.Revocations), issuer, "remembered")
	}
}
