//go:build bench

package bench

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/config"
)

// TestMain makes the test binary a sidecar when BENCH_PROFILED names its configuration.
func TestMain(m *testing.M) {
	if file := os.Getenv("BENCH_PROFILED"); file != "" {
		if err := profiled(file, os.Getenv("BENCH_PROFILE")); err != nil {
			slog.Error("profiled sidecar ended", "error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// profiled serves like "sidecar serve" and writes a CPU profile, which the product itself has no door for.
func profiled(file, profile string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, err := config.Load(file, os.Environ())
	if err != nil {
		return err
	}
	a, err := app.New(ctx, cfg, app.Deps{Version: "profiled", Stdout: os.Stdout,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	out, err := os.Create(profile)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	err = a.Run(ctx)
	pprof.StopCPUProfile()
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// TestProfile puts a sidecar of its own process under load and leaves its CPU profile in BENCH_PROFILE:
//
//	BENCH_PROFILE=/tmp/cpu.pprof go test -tags bench -count=1 -run TestProfile ./internal/bench
//	go tool pprof -top -cum /tmp/cpu.pprof
//
// With BENCH_DOOR=grpc it is asked as Envoy does, with BENCH_MEMO=off it remembers no verdict, and with
// BENCH_POLICY=small it has the small policy.
//
// Without BENCH_PROFILE it only shows that it can.
func TestProfile(t *testing.T) {
	e := efforts(t)
	w := newWorld(t)
	profile := os.Getenv("BENCH_PROFILE")
	if profile == "" {
		profile = filepath.Join(t.TempDir(), "cpu.pprof")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	how := setup{policy: w.shipped, full: os.Getenv("BENCH_MEMO") == "off"}
	if os.Getenv("BENCH_POLICY") == "small" {
		how.policy = w.small
	}
	file := w.configuration(t, t.TempDir(), how)
	cfg := load(t, file)
	p := start(t, []string{"BENCH_PROFILED=" + file, "BENCH_PROFILE=" + profile}, program)
	s := &target{name: "profiled sidecar", proc: p,
		dial: posts(cfg.Listen.API.Address, "/v1/decisions", question(t, w.token))}
	if os.Getenv("BENCH_DOOR") == "grpc" {
		s.dial = checks(cfg.Listen.GRPC.Address, w.check())
	}
	s.connect(t)
	of := sidecar{admin: cfg.Listen.Admin.Address}
	const allocated = "go_memstats_alloc_bytes_total"
	before, memory := cpuOf(t, p), of.metrics(t)[allocated]
	loaded, err := closed(s.many, e.each)
	if err != nil {
		t.Fatal(err)
	}
	used := cpuOf(t, p) - before
	memory = of.metrics(t)[allocated] - memory
	closeAll(s.many)
	p.stop()
	info, err := os.Stat(profile)
	if err != nil || info.Size() == 0 {
		t.Fatalf("there is no profile: %v", err)
	}
	asked := len(loaded.latencies)
	t.Logf("%.0f requests/s, %s of CPU and %.0f bytes allocated a request", loaded.rate(),
		(used / time.Duration(asked)).Round(100*time.Nanosecond), memory/float64(asked))
}
