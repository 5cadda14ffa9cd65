package resource

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// metadata is the document of RFC 9728 section 2. Members without a value are left out (section 3.2).
type metadata struct {
	Resource                     string   `json:"resource"`
	AuthorizationServers         []string `json:"authorization_servers,omitempty"`
	KeysURI                      string   `json:"jwks_uri,omitempty"`
	ScopesSupported              []string `json:"scopes_supported,omitempty"`
	BearerMethods                []string `json:"bearer_methods_supported"`
	SigningAlgorithms            []string `json:"resource_signing_alg_values_supported,omitempty"`
	Name                         string   `json:"resource_name,omitempty"`
	Documentation                string   `json:"resource_documentation,omitempty"`
	PolicyURI                    string   `json:"resource_policy_uri,omitempty"`
	TermsURI                     string   `json:"resource_tos_uri,omitempty"`
	CertificateBoundAccessTokens bool     `json:"tls_client_certificate_bound_access_tokens,omitzero"`
	AuthorizationDetailsTypes    []string `json:"authorization_details_types_supported,omitempty"`
	DPoPAlgorithms               []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPBoundTokensRequired      bool     `json:"dpop_bound_access_tokens_required,omitzero"`
	SignedMetadata               string   `json:"signed_metadata,omitempty"`
}

// Metadata returns the JSON of the resource's metadata.
func (r *Resource) Metadata() ([]byte, error) {
	return json.Marshal(metadata{
		Resource: r.Resource, AuthorizationServers: r.AuthorizationServers, KeysURI: r.KeysURI,
		ScopesSupported: r.ScopesSupported, BearerMethods: []string{"header"}, SigningAlgorithms: r.SigningAlgorithms,
		Name: r.Name, Documentation: r.Documentation, PolicyURI: r.PolicyURI, TermsURI: r.TermsURI,
		CertificateBoundAccessTokens: r.CertificateBoundAccessTokens,
		AuthorizationDetailsTypes:    r.AuthorizationDetailsTypes, DPoPAlgorithms: r.DPoPAlgorithms,
		DPoPBoundTokensRequired: r.DPoPBoundTokensRequired, SignedMetadata: r.SignedMetadata,
	}, jsontext.EscapeForHTML(false))
}
