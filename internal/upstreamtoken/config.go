// Package upstreamtoken makes the signed identity of an allowed request: a short-lived JWT by which an application
// knows that the request passed the sidecar.
package upstreamtoken

import (
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/engine/verdict"
)

// Config says how tokens for upstreams are made. Without key files none are.
type Config struct {
	KeyFiles []string      `yaml:"key_files" path:"read" doc:"Files of private keys in PEM form: EC P-256 (ES256), EC P-384 (ES384) or Ed25519 (EdDSA). The first signs, all are published. Empty turns tokens off."`
	Issuer   string        `yaml:"issuer" doc:"iss of the tokens."`
	Audience []string      `yaml:"audience" doc:"aud of the tokens: the applications that accept them."`
	Lifetime time.Duration `yaml:"lifetime" default:"1m" min:"10s" max:"1h" doc:"Longest time a token is valid. It never outlives the token of the request."`
	Header   string        `yaml:"header" default:"X-Identity-Token" doc:"Header that holds the token. Every allow sets it, empty where there is no token."`
}

// Off reports whether no tokens are made.
func (c Config) Off() bool { return len(c.KeyFiles) == 0 }

// Check reports every fault of c.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.Off() {
		if c.Issuer != "" || len(c.Audience) > 0 {
			fault("key_files", "is empty, and other keys of the section are set",
				"name the file of a private key, as openssl genpkey -algorithm ed25519 writes it")
		}
		return
	}
	if c.Issuer == "" {
		fault("issuer", "is empty", "write the iss that applications expect, as https://sidecar.acme.example/identity")
	}
	if len(c.Audience) == 0 {
		fault("audience", "is empty", "write the aud that applications expect, as [orders]")
	}
	if len(c.KeyFiles) > maxKeys {
		fault("key_files", fmt.Sprintf("has more than %d files", maxKeys), "remove keys whose tokens are over")
	}
	if err := verdict.CheckHeader(c.Header); err != nil {
		fault("header", err.Error(), "write a name such as X-Identity-Token")
	}
}
