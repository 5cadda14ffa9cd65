package issuer

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/local"
)

// StaticJWT returns an introspect.Introspector for use without a server: whatever the token, it gives what an Issuer
// of cfg would say at the time now of a JWT with these claims, the header of an access token and a good signature.
// The error lists faults of cfg.Dialect and cfg.JWT.
func StaticJWT(cfg Config, claims []byte, now time.Time) (introspect.Introspector, error) {
	for _, part := range []any{cfg.Dialect, cfg.JWT} {
		if err := conf.Validate(part); err != nil {
			return nil, fmt.Errorf("check issuer %q: %w", cfg.Endpoint.Name, err)
		}
	}
	validator := local.NewVerified(cfg.JWT, local.Deps{
		Endpoint: cfg.Endpoint, Dialect: cfg.Dialect, Reader: cfg.reader(),
		NotBeforeAhead: cfg.notBeforeAhead(), IssuedAhead: cfg.issuedAhead(),
	})
	return &staticJWT{validator: validator, claims: bytes.Clone(claims), now: now}, nil
}

type staticJWT struct {
	validator *local.Verified
	claims    []byte
	now       time.Time
}

func (c *staticJWT) Introspect(_ context.Context, q introspect.Question) (*authz.Claims, error) {
	return c.validator.Read(c.claims, q.Token, c.now).Claims, nil
}
