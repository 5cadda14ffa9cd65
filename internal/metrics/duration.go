package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Duration is a histogram of times. It is safe for concurrent use. Each request is counted in several of them, so that
// one time costs two additions: the histogram of the client library, which keeps count and sum of one scrape in step,
// costs several times that. Here a scrape may show the count of a time whose sum the next one shows.
type Duration struct{ h *durations }

// durations is what a Duration counts.
type durations struct {
	desc    *prometheus.Desc
	created time.Time
	bounds  []float64       // the highest of each bucket, in seconds
	highest []time.Duration // the same
	counts  []atomic.Uint64 // by bucket; the last one is of what is over all bounds
	sum     atomic.Int64    // in nanoseconds
}

// NewDuration declares a histogram of work in memory that may wait for the network: 10 us to 2.5 s.
func NewDuration(r Registerer, name, help string) Duration {
	d := &durations{desc: prometheus.NewDesc(name, help, nil, nil), created: time.Now(), bounds: inMemory()}
	for _, s := range d.bounds {
		d.highest = append(d.highest, time.Duration(s*float64(time.Second)+0.5))
	}
	d.counts = make([]atomic.Uint64, len(d.bounds)+1)
	if r != nil {
		r.MustRegister(d)
	}
	return Duration{d}
}

// Took counts one time.
func (d Duration) Took(t time.Duration) {
	i := 0
	for i < len(d.h.highest) && t > d.h.highest[i] {
		i++
	}
	d.h.counts[i].Add(1)
	d.h.sum.Add(int64(t))
}

// Describe implements prometheus.Collector.
func (d *durations) Describe(ch chan<- *prometheus.Desc) { ch <- d.desc }

// Collect implements prometheus.Collector.
func (d *durations) Collect(ch chan<- prometheus.Metric) {
	n, below := uint64(0), make(map[float64]uint64, len(d.bounds))
	for i, bound := range d.bounds {
		n += d.counts[i].Load()
		below[bound] = n
	}
	n += d.counts[len(d.bounds)].Load()
	sum := time.Duration(d.sum.Load()).Seconds()
	ch <- prometheus.MustNewConstHistogramWithCreatedTimestamp(d.desc, n, sum, below, d.created)
}
