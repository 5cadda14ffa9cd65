package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

// Endpoint names a URL of a server by the member of its metadata (RFC 8414 section 2).
type Endpoint string

// The endpoints that are asked.
const (
	Introspection Endpoint = "introspection_endpoint"
	JWKS          Endpoint = "jwks_uri"
	TokenEndpoint Endpoint = "token_endpoint"
)

// MaxMetadataBytes bounds a document with metadata.
const MaxMetadataBytes = 1 << 20

// Metadata is what a server says of itself: RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3.
type Metadata struct{ jose.Claims }

// ReadMetadata reads the document in a reply; it is not ok when the reply is no JSON object.
func ReadMetadata(r Reply) (m Metadata, ok bool) {
	if r.Status != http.StatusOK || r.Over || !r.IsJSON() {
		return Metadata{}, false
	}
	m.Claims, ok = jose.ReadClaims(r.Body)
	return m, ok
}

// Member is a member that is a text; "" when it is absent or another value.
func (m Metadata) Member(name string) string {
	s, _ := m.Text(name)
	return s
}

// Endpoint is the URL of an endpoint for a client, and the member that names it; "" when none does. A client that
// authenticates by its certificate uses the aliases for mutual TLS where there are any (RFC 8705 section 5): MTLS-2.
func (m Metadata) Endpoint(c Client, e Endpoint) (u, member string, err error) {
	const aliases = "mtls_endpoint_aliases"
	if c.ShowsCertificate() && m.Has(aliases) {
		alias, err := m.Object(aliases).Text(string(e))
		if err != nil || m.Value(aliases).Kind() != '{' {
			return "", aliases, errors.New("its mtls_endpoint_aliases are no URLs")
		}
		if alias != "" {
			return alias, aliases + "." + string(e), nil
		}
	}
	return m.Member(string(e)), string(e), nil
}

// WellKnown lists the URLs at which the metadata of an issuer may be, in the order in which they are tried: the name
// inserted between host and path (RFC 8414 section 3.1), then appended (OpenID Connect Discovery 1.0 section 4.1).
// Both drop a trailing slash of the issuer first.
func WellKnown(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil // New has checked it
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	base := u.Scheme + "://" + u.Host
	return []string{
		base + "/.well-known/oauth-authorization-server" + path,
		base + path + "/.well-known/openid-configuration",
	}
}
