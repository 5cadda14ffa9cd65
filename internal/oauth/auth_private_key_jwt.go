package oauth

import (
	"fmt"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// privateKeyJWT signs an assertion with a private key: RFC 7523 section 2.2.
func privateKeyJWT() authMethod {
	return authMethod{
		name: "private_key_jwt", standard: true, proof: formProof,
		must: []string{"id", "key"}, may: append(assertionKeys(), "key_id"),
		registration: assertionRegistration,
		check:        checkPrivateKeyJWT,
		credential: func(c Client) credential {
			return credential{
				parts: []keyfile.Part{keyfile.Secret("client.key", c.Key)},
				parse: func(t []secret.Text) (identity, error) { return c.parseSigner(t[0], "", "client.key") },
			}
		},
		authenticate: addAssertion,
	}
}

func checkPrivateKeyJWT(c Config, report func(key, cause, hint string)) {
	c.checkAssertion(report)
	if alg := c.Client.SigningAlg; slices.Contains(jose.MACAlgorithms(), alg) {
		report("client.signing_alg", fmt.Sprintf("%q needs a shared secret, and private_key_jwt has a key", alg),
			"use auto, or client_secret_jwt")
	}
}
