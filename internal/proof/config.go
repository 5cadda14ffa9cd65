package proof

import (
	"cmp"
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Config says how clients show that they hold the key their token is bound to. The zero Config refuses every bound
// token.
type Config struct {
	DPoP DPoPConfig `yaml:"dpop" doc:"Proofs that are sent with each request (DPoP, RFC 9449)."`
	MTLS MTLSConfig `yaml:"mtls" doc:"Certificates that clients present in TLS (RFC 8705)."`
}

// DPoPConfig bounds what passes as a DPoP proof.
type DPoPConfig struct {
	Mode             DPoPMode      `yaml:"mode" default:"accept" enum:"off|accept|required" doc:"off refuses tokens that are bound to a DPoP key; accept requires a proof with them; required refuses all other tokens."`
	PublicBaseURL    string        `yaml:"public_base_url" doc:"Start of the URLs that clients use: scheme, host, port and any path that a gateway removes. It replaces scheme and host of each request. Empty takes them from the request, which then must have them."`
	Algorithms       []string      `yaml:"algorithms" default:"ES256,ES384,ES512,EdDSA,Ed25519,PS256,PS384,PS512,RS256" enum:"ES256|ES384|ES512|EdDSA|Ed25519|PS256|PS384|PS512|RS256|RS384|RS512" doc:"Accepted alg of proofs."`
	MaxAge           time.Duration `yaml:"max_age" default:"60s" min:"1s" max:"10m" doc:"Greatest age of a proof by its iat. Ignored where a nonce shows the age."`
	FutureSkew       time.Duration `yaml:"future_skew" default:"10s" max:"5m" doc:"How far the clocks of clients may be ahead."`
	Replay           ReplayMode    `yaml:"replay" default:"enforce" enum:"enforce|observe|off" doc:"Replayed proofs: enforce refuses them, observe only counts them, off does not detect them. Use observe or off where the application checks proofs too, or where a gateway asks again."`
	ReplayMaxEntries int           `yaml:"replay_max_entries" default:"500000" min:"1000" doc:"Most proofs remembered. While there are as many, further proofs are refused as unavailable."`
	Nonce            NonceMode     `yaml:"nonce" default:"off" enum:"off|required" doc:"required refuses proofs without a recent nonce of this server."`
	NonceLifetime    time.Duration `yaml:"nonce_lifetime" default:"2m" min:"10s" max:"1h" doc:"Lifetime of a nonce."`
	NonceSecret      secret.Source `yaml:"nonce_secret" doc:"Secret from which nonces are derived, at least 32 bytes; the same for all replicas, so that each accepts the nonces of the others. Empty generates one at the start."`
	ExposeHeaders    bool          `yaml:"expose_headers" default:"false" doc:"Let scripts in browsers read WWW-Authenticate and DPoP-Nonce, by Access-Control-Expose-Headers."`
}

// DPoPMode says which tokens are accepted.
type DPoPMode string

// The modes. Empty is Off.
const (
	Off      DPoPMode = "off"
	Accept   DPoPMode = "accept"
	Required DPoPMode = "required"
)

// ReplayMode says what happens to a proof that was used before.
type ReplayMode string

// The modes. Empty is ReplayOff.
const (
	ReplayEnforce ReplayMode = "enforce"
	ReplayObserve ReplayMode = "observe"
	ReplayOff     ReplayMode = "off"
)

// NonceMode says whether proofs must carry a nonce.
type NonceMode string

// The modes. Empty is NonceOff.
const (
	NonceOff      NonceMode = "off"
	NonceRequired NonceMode = "required"
)

// MTLSConfig says where the certificate of the client is found, and which callers are trusted to report it.
type MTLSConfig struct {
	From           CertificateSource `yaml:"from" default:"none" enum:"none|request|x-forwarded-client-cert|client-cert|nginx|traefik" doc:"Where the client's certificate is: nowhere, in client_certificate of the call, or in a header of the request as Envoy, RFC 9440, nginx or Traefik write it."`
	Header         string            `yaml:"header" doc:"Name of that header. Empty is the usual one: x-forwarded-client-cert, client-cert, ssl-client-cert or x-forwarded-tls-client-cert."`
	TrustedProxies []string          `yaml:"trusted_proxies" default:"unix,127.0.0.0/8,::1/128" doc:"Callers that are trusted to report the client's certificate: networks, addresses, or unix for Unix sockets. They must remove the header from what clients send."`
}

// Removed names the key that replaces a former one.
func (MTLSConfig) Removed(key string) string {
	if key == "trusted_hops" {
		return "write trusted_proxies, which means the same"
	}
	return ""
}

// CertificateSource says where the certificate of the client is found.
type CertificateSource string

// The sources. Empty is FromNowhere.
const (
	FromNowhere CertificateSource = "none"
	FromRequest CertificateSource = "request"
	FromEnvoy   CertificateSource = "x-forwarded-client-cert"
	FromRFC9440 CertificateSource = "client-cert"
	FromNginx   CertificateSource = "nginx"
	FromTraefik CertificateSource = "traefik"
)

// header is the lower-case name of the header that holds the certificate, or "".
func (c MTLSConfig) header() string {
	usual := map[CertificateSource]string{
		FromEnvoy: "x-forwarded-client-cert", FromRFC9440: "client-cert",
		FromNginx: "ssl-client-cert", FromTraefik: "x-forwarded-tls-client-cert",
	}[c.From]
	if usual == "" {
		return ""
	}
	return httpuri.Lower(cmp.Or(c.Header, usual))
}

// Check reports every fault of c.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.DPoP.PublicBaseURL != "" {
		if _, err := readBase(c.DPoP.PublicBaseURL); err != nil {
			fault("dpop.public_base_url", err.Error(), "write it as https://api.example or https://api.example/v1")
		}
	}
	if (c.DPoP.Mode == Accept || c.DPoP.Mode == Required) && len(c.DPoP.Algorithms) == 0 {
		fault("dpop.algorithms", "no algorithm is accepted, and proofs are", "name some, or set mode: off")
	}
	if c.DPoP.Nonce != NonceRequired && !c.DPoP.NonceSecret.IsZero() {
		fault("dpop.nonce_secret", "nothing is made from it while nonce is off",
			"set nonce: required, or remove the secret")
	}
	if from := c.MTLS.From; from != FromNowhere && from != "" && len(c.MTLS.TrustedProxies) == 0 {
		fault("mtls.trusted_proxies", "is empty, so no caller is trusted to report certificates",
			"name the callers, or set from: none")
	}
	for i, proxy := range c.MTLS.TrustedProxies {
		if _, err := readProxies([]string{proxy}); err != nil {
			fault(fmt.Sprintf("mtls.trusted_proxies[%d]", i), err.Error(), "write 10.0.0.0/8, 10.1.2.3 or unix")
		}
	}
	switch header := c.MTLS.Header; {
	case header == "":
	case c.MTLS.header() == "":
		fault("mtls.header", "no header is looked at", "say in mtls.from how the certificate is written")
	case !httpuri.IsToken(header):
		fault("mtls.header", fmt.Sprintf("%q is not a header name", header), "write a name such as ssl-client-cert")
	case credentialFields[httpuri.Lower(header)]:
		fault("mtls.header", header+" holds a credential, not a certificate",
			"name the header that the gateway writes")
	}
}

var credentialFields = map[string]bool{
	"authorization": true, "proxy-authorization": true, "cookie": true, "dpop": true, "host": true,
}
