package introspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// maxCannedBytes bounds an answer when cfg does not.
const maxCannedBytes = 1 << 20

// Canned returns an Introspector for use without a server: whatever the token, it gives the claims that an Issuer of cfg
// would read out of answer, the JSON body of a 200. They are Fetched at the time of the call, and no two calls share them.
// An answer that an Issuer could not read is an error of kind Unavailable here too, on each call.
//
// Of cfg only what shapes claims is looked at: dialect, issuer, audience, absent_audience, tenant, roles,
// not_before_leeway and max_response_bytes. The error lists their faults.
func Canned(cfg Config, answer []byte) (Introspector, error) {
	var faults []error
	fault := func(key, cause, _ string) { faults = append(faults, fmt.Errorf("%s: %s", key, cause)) }
	cfg.checkWords(fault)
	checkPointers("tenant", cfg.Tenant, fault)
	checkPointers("roles", cfg.Roles, fault)
	if cfg.NotBeforeLeeway < 0 || cfg.NotBeforeLeeway > maxNotBeforeLeeway {
		fault("not_before_leeway", fmt.Sprintf("is not between 0s and %s", maxNotBeforeLeeway), "")
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("check issuer %q: %w", cfg.Name, errors.Join(faults...))
	}
	limit := cfg.MaxResponseBytes
	if limit == 0 {
		limit = maxCannedBytes
	}
	return &canned{normaliser: newNormaliser(cfg), leeway: cfg.NotBeforeLeeway, limit: limit, answer: bytes.Clone(answer)}, nil
}

// canned answers every question alike.
type canned struct {
	normaliser normaliser
	leeway     time.Duration
	limit      int64
	answer     []byte
}

func (c *canned) Introspect(_ context.Context, _ secret.Text) (*authz.Claims, error) {
	if int64(len(c.answer)) > c.limit {
		return nil, authz.E(authz.Unavailable, "read introspection answer: it is over %d bytes", c.limit)
	}
	f, err := c.normaliser.read(c.answer, time.Now())
	if err != nil {
		return nil, authz.E(authz.Unavailable, "read introspection answer: %w", err)
	}
	f.claims.Leeway = c.leeway
	return f.claims, nil
}
