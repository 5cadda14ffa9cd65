package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

func configCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show what can be configured, and what is", Example: "  sidecar config print --config sidecar.yaml"}
	cmd.AddCommand(&cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the configuration", Example: "  sidecar config schema > sidecar.schema.json", Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := std.out.Write(config.Schema())
			return err
		},
	})
	var file string
	print := &cobra.Command{
		Use: "print", Short: "Print the effective configuration: defaults, file and environment together", Example: "  SIDECAR_LISTEN_API_ADDRESS=127.0.0.1:9000 sidecar config print -c sidecar.yaml", Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(file, os.Environ())
			if err != nil {
				return err
			}
			return config.Print(cfg, std.out)
		},
	}
	configFlag(print, &file)
	cmd.AddCommand(print)
	return cmd
}

func healthcheckCommand(streams) *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask a running sidecar whether it is ready", Long: "Ask a running sidecar whether it is ready. For containers without a shell.",
		Example: "  sidecar healthcheck --url http://127.0.0.1:8181/readyz", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 3*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return &failure{err: err, hint: "--url takes a URL such as http://127.0.0.1:8181/readyz", exit: exitUsage}
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return fmt.Errorf("ask %s: %w", url, err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("ask %s: not ready: %s", url, resp.Status)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&url, "url", "http://127.0.0.1:8181/readyz", "readiness probe of the sidecar")
	return cmd
}

// release and commit are set by the linker; see the Makefile.
var release, commit string

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

func versionCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the versions of the sidecar, OPA and Rego", Example: "  sidecar version", Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			opa, rego := engine.Versions()
			at := commit
			if at == "" {
				at = "unknown"
			}
			_, err := fmt.Fprintf(std.out, "version: %s\ncommit:  %s\nopa:     %s\nrego:    %s\n", version(), at, opa, rego)
			return err
		},
	}
}
