package cache

import (
	"slices"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// scope is what shapes an answer besides the token, as a keyed digest: it is long, and the same in most keys.
type scope struct {
	endpoint string
	mode     authz.Mode
	digest   string
}

// maxScopes bounds the scopes that a cache knows. There are few modes, and an endpoint rarely changes.
const maxScopes = 16

// scope returns the digest of what shapes answers of an endpoint in a mode.
func (c *Cache) scope(endpoint string, mode authz.Mode) string {
	if known := c.scopes.Load(); known != nil {
		for i := range *known {
			if s := &(*known)[i]; s.mode == mode && s.endpoint == endpoint {
				return s.digest
			}
		}
	}
	return c.newScope(endpoint, mode)
}

// newScope is scope for one that is not known yet. One that another goroutine adds at once may be lost: it is found
// out again.
func (c *Cache) newScope(endpoint string, mode authz.Mode) string {
	var all []scope
	if known := c.scopes.Load(); known != nil && len(*known) < maxScopes {
		all = slices.Clone(*known)
	}
	sum := c.deps.Fingerprints.Of(secret.Text{}, c.deps.Issuer, c.deps.Identifier, endpoint, c.deps.ClientID,
		string(mode))
	digest := string(sum[:])
	all = append(all, scope{endpoint, mode, digest})
	c.scopes.Store(&all)
	return digest
}
