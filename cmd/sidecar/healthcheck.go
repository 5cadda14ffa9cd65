package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func healthcheckCommand(streams) *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running sidecar whether it is ready",
		Long: `Ask a running sidecar whether it is ready. For containers without a shell.

Exit status: 0 it is ready; 1 it is not ready or does not answer in 3 s; 2 wrong usage.`,
		Example: "  sidecar healthcheck --url http://127.0.0.1:8181/readyz",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return checkHealth(cmd.Context(), url) },
	}
	cmd.Flags().StringVar(&url, "url", "http://127.0.0.1:8181/readyz", "readiness probe of the sidecar")
	return cmd
}

// healthTimeout is below the usual timeout of a container's health check, which would end the command without a
// message.
const healthTimeout = 3 * time.Second

func checkHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
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
}
