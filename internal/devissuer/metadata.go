package devissuer

import (
	"fmt"
	"maps"
	"slices"
)

// metadata is RFC 8414 section 2, which OpenID Connect Discovery shares.
type metadata struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	GrantTypes            []string `json:"grant_types_supported"`
	// ResponseTypes is empty, for want of an authorization endpoint, and REQUIRED all the same.
	ResponseTypes     []string `json:"response_types_supported"`
	Scopes            []string `json:"scopes_supported,omitempty"`
	TokenAuth         []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuth []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuth    []string `json:"revocation_endpoint_auth_methods_supported"`
}

// metadata is the document of this server.
func (s *Server) metadata() ([]byte, error) {
	scopes := map[string]struct{}{}
	for _, p := range s.clients {
		for _, scope := range p.client.Scopes {
			scopes[scope] = struct{}{}
		}
	}
	methods := []string{"client_secret_basic", "client_secret_post"}
	body, err := encode(metadata{
		Issuer:                s.issuer,
		TokenEndpoint:         s.issuer + "/token",
		IntrospectionEndpoint: s.issuer + "/introspect",
		RevocationEndpoint:    s.issuer + "/revoke",
		JWKSURI:               s.issuer + "/jwks",
		GrantTypes:            []string{"client_credentials"},
		ResponseTypes:         []string{},
		Scopes:                slices.Sorted(maps.Keys(scopes)),
		TokenAuth:             methods,
		IntrospectionAuth:     methods,
		RevocationAuth:        methods,
	})
	if err != nil {
		return nil, fmt.Errorf("write metadata: %v", err)
	}
	return body, nil
}
