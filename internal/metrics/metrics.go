// Package metrics declares metrics in the file that counts them: a name, a help text, and a closed set of label
// values, whose series exist from the start at zero. It is the only package besides telemetry that knows Prometheus.
//
// A nil Registerer is valid: its metrics count, and are shown nowhere.
package metrics

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Registerer is where metrics are shown. Two metrics of one name need different labels by With.
type Registerer = prometheus.Registerer

// Counter is a count that only rises. It is safe for concurrent use.
type Counter = prometheus.Counter

// Gauge is a value that is set. It is safe for concurrent use.
type Gauge = prometheus.Gauge

// Unknown is the label value of what is in no closed set: a bug, which is shown rather than lost.
const Unknown = "unknown"

// With returns a Registerer that adds a label to every metric: an issuer, a cache. value comes from the configuration
// or the code, never from a request.
func With(r Registerer, label, value string) Registerer {
	return prometheus.WrapRegistererWith(prometheus.Labels{label: value}, r)
}

// NewCounter declares a counter without labels of its own.
func NewCounter(r Registerer, name, help string) Counter {
	return promauto.With(r).NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

// NewGauge declares a gauge without labels of its own.
func NewGauge(r Registerer, name, help string) Gauge {
	return promauto.With(r).NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

// NewGaugeFunc declares a gauge whose value is read at each scrape. value must not block.
func NewGaugeFunc(r Registerer, name, help string, value func() float64) {
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

// NewCounterFunc declares a counter whose value is read at each scrape. value must not block.
func NewCounterFunc(r Registerer, name, help string, value func() float64) {
	promauto.With(r).NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value)
}

// Counters is a counter with one label of a closed set of values.
type Counters struct {
	vec    *prometheus.CounterVec
	series map[string]Counter // never changed
}

// NewCounters declares a counter with a label. Series of values, which is the closed set, start at zero.
func NewCounters(r Registerer, name, help, label string, values ...string) *Counters {
	c := &Counters{
		vec:    promauto.With(r).NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label}),
		series: make(map[string]Counter, len(values)),
	}
	for _, v := range values {
		c.series[v] = c.vec.WithLabelValues(v)
	}
	return c
}

// Of returns the series of a value.
func (c *Counters) Of(value string) Counter {
	if s, ok := c.series[value]; ok {
		return s
	}
	return c.vec.WithLabelValues(Unknown)
}

// Inc counts one.
func (c *Counters) Inc(value string) { c.Of(value).Inc() }

// Add counts n.
func (c *Counters) Add(value string, n int) { c.Of(value).Add(float64(n)) }

// inMemory and overNetwork are buckets of durations, in seconds.
func inMemory() []float64 {
	return []float64{
		10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5,
	}
}

func overNetwork() []float64 {
	return []float64{1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
}

// Durations is a histogram of times with one label of a closed set of values.
type Durations struct {
	vec    *prometheus.HistogramVec
	series map[string]prometheus.Observer // never changed
}

// NewNetworkDurations declares a histogram of exchanges with other servers, 1 ms to 10 s, with a label.
func NewNetworkDurations(r Registerer, name, help, label string, values ...string) *Durations {
	d := &Durations{
		vec: promauto.With(r).NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: overNetwork()},
			[]string{label}),
		series: make(map[string]prometheus.Observer, len(values)),
	}
	for _, v := range values {
		d.series[v] = d.vec.WithLabelValues(v)
	}
	return d
}

// Took counts one time.
func (d *Durations) Took(value string, t time.Duration) {
	s, ok := d.series[value]
	if !ok {
		s = d.vec.WithLabelValues(Unknown)
	}
	s.Observe(t.Seconds())
}

// Seconds is a time as Prometheus spells it; 0 for none.
func Seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1e3
}

// Info is a gauge that is always 1 and tells by its labels, which change together.
type Info struct {
	desc *prometheus.Desc
	now  atomic.Pointer[[]string] // values of the labels; nil before the first
}

// NewInfo declares an Info. It is not shown before the first Set.
func NewInfo(r Registerer, name, help string, labels ...string) *Info {
	i := &Info{desc: prometheus.NewDesc(name, help, labels, nil)}
	if r != nil {
		r.MustRegister(i)
	}
	return i
}

// Set replaces the values of all labels. Bytes that are not UTF-8 are replaced.
func (i *Info) Set(values ...string) {
	for n, v := range values {
		values[n] = strings.ToValidUTF8(v, "\ufffd")
	}
	i.now.Store(&values)
}

// Describe implements prometheus.Collector.
func (i *Info) Describe(ch chan<- *prometheus.Desc) { ch <- i.desc }

// Collect implements prometheus.Collector.
func (i *Info) Collect(ch chan<- prometheus.Metric) {
	if values := i.now.Load(); values != nil {
		ch <- prometheus.MustNewConstMetric(i.desc, prometheus.GaugeValue, 1, *values...)
	}
}
