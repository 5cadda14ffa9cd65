package issuer

import (
	"fmt"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect/route"
)

// CheckAll reports what is wrong with issuers together. Keys are such as issuers[1].match. Config.Check reports what
// is wrong with each alone.
func CheckAll(cfgs []Config, fault func(key, cause, hint string)) {
	route.Check(routed(cfgs), fault)
}

func routed(cfgs []Config) []route.Issuer {
	all := make([]route.Issuer, len(cfgs))
	for n, c := range cfgs {
		all[n] = c.routed()
	}
	return all
}

// Places are those that issuers name for their tokens.
func Places(cfgs []Config) []authz.Place {
	var all []authz.Place
	for _, c := range cfgs {
		if p := c.Credential.Place(); p != (authz.Place{}) && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// ModesOf lists the modes that at least one of the issuers can do, as far as its configuration tells: what discovery
// will find is not known yet.
func ModesOf(cfgs []Config) []authz.Mode {
	var asks, validates, both bool
	for _, c := range cfgs {
		a := (c.Endpoint.Issuer != "" || c.Endpoint.IntrospectionEndpoint != "") &&
			c.Dialect.Encoding() != dialect.Unasked
		v := (c.Endpoint.Issuer != "" || c.Endpoint.JWKSURI != "") && c.Dialect.HasJWTs()
		asks, validates, both = asks || a, validates || v, both || a && v
	}
	var modes []authz.Mode
	for _, m := range []struct {
		mode authz.Mode
		can  bool
	}{{authz.ModeIntrospect, asks}, {authz.ModeJWT, validates}, {authz.ModeJWTThenIntrospect, both},
		{authz.ModeIntrospectOpaque, both}} {
		if m.can {
			modes = append(modes, m.mode)
		}
	}
	return modes
}

// WarnAll reports what is allowed about issuers together, and seldom meant: an issuer that may speak for every
// tenant, also for those of the others.
func WarnAll(cfgs []Config, warn func(key, cause, hint string)) {
	if len(cfgs) < 2 {
		return
	}
	for i, c := range cfgs {
		if len(c.Dialect.Tenant) > 0 && len(c.Dialect.Tenants) == 0 {
			warn(fmt.Sprintf("issuers[%d].tenants", i),
				fmt.Sprintf("is empty: issuer %q may speak for the tenants of the other issuers", c.Endpoint.Name),
				`list its tenants, or write ["*"] where it is meant`)
		}
	}
}
