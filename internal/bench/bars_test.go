//go:build bench

package bench

import (
	"fmt"
	"strconv"
	"strings"
)

// bar is what a figure is measured by.
type bar struct {
	name, wants string
	figure      float64
	unit        string
	met         bool
}

// least and most are bars that a figure reaches from above and from below.
func least(name string, figure, bound float64, unit string) bar {
	return bar{name, "at least " + decimal(bound) + unit, figure, unit, figure >= bound}
}

func most(name string, figure, bound float64, unit string) bar {
	return bar{name, "at most " + decimal(bound) + unit, figure, unit, figure <= bound}
}

// bars prints what the project wants of itself, and what this run measured.
func (r report) bars(b *strings.Builder) {
	f := r.field
	crowded := func(of func(crowd) float64) float64 { return median(r.cold, of) }
	fmt.Fprintf(b, "| bar | wanted | figure | met |\n|---|---|---|---|\n")
	for _, x := range []bar{
		least("CPU a request, floor / remembered, small policy, log on",
			ratio(f.post, f.small.target, run.processor), 0.60, ""),
		least("requests/s, remembered, small policy, log on / OPA without its log",
			ratio(f.small.target, f.opa, run.throughput), 3.3, ""),
		least("CPU a request, floor / evaluated, small policy, log on",
			ratio(f.post, f.smallFull.target, run.processor), 0.40, ""),
		most("CPU a request, evaluated, log on, shipped policies / small",
			ratio(f.shippedFull.target, f.smallFull.target, run.processor), 1.5, ""),
		most("p99 at 70 % of the sidecar's peak, remembered, small policy / OPA",
			median(f.small.paced, paced.sidecarMicros)/median(f.opa.paced, paced.sidecarMicros), 0.5, ""),
		most("p99 at 70 % of OPA's peak, remembered, small policy / OPA",
			median(f.small.paced, paced.opaMicros)/median(f.opa.paced, paced.opaMicros), 0.5, ""),
		most("p99 during reloads / before", float64(r.loaded.during)/float64(r.loaded.before), 2, ""),
		most(fmt.Sprintf("questions for %d callers with one cold token", callers),
			crowded(func(c crowd) float64 { return float64(c.questions) }), 1, ""),
		most("slowest of them / latency of the issuer",
			crowded(func(c crowd) float64 { return float64(c.slowest) / float64(late) }), 1.2, ""),
		most(fmt.Sprintf("RSS with %d cached tokens of 1 KiB", cached), r.memory.now*1.048576, 60, " MB"),
		most("start to the first decision, shipped policies", median(r.first, millis), 300, " ms"),
		most(fmt.Sprintf("%d rules edited on disk to serving", rules), median(r.reload, millis), 400, " ms"),
		least("replay", median(r.replayed, func(f float64) float64 { return f }), 20_000, " decisions/s"),
	} {
		met := "no"
		if x.met {
			met = "yes"
		}
		fmt.Fprintf(b, "| %s | %s | %s%s | %s |\n", x.name, x.wants, number(x.figure), x.unit, met)
	}
}

// decimal writes a bound without an exponent.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// number has as many digits as a figure is good for.
func number(f float64) string {
	if f >= 100 {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.2f", f)
}
