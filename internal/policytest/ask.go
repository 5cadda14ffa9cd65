package policytest

import (
	"context"
	"maps"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// TokenNames are the names of the tokens of a suite, sorted.
func (s *Suite) TokenNames() []string { return slices.Sorted(maps.Keys(s.tokens)) }

// Requests are those of the cases of a suite.
func (s *Suite) Requests() []authz.Request {
	out := make([]authz.Request, 0, len(s.cases))
	for _, c := range s.cases {
		out = append(out, c.query.Request)
	}
	return out
}

// Claims are what the sidecar reads of a token of the suite, or nil when asking about it fails.
func (s *Suite) Claims(ctx context.Context, name string) *authz.Claims {
	introspector, err := s.introspector(name, s.now)
	if err != nil {
		return nil
	}
	claims, err := introspector.Introspect(ctx, introspect.Question{Token: secret.New(tokenText)})
	if err != nil {
		return nil
	}
	return claims
}

// Ask decides a query with a token of the suite, whose key is shown, at the time of the suite. "" stands for no token.
func (s *Suite) Ask(
	ctx context.Context, policy *engine.Policy, cfg *config.Config, name string, q authz.Query,
) (authz.Decision, error) {
	introspector, err := s.introspector(name, s.now)
	if err != nil {
		return authz.Decision{}, err
	}
	proofs := &statedProof{key: keyShown}
	if name != "" {
		proofs.present(&q, introspector.bound(ctx))
	}
	return s.point(policy, cfg, introspector, proofs, s.now).Decide(ctx, q), nil
}
