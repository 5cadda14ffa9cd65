package replay_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/replay"
)

// BenchmarkReplay replays a log of the shipped policies; the figure is decisions/s.
func BenchmarkReplay(b *testing.B) {
	by := side(b, same)
	log := record(b, by, "authz/decision", workload(20000))
	b.SetBytes(int64(len(log)))
	n, before := 0, cpu()
	for b.Loop() {
		n += replayed(b, log, replay.Options{Candidate: by}).Totals.Replayed
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "decisions/s")
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(n), "cpu-us/decision")
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
