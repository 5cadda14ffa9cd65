package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func (m *Metrics) registerEvents() {
	m.events = m.counterVec("sidecar_events_received_total", "Events that say that tokens are over, by how they came and what became of them.", "issuer", "kind", "outcome")
	m.streams = newStreams()
	m.registry.MustRegister(m.streams)
}

// AddEvents makes the series of the events about an issuer, at zero.
func (m *Metrics) AddEvents(issuer, kind string, outcomes []string) {
	for _, o := range outcomes {
		m.events.WithLabelValues(issuer, kind, o)
	}
}

// Received counts an event about an issuer. kind and outcome come from closed sets of the caller.
func (m *Metrics) Received(issuer, kind, outcome string) {
	m.events.WithLabelValues(issuer, kind, outcome).Inc()
}

// ObserveStream makes state what is told of an issuer's stream of events: when it last worked, and 1 while it is up, 0
// while it is down. It is called at each scrape.
func (m *Metrics) ObserveStream(issuer string, state func() (lastOK time.Time, up float64)) {
	m.streams.set(issuer, state)
}

// streams tells the state of every stream of events.
type streams struct {
	up, lastOK *prometheus.Desc

	mu     sync.Mutex
	states map[string]func() (time.Time, float64) // by issuer
}

func newStreams() *streams {
	return &streams{
		up:     prometheus.NewDesc("sidecar_events_stream_up", "1 while the stream of events works, or nothing would tell that it does not.", []string{"issuer"}, nil),
		lastOK: prometheus.NewDesc("sidecar_events_stream_last_ok_timestamp_seconds", "When the stream of events last worked; 0 for never.", []string{"issuer"}, nil),
		states: map[string]func() (time.Time, float64){},
	}
}

func (s *streams) set(issuer string, state func() (time.Time, float64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[issuer] = state
}

// Describe implements prometheus.Collector.
func (s *streams) Describe(ch chan<- *prometheus.Desc) {
	ch <- s.up
	ch <- s.lastOK
}

// Collect implements prometheus.Collector.
func (s *streams) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for issuer, state := range s.states {
		at, up := state()
		last := 0.0
		if !at.IsZero() {
			last = seconds(at)
		}
		ch <- prometheus.MustNewConstMetric(s.up, prometheus.GaugeValue, up, issuer)
		ch <- prometheus.MustNewConstMetric(s.lastOK, prometheus.GaugeValue, last, issuer)
	}
}
