package metrics_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/authz-sidecar/sidecar/internal/metrics"
)

func TestSeriesOfAClosedSetStartAtZero(t *testing.T) {
	r := prometheus.NewRegistry()
	metrics.NewCounters(r, "a_total", "A.", "outcome", "ok", "failed").Inc("ok")
	want := `
# HELP a_total A.
# TYPE a_total counter
a_total{outcome="failed"} 0
a_total{outcome="ok"} 1
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestAValueOutsideTheClosedSetIsCountedAsUnknown(t *testing.T) {
	r := prometheus.NewRegistry()
	metrics.NewCounters(r, "a_total", "A.", "outcome", "ok").Add("odd", 2)
	metrics.NewNetworkDurations(r, "b_seconds", "B.", "outcome", "ok").Took("odd", time.Second)
	want := `
# HELP a_total A.
# TYPE a_total counter
a_total{outcome="ok"} 0
a_total{outcome="unknown"} 2
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), "a_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(r, "b_seconds"); err != nil || n != 2 {
		t.Errorf("got %d histograms, %v; want 2", n, err)
	}
}

func TestTwoIssuersShowOneMetric(t *testing.T) {
	r := prometheus.NewRegistry()
	for i, issuer := range []string{"main", "partner"} {
		of := metrics.With(r, "issuer", issuer)
		metrics.NewCounter(of, "a_total", "A.").Add(float64(i + 1))
		for _, cache := range []string{"active", "inactive"} {
			metrics.NewGaugeFunc(metrics.With(of, "cache", cache), "b", "B.", func() float64 { return 3 })
		}
	}
	want := `
# HELP a_total A.
# TYPE a_total counter
a_total{issuer="main"} 1
a_total{issuer="partner"} 2
# HELP b B.
# TYPE b gauge
b{cache="active",issuer="main"} 3
b{cache="active",issuer="partner"} 3
b{cache="inactive",issuer="main"} 3
b{cache="inactive",issuer="partner"} 3
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestWithoutARegistererMetricsCount(t *testing.T) {
	c := metrics.NewCounter(metrics.With(nil, "issuer", "main"), "a_total", "A.")
	c.Inc()
	if got := testutil.ToFloat64(c); got != 1 {
		t.Errorf("got %v, want 1", got)
	}
	metrics.NewGaugeFunc(nil, "b", "B.", func() float64 { return 1 })
	metrics.NewInfo(nil, "c", "C.", "version").Set("1")
}

func TestAnInfoShowsItsLatestLabelsOnly(t *testing.T) {
	r := prometheus.NewRegistry()
	i := metrics.NewInfo(r, "a_info", "A.", "revision")
	if n, err := testutil.GatherAndCount(r); err != nil || n != 0 {
		t.Errorf("before the first Set: %d series, %v", n, err)
	}
	i.Set("one")
	i.Set("two\xff")
	want := "# HELP a_info A.\n# TYPE a_info gauge\na_info{revision=\"two\ufffd\"} 1\n"
	if err := testutil.GatherAndCompare(r, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// TestADurationIsCountedAsTheLibraryCountsIt compares every bucket with a histogram of the client library.
func TestADurationIsCountedAsTheLibraryCountsIt(t *testing.T) {
	ours, theirs := prometheus.NewRegistry(), prometheus.NewRegistry()
	d := metrics.NewDuration(metrics.With(ours, "a", "b"), "d_seconds", "D.")
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "d_seconds", Help: "D.", Buckets: []float64{
		10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5,
	}})
	metrics.With(theirs, "a", "b").MustRegister(h)
	buckets := func(r *prometheus.Registry) string {
		families, err := r.Gather()
		if err != nil || len(families) != 1 {
			t.Fatalf("%d families, %v", len(families), err)
		}
		m := families[0].GetMetric()[0]
		of := m.GetHistogram()
		out := fmt.Sprintf("%s %s %s: %d in %.6f s", families[0].GetName(), families[0].GetType(), m.GetLabel(),
			of.GetSampleCount(), of.GetSampleSum())
		for _, b := range of.GetBucket() {
			out += fmt.Sprintf(", %g: %d", b.GetUpperBound(), b.GetCumulativeCount())
		}
		return out
	}
	same := func() {
		t.Helper()
		if got, want := buckets(ours), buckets(theirs); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	same()
	for _, us := range []int64{
		0, 1, 10, 25, 50, 100, 250, 500, 1e3, 2500, 5e3, 1e4, 25e3, 5e4, 1e5, 25e4, 5e5, 1e6, 25e5, 1e8,
	} {
		took := time.Duration(us) * time.Microsecond
		d.Took(took)
		h.Observe(took.Seconds())
	}
	for _, took := range []time.Duration{10*time.Microsecond + 1, 10*time.Microsecond - 1, 2500*time.Millisecond + 1} {
		d.Took(took)
		h.Observe(took.Seconds())
	}
	same()
}
