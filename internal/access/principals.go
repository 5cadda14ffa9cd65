package access

import (
	"context"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

// PrincipalsOf are the tokens and the requests of suites, decided about by policy under cfg.
func PrincipalsOf(ctx context.Context, suites []policytest.Suite, policy *engine.Policy,
	cfg *config.Config) Principals {
	var out Principals
	for i := range suites {
		s := &suites[i]
		out.Requests = append(out.Requests, s.Requests()...)
		for _, name := range s.TokenNames() {
			t := Token{Suite: s.Name, Name: name,
				Decide: func(ctx context.Context, q authz.Query) (authz.Decision, error) {
					return s.Ask(ctx, policy, cfg, name, q)
				}}
			if claims := s.Claims(ctx, name); claims != nil {
				t.Tenant = claims.Tenant
			}
			out.Tokens = append(out.Tokens, t)
		}
	}
	return out
}
