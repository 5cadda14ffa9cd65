package decision

import (
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// Config says how requests are turned into decisions.
type Config struct {
	Entrypoint string          `yaml:"entrypoint" default:"authz/decision" doc:"Entrypoint of calls that name none."`
	Token      authz.TokenRule `yaml:"token" default:"required" enum:"required|optional" doc:"required answers 401 before any policy runs when no token is present; optional lets the policy decide. A bad token is always refused."`
	Realm      string          `yaml:"realm" default:"sidecar" doc:"Realm of the WWW-Authenticate challenge."`

	Credential token.Carrier `yaml:"credential" doc:"Where requests carry their token, when it is not in Authorization, for listeners that say nothing else."`

	UpstreamHeaders []string `yaml:"upstream_headers" doc:"Names of headers, as X-Subject, that every allow sets for the upstream: empty where the policy sets none, so that the client's own never passes."`
}

// Removed says what stands in place of a key that is no longer there.
func (Config) Removed(key string) string {
	if key == "routes" {
		return "write mode and max_age into the metadata of an entrypoint, custom: {token: {max_age: 0s}}, " +
			"and let callers ask that entrypoint for those requests"
	}
	return ""
}
