package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

func serveCommand(std streams) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve decisions",
		Long: `Serve decisions until interrupted. Policies are read again whenever they change; SIGHUP opens the decision log
again. A first SIGTERM or Ctrl-C stops within shutdown_timeout, after shutdown_delay if there is one; a second one at
once, with exit code 1.

Exit status: 0 after a stop; 1 the configuration has faults, or the sidecar cannot start or fails; 2 wrong usage; 3 the
policies do not load.`,
		Example: "  sidecar serve --config /etc/sidecar/sidecar.yaml",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file, os.Environ())
			if err != nil {
				return err
			}
			logger := telemetry.NewLogger(cfg.Telemetry.Log, std.err)
			cfg.Warn(func(key, cause, hint string) {
				logger.Warn("configuration", "key", key, "cause", cause, "hint", hint)
			})
			return serve(cmd.Context(), cfg, std, logger, audience{})
		},
	}
	configFlag(cmd, &file)
	return cmd
}

// startIsOver is how long after its sockets are open the start of a sidecar is over, with its first requests.
const startIsOver = time.Second

// audience is who watches a sidecar that serves.
type audience struct {
	// started is called once the sockets are open; it may be nil.
	started func(*app.App)
	// lines gets a line a decision; nil for none but those of the log at level debug.
	lines io.Writer
}

// serve runs an app until ctx ends.
func serve(ctx context.Context, cfg *config.Config, std streams, logger *slog.Logger, watching audience) error {
	std.exitTime.set(cfg.ShutdownDelay + cfg.ShutdownTimeout)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // first of all: without a receiver SIGHUP ends the process
	defer signal.Stop(hangups)
	logger.Info("starting", "version", version(), "policies", cfg.Policies.Paths, "bundles", cfg.Policies.Bundles)
	boundMemory(logger)
	collections := newPacer()
	a, err := app.New(ctx, cfg, app.Deps{Version: version(), Stdout: std.out, Log: logger, Lines: watching.lines,
		Aside: collections.aside})
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		logger.Info("stopped: a signal asked for it before the start was over")
		return nil
	}
	if err != nil {
		return err
	}
	background, stop := context.WithCancel(context.Background())
	defer stop()
	// A system that does not unmap them keeps them, which harms nothing.
	defer time.AfterFunc(startIsOver, func() { _ = releaseProgram() }).Stop()
	go collections.run(background)
	go reopen(background, a, hangups, logger)
	if watching.started != nil {
		watching.started(a)
	}
	return a.Run(ctx)
}

// reopen opens the decision log again at each SIGHUP, until ctx ends. A disk that does not answer may hold it for
// longer: the caller does not wait for it.
func reopen(ctx context.Context, a *app.App, hangups <-chan os.Signal, logger *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			if err := a.Reopen(); err != nil {
				logger.Error("decision log not opened again", "error", err)
			}
		}
	}
}
