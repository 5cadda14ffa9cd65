package oauth

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	defaultAssertionType  = "client-authentication+jwt" // RFC 7523bis
	assertionFormat       = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife         = time.Minute
	autoAlgorithm         = "auto"
	assertionRegistration = "the key and client.key_id, client.signing_alg"
)

// assertionKeys are the keys of Client that say what an assertion is like.
func assertionKeys() []string { return []string{"signing_alg", "assertion_audience", "assertion_type"} }

func signingAlgorithms() []string {
	return slices.Concat([]string{autoAlgorithm}, jose.SignatureAlgorithms(), jose.MACAlgorithms())
}

func (c Config) checkAssertion(report func(key, cause, hint string)) {
	if c.Issuer == "" && c.Client.AssertionAudience == "" {
		report("client.assertion_audience", "neither it nor issuer is set",
			"set issuer, which is who assertions are for")
	}
}

// parseSigner reads what assertions are signed with. An empty alg means the usual one of the key.
func (c Client) parseSigner(t secret.Text, alg, key string) (identity, error) {
	if c.SigningAlg != "" && c.SigningAlg != autoAlgorithm {
		alg = c.SigningAlg
	}
	s, err := jose.NewSigner(t, alg, c.KeyID)
	if err != nil {
		return identity{}, fmt.Errorf("%s: %w", key, err)
	}
	return identity{signer: s}, nil
}

// addAssertion adds a new client assertion to form.
func addAssertion(c Config, i identity, _ http.Header, form url.Values) error {
	assertion, err := c.assertion(i.signer)
	if err != nil {
		return err
	}
	form.Set("client_id", c.Client.ID) // may be left out (CA-5); some servers look for the key by it
	form.Set("client_assertion_type", assertionFormat)
	form.Set("client_assertion", assertion.Reveal())
	return nil
}

// assertionClaims are those of RFC 7523 section 3. The audience is one text: some servers refuse an array.
type assertionClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
}

// assertion makes a new client assertion: CA-5 to CA-8.
func (c Config) assertion(s *jose.Signer) (secret.Text, error) {
	audience, typ, now := c.Client.AssertionAudience, c.Client.AssertionType, time.Now()
	if audience == "" {
		audience = c.Issuer
	}
	if typ == "" {
		typ = defaultAssertionType
	}
	return s.Sign(typ, assertionClaims{
		Issuer: c.Client.ID, Subject: c.Client.ID, Audience: audience, ID: rand.Text(),
		IssuedAt: now.Unix(), Expiry: now.Add(assertionLife).Unix(),
	})
}
