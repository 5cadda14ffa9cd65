package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/route"
)

// Issuers are all configured issuers. A token is looked at by exactly one of them, and never sent to another.
// It is an Introspector, immutable, and safe for concurrent use.
type Issuers struct {
	all    []*Issuer
	router *route.Router
}

var _ introspect.Introspector = (*Issuers)(nil)

// Open builds an Issuer for each configuration. See New, and CheckAll for what they must not be together.
func Open(cfgs []Config, deps Deps) (*Issuers, error) {
	var faults []error
	CheckAll(cfgs, func(key, cause, _ string) { faults = append(faults, fmt.Errorf("%s: %s", key, cause)) })
	if len(faults) > 0 {
		return nil, fmt.Errorf("check issuers: %w", errors.Join(faults...))
	}
	is := &Issuers{router: route.New(routed(cfgs))}
	for _, cfg := range cfgs {
		i, err := New(cfg, deps)
		if err != nil {
			is.Close()
			return nil, err
		}
		is.all = append(is.all, i)
	}
	return is, nil
}

// Introspect asks the one issuer that the token of q is for. See introspect.Introspector for its errors; one of kind
// Malformed means that the request does not say which issuer that is.
func (is *Issuers) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	c := is.Choose(q)
	if c.issuer == nil {
		return c.refusal()
	}
	return c.issuer.Introspect(ctx, q)
}

// Choose finds the issuer of a token by what the token and the request say, without asking a server.
func (is *Issuers) Choose(q introspect.Question) Choice {
	c := Choice{routed: is.router.Choose(&q)}
	if n := c.routed.Index(); n >= 0 {
		c.issuer = is.all[n]
	}
	return c
}

// Choice is the issuer that a question goes to, or why it goes to none. Choices can be compared: where choice, token
// and freshness are equal, so is the answer.
type Choice struct {
	issuer *Issuer
	routed route.Choice
}

// Issuer is the chosen one, or nil.
func (c Choice) Issuer() *Issuer { return c.issuer }

// Why says why no issuer is chosen.
func (c Choice) Why() authz.Unusable { return c.routed.Why() }

// Introspect asks the chosen issuer. Where none is chosen no server is asked: the token is not active.
func (c Choice) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	if c.issuer == nil {
		return c.refusal()
	}
	return c.issuer.Introspect(ctx, q)
}

func (c Choice) refusal() (*authz.Claims, error) {
	if c.routed.Ambiguous() {
		return nil, authz.Errorf(authz.Malformed, "choose issuer: the token %s", c.Why())
	}
	return dialect.Unusable(c.Why(), time.Now()).Claims, nil
}

// All lists the issuers in the order of the configuration.
func (is *Issuers) All() []*Issuer { return is.all }

// Named returns the issuer of a name, or nil.
func (is *Issuers) Named(name string) *Issuer {
	for _, i := range is.all {
		if i.name == name {
			return i
		}
	}
	return nil
}

// Close closes every Issuer.
func (is *Issuers) Close() {
	for _, i := range is.all {
		i.Close()
	}
}
