package introspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Issuers are all configured issuers. A token is looked at by exactly one of them, and never sent to another.
// It is an Introspector, immutable, and safe for concurrent use.
type Issuers struct {
	all    []*Issuer
	router router
}

var _ Introspector = (*Issuers)(nil)

// NewIssuers builds an Issuer for each configuration. See New, and CheckIssuers for what they must not be together.
func NewIssuers(cfgs []Config, deps Deps) (*Issuers, error) {
	var faults []error
	CheckIssuers(cfgs, func(key, cause, _ string) { faults = append(faults, fmt.Errorf("%s: %s", key, cause)) })
	if len(faults) > 0 {
		return nil, fmt.Errorf("check issuers: %w", errors.Join(faults...))
	}
	is := &Issuers{}
	for _, cfg := range cfgs {
		i, err := New(cfg, deps)
		if err != nil {
			is.Close()
			return nil, err
		}
		is.all = append(is.all, i)
	}
	is.router = newRouter(cfgs, is.all)
	return is, nil
}

// Introspect asks the one issuer that the token of q is for. See Introspector for its errors; one of kind Malformed means
// that the request does not say which issuer that is.
func (is *Issuers) Introspect(ctx context.Context, q Question) (*authz.Claims, error) {
	return is.Choose(q).Introspect(ctx, q)
}

// Choose finds the issuer of a token by what the token and the request say, without asking anybody.
func (is *Issuers) Choose(q Question) Choice { return is.router.choose(&q) }

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
