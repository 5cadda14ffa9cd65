package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// unknown is the label of what is not in a closed set: a bug, which should be seen.
const unknown = "unknown"

// issuer has the series of one authorization server.
type issuer struct {
	asked     map[string]prometheus.Observer // by outcome
	caches    map[string]cacheSeries         // by cache
	stale     map[string]prometheus.Counter  // by reason
	refreshed map[string]prometheus.Counter  // by outcome

	refused map[string]prometheus.Counter // by cause
	retries prometheus.Counter
	trend   *trend
}

// cacheSeries has the series of one cache of one authorization server.
type cacheSeries struct {
	hits, misses prometheus.Counter
	evictions    map[string]prometheus.Counter // by cause
}

func (m *Metrics) registerIntrospection() {
	m.calls = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sidecar_introspect_call_duration_seconds", Help: "Time of one question to the authorization server, by how it ended.",
		Buckets: []float64{1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}}, []string{"issuer", "outcome"})
	m.lookups = m.counterVec("sidecar_introspect_cache_lookups_total", "Look-ups in a cache of answers.", "issuer", "cache", "result")
	m.evictions = m.counterVec("sidecar_introspect_cache_evictions_total", "Answers given up for want of room, or because tokens were revoked.", "issuer", "cache", "cause")
	m.stale = m.counterVec("sidecar_introspect_stale_served_total", "Answers used past their soft lifetime: while a new one was fetched, or because none could be.", "issuer", "reason")
	m.refreshes = m.counterVec("sidecar_introspect_refreshes_total", "Questions asked in the background to refresh an answer, by how they ended.", "issuer", "outcome")
	m.refusals = m.counterVec("sidecar_introspect_refusals_total", "Questions that were not put to the authorization server, by cause.", "issuer", "cause")
	m.retries = m.counterVec("sidecar_introspect_retries_total", "Questions put to the authorization server again after a failure.", "issuer")
	m.caches = newCaches()
	m.breakers = newGaugesBy("sidecar_introspect_breaker_state", "Circuit breaker before the authorization server: 0 closed, 1 half-open, 2 open.")
	m.inactive = newGaugesBy("sidecar_introspect_inactive_ratio", "Share of the answers of the last minute that said inactive; recent ones weigh more.")
	m.registry.MustRegister(m.calls, m.caches, m.breakers, m.inactive)
}

// AddIssuer makes the series of an authorization server, at zero. One that was not added gets them when first seen.
func (m *Metrics) AddIssuer(name string) { m.issuer(name) }

func (m *Metrics) issuer(name string) *issuer {
	if known, ok := m.issuers.Load(name); ok {
		return known.(*issuer)
	}
	i := &issuer{
		asked: map[string]prometheus.Observer{}, caches: map[string]cacheSeries{},
		stale: map[string]prometheus.Counter{}, refreshed: map[string]prometheus.Counter{}, refused: map[string]prometheus.Counter{},
		retries: m.retries.WithLabelValues(name), trend: &trend{},
	}
	for _, outcome := range []string{"active", "inactive", "unavailable", "misconfigured"} {
		i.asked[outcome] = m.calls.WithLabelValues(name, outcome)
	}
	for _, cache := range []string{"active", "inactive"} {
		i.caches[cache] = m.cacheSeries(name, cache)
	}
	for _, cause := range []string{"open", "retry_after", "concurrency", "unknown_source", "unknown_total"} {
		i.refused[cause] = m.refusals.WithLabelValues(name, cause)
	}
	for _, reason := range []string{"refreshing", "failing"} {
		i.stale[reason] = m.stale.WithLabelValues(name, reason)
	}
	for _, outcome := range []string{"ok", "failed", "overloaded"} {
		i.refreshed[outcome] = m.refreshes.WithLabelValues(name, outcome)
	}
	first, _ := m.issuers.LoadOrStore(name, i)
	known := first.(*issuer)
	m.inactive.set(name, func() float64 { return known.trend.now(time.Now()) })
	return known
}

func (m *Metrics) cacheSeries(issuer, name string) cacheSeries {
	s := cacheSeries{
		hits:      m.lookups.WithLabelValues(issuer, name, "hit"),
		misses:    m.lookups.WithLabelValues(issuer, name, "miss"),
		evictions: map[string]prometheus.Counter{},
	}
	for _, cause := range []string{"capacity", "revocation"} {
		s.evictions[cause] = m.evictions.WithLabelValues(issuer, name, cause)
	}
	return s
}

// cache returns the series of a cache; what is not in the closed set is counted as "unknown" rather than lost.
func (m *Metrics) cache(issuer, name string) cacheSeries {
	if c, ok := m.issuer(issuer).caches[name]; ok {
		return c
	}
	return m.cacheSeries(issuer, unknown)
}

// Asked counts one question to an authorization server, how it ended and the time it took.
func (m *Metrics) Asked(issuer, outcome string, took time.Duration) {
	i := m.issuer(issuer)
	o, ok := i.asked[outcome]
	if !ok {
		o = m.calls.WithLabelValues(issuer, unknown)
	}
	o.Observe(took.Seconds())
	switch outcome {
	case "active":
		i.trend.add(0, time.Now())
	case "inactive":
		i.trend.add(1, time.Now())
	}
}

// Cached counts a look-up in a cache of answers, "active" or "inactive".
func (m *Metrics) Cached(issuer, cache string, hit bool) {
	c := m.cache(issuer, cache)
	if hit {
		c.hits.Inc()
		return
	}
	c.misses.Inc()
}

// Evicted counts answers that a cache gave up, and why: "capacity" or "revocation".
func (m *Metrics) Evicted(issuer, cache, cause string, n int) {
	counter(m.cache(issuer, cache).evictions, cause, m.evictions, issuer, cache).Add(float64(n))
}

// Refused counts a question that was not put to an authorization server: the breaker is "open", the server sent
// "retry_after", "concurrency" is used up, too many unknown tokens come from an address ("unknown_source") or in all ("unknown_total").
func (m *Metrics) Refused(issuer, cause string) {
	counter(m.issuer(issuer).refused, cause, m.refusals, issuer).Inc()
}

// Retried counts a question that is put to an authorization server again.
func (m *Metrics) Retried(issuer string) { m.issuer(issuer).retries.Inc() }

// ObserveBreaker makes state that of an issuer's circuit breaker: 0 closed, 1 half-open, 2 open. See ObserveCache.
func (m *Metrics) ObserveBreaker(issuer string, state func() int) {
	if state == nil {
		m.breakers.set(issuer, nil)
		return
	}
	m.breakers.set(issuer, func() float64 { return float64(state()) })
}

// Stale counts an answer that was used past its soft lifetime, and why: "refreshing" or "failing".
func (m *Metrics) Stale(issuer, why string) {
	counter(m.issuer(issuer).stale, why, m.stale, issuer).Inc()
}

// Refreshed counts a refresh in the background by how it ended: "ok", "failed" or "overloaded".
func (m *Metrics) Refreshed(issuer, outcome string) {
	counter(m.issuer(issuer).refreshed, outcome, m.refreshes, issuer).Inc()
}

// counter finds the counter of a label; what is not in the closed set is counted as "unknown" rather than lost.
func counter(of map[string]prometheus.Counter, label string, in *prometheus.CounterVec, others ...string) prometheus.Counter {
	if c, ok := of[label]; ok {
		return c
	}
	return in.WithLabelValues(append(others, unknown)...)
}

// Held is what is held for one issuer.
type Held struct {
	// Active answers, the Bytes they are thought to take, and Inactive answers.
	Active   int
	Bytes    int64
	Inactive int
	// Tombstones are revocations that may overtake a question under way, Revocations those remembered against JWTs.
	Tombstones, Revocations int
}

// ObserveCache makes held what is held for an issuer. It is called at each scrape; a later one for the same issuer takes
// its place, and nil ends it.
func (m *Metrics) ObserveCache(issuer string, held func() Held) {
	m.issuer(issuer)
	m.caches.set(issuer, held)
}
