package metrics_test

import (
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
