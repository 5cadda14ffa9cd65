package cache

import (
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// Closed sets of labels.
const (
	storeActive   = "active"
	storeInactive = "inactive"

	evictedCapacity   = "capacity"
	evictedRevocation = "revocation"

	staleRefreshing = "refreshing" // a new answer is being fetched
	staleFailing    = "failing"    // a new answer could not be had

	refreshOK         = "ok"
	refreshFailed     = "failed"
	refreshOverloaded = "overloaded" // too many questions were in flight

	causeConcurrency = "concurrency" // max_in_flight questions were in flight
)

// counts has the metrics of a Cache.
type counts struct {
	active, inactive *storeCounts
	stale, refreshes *metrics.Counters
	refused          map[string]metrics.Counter // by cause
}

// storeCounts has the metrics of one store.
type storeCounts struct {
	hits, misses metrics.Counter
	evicted      *metrics.Counters
}

func newCounts(r metrics.Registerer) *counts {
	return &counts{
		active:   newStoreCounts(r, storeActive),
		inactive: newStoreCounts(r, storeInactive),
		stale: metrics.NewCounters(r, "sidecar_introspect_stale_served_total",
			"Cached answers used past their soft lifetime, by reason.",
			"reason", staleRefreshing, staleFailing),
		refreshes: metrics.NewCounters(r, "sidecar_introspect_refreshes_total",
			"Background introspections that refresh a cached answer, by outcome.",
			"outcome", refreshOK, refreshFailed, refreshOverloaded),
		refused: introspect.NewRefusals(r, causeConcurrency),
	}
}

func newStoreCounts(r metrics.Registerer, store string) *storeCounts {
	r = metrics.With(r, "cache", store)
	lookups := metrics.NewCounters(r, "sidecar_introspect_cache_lookups_total", "Cache lookups by cache and result.",
		"result", "hit", "miss")
	return &storeCounts{
		hits: lookups.Of("hit"), misses: lookups.Of("miss"),
		evicted: metrics.NewCounters(r, "sidecar_introspect_cache_evictions_total",
			"Cached answers evicted before they expired, by cause.",
			"cause", evictedCapacity, evictedRevocation),
	}
}

func (c *storeCounts) lookedUp(hit bool) {
	if hit {
		c.hits.Inc()
		return
	}
	c.misses.Inc()
}

// register shows what is held.
func (c *Cache) register(r metrics.Registerer) {
	for store, s := range map[string]*store{storeActive: c.active, storeInactive: c.inactive} {
		metrics.NewGaugeFunc(metrics.With(r, "cache", store), "sidecar_introspect_cache_entries",
			"Answers in the cache.",
			func() float64 { return float64(s.stats().Entries) })
	}
	metrics.NewGaugeFunc(r, "sidecar_introspect_cache_bytes", "Estimated memory of cached active answers, in bytes.",
		func() float64 { return float64(c.active.stats().Bytes) })
	for kind, count := range map[string]func(Stats) int{
		"pending":    func(s Stats) int { return s.Tombstones },
		"remembered": func(s Stats) int { return s.Revocations },
	} {
		metrics.NewGaugeFunc(metrics.With(r, "kind", kind), "sidecar_introspect_tombstones",
			"Revocations in force: pending against introspections in flight, remembered against JWTs that are "+
				"validated locally.",
			func() float64 { return float64(count(c.Stats())) })
	}
}
