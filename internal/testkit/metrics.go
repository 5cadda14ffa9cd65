package testkit

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Registry is where the code under test registers its metrics.
type Registry struct{ *prometheus.Registry }

// NewRegistry returns an empty registry.
func NewRegistry() Registry { return Registry{prometheus.NewRegistry()} }

// Value is the value of a series, which is written as on the page of metrics: name{label="value",other="value"},
// labels in alphabetical order. Of a histogram it is the count. A series that is not there fails the test.
func (r Registry) Value(t testing.TB, series string) float64 {
	t.Helper()
	all := r.Series(t)
	v, ok := all[series]
	if !ok {
		t.Fatalf("there is no series %s among %v", series, slices.Sorted(maps.Keys(all)))
	}
	return v
}

// Nonzero has the series of the named metric whose value is not 0, as "series value", sorted.
func (r Registry) Nonzero(t testing.TB, name string) []string {
	t.Helper()
	var out []string
	for series, v := range r.Series(t) {
		if v != 0 && (series == name || strings.HasPrefix(series, name+"{")) {
			out = append(out, series+" "+strconv.FormatFloat(v, 'g', -1, 64))
		}
	}
	slices.Sort(out)
	return out
}

// Series has all series by name and labels.
func (r Registry) Series(t testing.TB) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			out[f.GetName()+labels(m.Label)] = valueOf(m)
		}
	}
	return out
}

func labels(pairs []*dto.LabelPair) string {
	if len(pairs) == 0 {
		return ""
	}
	var out []string
	for _, p := range pairs {
		out = append(out, p.GetName()+"="+strconv.Quote(p.GetValue()))
	}
	slices.Sort(out)
	return "{" + strings.Join(out, ",") + "}"
}

func valueOf(m *dto.Metric) float64 {
	if m.Histogram != nil {
		return float64(m.Histogram.GetSampleCount())
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}
