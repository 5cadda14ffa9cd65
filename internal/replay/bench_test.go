package replay_test

import (
	"runtime/debug"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/replay"
)

// BenchmarkReplay replays a log of 100,000 decisions of the shipped policies; the figure is decisions/s. The decisions
// are about 500 tokens and 2,000 orders, or each about a token and an order of its own.
func BenchmarkReplay(b *testing.B) {
	by := side(b, same)
	for name, calls := range map[string][]call{"500 tokens": pooled(100000, 500, 2000),
		"each its own": workload(100000)} {
		log := record(b, by, "authz/decision", calls)
		b.Run(name, func(b *testing.B) {
			defer debug.SetGCPercent(debug.SetGCPercent(800)) // as sidecar replay does
			b.SetBytes(int64(len(log)))
			n := 0
			for b.Loop() {
				n += replayed(b, log, replay.Options{Candidate: by}).Totals.Replayed
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}
