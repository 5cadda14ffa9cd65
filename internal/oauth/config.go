package oauth

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Config says where one authorization server is and how it is asked.
type Config struct {
	Name                  string   `yaml:"name" default:"default" doc:"Short name of this issuer in metrics, logs and status."`
	Issuer                string   `yaml:"issuer" doc:"Issuer identifier (RFC 8414). Used for discovery; an answer that names another issuer is refused."`
	IntrospectionEndpoint string   `yaml:"introspection_endpoint" doc:"Introspection endpoint (RFC 7662). Overrides discovery."`
	JWKSURI               string   `yaml:"jwks_uri" doc:"URL of the server's keys (RFC 7517). Overrides discovery."`
	TokenEndpoint         string   `yaml:"token_endpoint" doc:"Token endpoint, for client.auth client_credentials. Overrides discovery."`
	EndpointHosts         []string `yaml:"endpoint_hosts" doc:"Hosts besides the issuer's own that a discovered endpoint may have."`
	AllowInsecureHTTP     bool     `yaml:"allow_insecure_http" doc:"Permit http, and only to loopback addresses."`
	CAFile                string   `yaml:"ca_file" doc:"PEM file of the certificate authorities that are trusted for this server, instead of the system's. Read again when it changes."`

	Client Client `yaml:"client" doc:"How the sidecar authenticates to this server."`
	// Resource is the URL of documents that the client may read, of a server that is asked for nothing else: see
	// Server.Download.
	Resource string `yaml:"-"`

	Timeout time.Duration `yaml:"timeout" default:"2s" min:"10ms" max:"1h" doc:"Timeout of one request to the server, connection and answer together."`
	// FileWait is how long requests wait for a file when the credential that worked is refused, 1 s when it is zero. A
	// test gives a slow machine more.
	FileWait         time.Duration `yaml:"-"`
	MaxResponseBytes int64         `yaml:"max_response_bytes" default:"1048576" min:"1024" doc:"Largest answer read, after decompression."`
}

// Client is how the sidecar authenticates to an authorization server: RFC 6749 section 2.3.1, RFC 7523, RFC 8705
// section 2.
type Client struct {
	ID                string        `yaml:"id" doc:"Client identifier."`
	Auth              string        `yaml:"auth" default:"client_secret_basic" doc:"Method of authentication. bearer sends a token that is kept in secret; client_credentials gets one by that grant; none sends no client authentication (the endpoint is protected otherwise)."`
	BasicEncoding     string        `yaml:"basic_encoding" default:"form" enum:"form|raw" doc:"form encodes as RFC 6749 says; raw is for servers that do not decode."`
	Secret            secret.Source `yaml:"secret" doc:"Client secret, or the token of auth bearer. A file is read again when it changes."`
	Key               secret.Source `yaml:"key" doc:"Private key of private_key_jwt, PEM or JWK. A file is read again when it changes."`
	KeyID             string        `yaml:"key_id" doc:"kid of the key, as it is registered at the server."`
	SigningAlg        string        `yaml:"signing_alg" default:"auto" doc:"Algorithm of assertions. auto is the usual one of the key, or HS256."`
	AssertionAudience string        `yaml:"assertion_audience" doc:"aud of assertions. Empty is the issuer, as RFC 7523bis says; older servers want the URL of an endpoint."`
	AssertionType     string        `yaml:"assertion_type" default:"client-authentication+jwt" doc:"typ of assertions; JWT is for servers that accept no other."`
	CertificateFile   string        `yaml:"certificate_file" doc:"PEM certificate chain for TLS client authentication. Read again when it changes."`
	CertificateKey    secret.Source `yaml:"certificate_key" doc:"PEM private key of the certificate. A file is read again when it changes."`
	Scope             []string      `yaml:"scope" doc:"Scopes asked for by auth client_credentials."`
	TokenAuth         string        `yaml:"token_auth" default:"client_secret_basic" doc:"How auth client_credentials authenticates to the token endpoint."`
}
