package introspect

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Config says where one authorization server is and how it is asked.
type Config struct {
	Name                  string   `yaml:"name" default:"default" doc:"Short name of this issuer in metrics, logs and status."`
	Issuer                string   `yaml:"issuer" doc:"Issuer identifier (RFC 8414). Used for discovery; an answer that names another issuer is refused."`
	Dialect               string   `yaml:"dialect" default:"rfc7662" enum:"rfc7662|keycloak|duende|oidc-provider" doc:"How this server spells its answers."`
	IntrospectionEndpoint string   `yaml:"introspection_endpoint" doc:"URL to ask. Wins over discovery."`
	EndpointHosts         []string `yaml:"endpoint_hosts" doc:"Hosts besides the issuer's own that a discovered endpoint may have."`
	AllowInsecureHTTP     bool     `yaml:"allow_insecure_http" doc:"Permit http, and only to loopback addresses."`
	CAFile                string   `yaml:"ca_file" doc:"PEM file of the certificate authorities that vouch for this server, instead of the system's."`

	Client Client `yaml:"client" doc:"How the sidecar authenticates to the introspection endpoint."`

	Audience        []string      `yaml:"audience" doc:"Identifiers of the resource server itself; a token whose audience names none of them is refused (RFC 7662 section 4). Empty leaves audiences to the policies."`
	AbsentAudience  string        `yaml:"absent_audience" default:"refuse" enum:"refuse|accept" doc:"What to do with a token without audience when audience is set."`
	RefusedPrefixes []string      `yaml:"refused_prefixes" doc:"Tokens that begin so are refused without asking: marks of refresh tokens, for instance."`
	Tenant          []string      `yaml:"tenant" doc:"JSON pointers into the answer; the first that finds a string is the tenant."`
	Roles           []string      `yaml:"roles" doc:"JSON pointers into the answer; strings and arrays of strings found are added to the roles of the dialect."`
	NotBeforeLeeway time.Duration `yaml:"not_before_leeway" default:"0s" max:"60s" doc:"Clock difference allowed for nbf."`

	Timeout          time.Duration `yaml:"timeout" default:"2s" min:"10ms" doc:"Time one question may take, connection and answer together."`
	MaxResponseBytes int64         `yaml:"max_response_bytes" default:"1048576" min:"1024" doc:"Largest answer read, after decompression."`
	MaxInFlight      int           `yaml:"max_in_flight" default:"512" min:"1" doc:"Questions under way at once; more are refused as unavailable."`
	Cache            CacheConfig   `yaml:"cache" doc:"How long answers are kept."`
}

// Client is how the sidecar authenticates to the introspection endpoint: RFC 7662 section 2.1, RFC 6749 section 2.3.1.
type Client struct {
	ID            string        `yaml:"id" doc:"Client identifier."`
	Auth          string        `yaml:"auth" default:"client_secret_basic" enum:"client_secret_basic|client_secret_post|bearer" doc:"Method of authentication."`
	BasicEncoding string        `yaml:"basic_encoding" default:"form" enum:"form|raw" doc:"form as RFC 6749 says; raw for servers that do not decode."`
	Secret        secret.Source `yaml:"secret" doc:"Client secret, or the token of auth bearer."`
}

// CacheConfig bounds the cache of answers in time and in memory.
type CacheConfig struct {
	TTL                time.Duration `yaml:"ttl" default:"30s" doc:"Longest time an active answer is used; never past exp. 0 asks every time."`
	NegativeTTL        time.Duration `yaml:"negative_ttl" default:"2s" max:"1m" doc:"Time an inactive answer is used. 0 asks every time."`
	MaxEntries         int           `yaml:"max_entries" default:"100000" min:"1" doc:"Most active answers kept."`
	MaxBytes           int64         `yaml:"max_bytes" default:"134217728" min:"1048576" doc:"Most memory spent on active answers, estimated."`
	NegativeMaxEntries int           `yaml:"negative_max_entries" default:"10000" min:"1" doc:"Most inactive answers kept, apart from the active ones."`
}
