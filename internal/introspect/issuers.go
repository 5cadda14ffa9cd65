package introspect

import (
	"context"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Issuers are all configured issuers. A token is looked at by exactly one of them, and never sent to another.
// It is an Introspector, safe for concurrent use.
type Issuers struct {
	all []*Issuer
}

var _ Introspector = (*Issuers)(nil)

// NewIssuers builds an Issuer for each configuration. See New.
func NewIssuers(cfgs []Config, deps Deps) (*Issuers, error) {
	is := &Issuers{}
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

// Introspect chooses the issuer of a token and asks it. See Introspector for its errors.
func (is *Issuers) Introspect(ctx context.Context, q Question) (*authz.Claims, error) {
	return is.all[0].Introspect(ctx, q)
}

// All lists the issuers in the order of the configuration.
func (is *Issuers) All() []*Issuer { return is.all }

// Close closes every Issuer.
func (is *Issuers) Close() {
	for _, i := range is.all {
		i.Close()
	}
}
