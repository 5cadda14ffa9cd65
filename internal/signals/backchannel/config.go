package backchannel

import (
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

// Config says which logout tokens are accepted.
type Config struct {
	Audience             []string      `yaml:"audience" doc:"Accepted aud of logout tokens: client ids. Empty accepts none."`
	Algorithms           []string      `yaml:"algorithms" default:"RS256" doc:"Accepted alg. Never none, never a shared secret."`
	DecryptionKey        secret.Source `yaml:"decryption_key" doc:"Private key, PEM or JWK, of logout tokens that are encrypted too. Without it those are refused."`
	EncryptionAlgorithms []string      `yaml:"encryption_algorithms" default:"RSA-OAEP-256,ECDH-ES" doc:"Accepted alg of the encryption."`
	EncryptionEncodings  []string      `yaml:"encryption_encodings" default:"A128CBC-HS256,A256GCM" doc:"Accepted enc of the encryption."`
}

// On reports whether logout tokens are accepted at all.
func (c Config) On() bool { return len(c.Audience) > 0 }

// Words are the words of keys whose values are listed elsewhere.
func (c Config) Words(key string) []string { return signals.AlgorithmWords(key) }

// Check reports the problems that span keys.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.On() {
		signals.CheckAlgorithms(c.Algorithms, fault)
	}
}
