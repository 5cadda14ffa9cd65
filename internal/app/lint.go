package app

import (
	"context"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// Lint looks for findings in a set that loads, with its tests where it has them, under a configuration. The error is
// that of ctx.
func Lint(ctx context.Context, cfg *config.Config, set *bundle.Set) (lint.Report, error) {
	var issuers []string
	for _, issuer := range cfg.Issuers {
		issuers = append(issuers, issuer.Endpoint.Name)
	}
	engine := cfg.EngineConfig()
	return lint.Run(ctx, set, lint.Config{
		Rego: engine.Rego(), Entrypoints: append([]string{cfg.Decision.Entrypoint}, engine.Entrypoints...),
		Issuers: issuers,
	})
}
