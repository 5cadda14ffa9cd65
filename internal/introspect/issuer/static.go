package issuer

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// maxStaticBytes bounds an answer when cfg does not.
const maxStaticBytes = 1 << 20

// Static returns an introspect.Introspector for use without a server: whatever the token, it gives the claims that an
// Issuer of cfg would read out of answer, the JSON body of a 200. They are Fetched at the time of the call, and no
// two calls share them. An answer that an Issuer could not read is an error of kind Unavailable here too, on each
// call.
//
// Of cfg only what shapes claims is looked at: dialect, issuer, match.issuers, audience, absent_audience,
// tenant, roles, not_before_leeway and max_response_bytes. The error lists their faults.
func Static(cfg Config, answer []byte) (introspect.Introspector, error) {
	if err := conf.Validate(cfg.Dialect); err != nil {
		return nil, fmt.Errorf("check issuer %q: %w", cfg.Endpoint.Name, err)
	}
	limit := cfg.Endpoint.MaxResponseBytes
	if limit == 0 {
		limit = maxStaticBytes
	}
	return &static{reader: cfg.reader(), limit: limit, answer: bytes.Clone(answer)}, nil
}

// static gives every question the same answer.
type static struct {
	reader *dialect.Reader
	limit  int64
	answer []byte
}

func (c *static) Introspect(_ context.Context, _ introspect.Question) (*authz.Claims, error) {
	if int64(len(c.answer)) > c.limit {
		return nil, authz.Errorf(authz.Unavailable, "read introspection answer: it is over %d bytes", c.limit)
	}
	f, err := c.reader.Read(c.answer, secret.Text{}, time.Now())
	if err != nil {
		return nil, authz.Errorf(authz.Unavailable, "read introspection answer: %w", err)
	}
	return f.Claims, nil
}
