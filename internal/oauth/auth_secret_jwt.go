package oauth

import (
	"fmt"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// clientSecretJWT signs an assertion with the client secret: RFC 7523 section 2.2, with an HMAC.
func clientSecretJWT() authMethod {
	return authMethod{
		name: "client_secret_jwt", standard: true, proof: formProof,
		must: []string{"id", "secret"}, may: assertionKeys(),
		registration: assertionRegistration,
		check:        checkSecretJWT,
		credential: func(c Client) credential {
			return credential{
				parts: []keyfile.Part{keyfile.Secret("client.secret", c.Secret)},
				parse: func(t []secret.Text) (identity, error) {
					return c.parseSigner(t[0], "HS256",
						"client.secret")
				},
			}
		},
		authenticate: addAssertion,
	}
}

func checkSecretJWT(c Config, report func(key, cause, hint string)) {
	c.checkAssertion(report)
	if alg := c.Client.SigningAlg; slices.Contains(jose.SignatureAlgorithms(), alg) {
		report("client.signing_alg", fmt.Sprintf("%q needs a private key, and client_secret_jwt has a secret", alg),
			"use auto, HS256, HS384 or HS512, or private_key_jwt")
	}
}
