package review

import (
	"context"
	"errors"
	"sync"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/doctor"
)

// Issuer is what was found at one authorization server.
type Issuer struct {
	Name     string
	Findings []doctor.Finding
}

// Examine asks every authorization server of cfg, all at once. The error is that of ctx, or of a client that cannot be
// built.
func Examine(ctx context.Context, cfg *config.Config) ([]Issuer, error) {
	out, errs := make([]Issuer, len(cfg.Issuers)), make([]error, len(cfg.Issuers))
	var asking sync.WaitGroup
	for i, issuer := range cfg.Issuers {
		asking.Go(func() {
			out[i].Name = issuer.Endpoint.Name
			out[i].Findings, errs[i] = doctor.Examine(ctx, issuer)
		})
	}
	asking.Wait()
	return out, errors.Join(errs...)
}
