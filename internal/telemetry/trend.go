package telemetry

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// trendOver is the time in which the weight of an event falls to 1/e.
const trendOver = time.Minute

// trend is the mean of what happened lately. When next to nothing happened it falls to 0, so that an alarm on it ends.
type trend struct {
	mu          sync.Mutex
	sum, weight float64
	at          time.Time
}

func (t *trend) add(value float64, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.decay(now)
	t.sum += value
	t.weight++
}

func (t *trend) now(now time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.decay(now)
	return t.sum / max(t.weight, 1)
}

func (t *trend) decay(now time.Time) {
	f := math.Exp(-max(now.Sub(t.at), 0).Seconds() / trendOver.Seconds())
	t.sum, t.weight, t.at = t.sum*f, t.weight*f, now
}

// gaugesBy is a gauge for each issuer that asks for its value at each scrape.
type gaugesBy struct {
	desc *prometheus.Desc
	mu   sync.Mutex
	ask  map[string]func() float64 // by issuer
}

func newGaugesBy(name, help string) *gaugesBy {
	return &gaugesBy{desc: prometheus.NewDesc(name, help, []string{"issuer"}, nil), ask: map[string]func() float64{}}
}

// set makes ask the source of an issuer's value; nil ends it.
func (g *gaugesBy) set(issuer string, ask func() float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ask == nil {
		delete(g.ask, issuer)
		return
	}
	g.ask[issuer] = ask
}

// Describe implements prometheus.Collector.
func (g *gaugesBy) Describe(ch chan<- *prometheus.Desc) { ch <- g.desc }

// Collect implements prometheus.Collector.
func (g *gaugesBy) Collect(ch chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for issuer, ask := range g.ask {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, ask(), issuer)
	}
}
