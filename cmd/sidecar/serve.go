package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

func serveCommand(std streams) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Serve decisions",
		Long:    "Serve decisions until interrupted. Policies are read again whenever they change; SIGHUP opens the decision log again.",
		Example: "  sidecar serve --config /etc/sidecar/sidecar.yaml",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file, os.Environ())
			if err != nil {
				return err
			}
			logger := telemetry.NewLogger(cfg.Telemetry.Log, std.err)
			cfg.Warn(func(key, cause, hint string) { logger.Warn("configuration", "key", key, "cause", cause, "hint", hint) })
			return serve(cmd.Context(), cfg, std, logger, nil)
		},
	}
	configFlag(cmd, &file)
	return cmd
}

func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "sidecar.yaml", "configuration file")
}

// serve runs an app until ctx ends. started is called once its sockets are open.
func serve(ctx context.Context, cfg *config.Config, std streams, logger *slog.Logger, started func(*app.App)) error {
	a, err := app.New(ctx, cfg, app.Deps{Version: version(), Stdout: std.out, Logger: logger})
	if err != nil {
		return err
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	beside, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { paceCollections(beside) })
	work.Go(func() {
		for {
			select {
			case <-beside.Done():
				return
			case <-hangups:
				if err := a.Reopen(); err != nil {
					logger.Error("decision log not opened again", "error", err)
				}
			}
		}
	})
	if started != nil {
		started(a)
	}
	err = a.Run(ctx)
	stop()
	work.Wait()
	return err
}
