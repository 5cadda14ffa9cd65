package oauth

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Methods of client authentication: those of RFC 7591 section 2 and RFC 8705 section 2, and ours.
const (
	authBasic      = "client_secret_basic"
	authPost       = "client_secret_post"
	authSecretJWT  = "client_secret_jwt"
	authPrivateJWT = "private_key_jwt"
	authTLS        = "tls_client_auth"
	authSelfSigned = "self_signed_tls_client_auth"
	authBearer     = "bearer"
	authGrant      = "client_credentials"
	authNone       = "none"
)

const (
	defaultAssertionType = "client-authentication+jwt" // RFC 7523bis
	assertionKind        = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife        = time.Minute
	autoAlg              = "auto"

	// identityGrace bridges the time until all nodes of a server know a new secret.
	identityGrace = time.Minute
)

// Method is the one by which the client proves who it is to the endpoints of the server; auth client_credentials has one for
// the token endpoint.
func (c Client) Method() string {
	auth := c.Auth
	if auth == authGrant {
		auth = c.TokenAuth
	}
	if auth == "" {
		return authBasic
	}
	return auth
}

func (c Client) mutualTLS() bool { return isMutualTLS(c.Method()) }

func isMutualTLS(method string) bool { return method == authTLS || method == authSelfSigned }

// identity is what proves who the sidecar is to a server. Only what the method needs is filled.
type identity struct {
	secret      secret.Text
	signer      *jose.Signer
	certificate *tls.Certificate
}

// newIdentity reads what the method needs, for the first time.
func newIdentity(cfg Config, log *slog.Logger, drop func(identity)) (*rotation[identity], error) {
	c := cfg.Client
	r := &rotation[identity]{issuer: cfg.Name, log: log, grace: identityGrace, drop: drop, wait: cmp.Or(cfg.FileWait, fileWait)}
	switch c.Method() {
	case authBasic, authPost:
		r.what, r.parts = "client.secret", []part{secretPart("client.secret", c.Secret)}
		r.parse = func(t []secret.Text) (identity, error) { return identity{secret: t[0]}, nil }
	case authBearer:
		r.what, r.parts = "client.secret", []part{secretPart("client.secret", c.Secret)}
		r.parse = parseBearer
	case authSecretJWT:
		r.what, r.parts = "client.secret", []part{secretPart("client.secret", c.Secret)}
		r.parse = func(t []secret.Text) (identity, error) { return c.parseSigner(t[0], "HS256", "client.secret") }
	case authPrivateJWT:
		r.what, r.parts = "client.key", []part{secretPart("client.key", c.Key)}
		r.parse = func(t []secret.Text) (identity, error) { return c.parseSigner(t[0], "", "client.key") }
	case authTLS, authSelfSigned:
		r.what = "client.certificate_file"
		r.parts = []part{filePart(r.what, c.CertificateFile, maxCertificateBytes), secretPart("client.certificate_key", c.CertificateKey)}
		r.parse = parseCertificate
	default: // none
		r.parse = func([]secret.Text) (identity, error) { return identity{}, nil }
	}
	return r, r.open()
}

func parseBearer(t []secret.Text) (identity, error) {
	if strings.ContainsFunc(t[0].Reveal(), notInHeader) {
		return identity{}, errors.New("client.secret: it holds characters that no bearer token has")
	}
	return identity{secret: t[0]}, nil
}

func notInHeader(r rune) bool { return r <= ' ' || r >= 0x7f }

func (c Client) parseSigner(t secret.Text, alg, key string) (identity, error) {
	if c.SigningAlg != "" && c.SigningAlg != autoAlg {
		alg = c.SigningAlg
	}
	s, err := jose.NewSigner(t, alg, c.KeyID)
	if err != nil {
		return identity{}, fmt.Errorf("%s: %w", key, err)
	}
	return identity{signer: s}, nil
}

// parseCertificate keeps out a certificate and a key that do not fit together: one of the files may have been written already
// and the other one not yet.
func parseCertificate(t []secret.Text) (identity, error) {
	pair, err := tls.X509KeyPair([]byte(t[0].Reveal()), []byte(t[1].Reveal()))
	if err != nil || !whole(t[0].Reveal()) {
		return identity{}, errors.New("client.certificate_file: it and client.certificate_key are no PEM certificate and its private key")
	}
	return identity{certificate: &pair}, nil
}

// authenticate adds to form what the method has there, and returns the Authorization field, or "". It is called for each
// request anew, so that no assertion is sent twice: CA-1, CA-8.
func (c Config) authenticate(id identity, form url.Values) (authorization string, err error) {
	switch c.Client.Method() {
	case authBasic:
		return "Basic " + c.Client.basic(id.secret), nil
	case authPost:
		form.Set("client_id", c.Client.ID)
		form.Set("client_secret", id.secret.Reveal())
	case authSecretJWT, authPrivateJWT:
		assertion, err := c.assertion(id.signer)
		if err != nil {
			return "", err
		}
		form.Set("client_id", c.Client.ID) // may be left out (CA-5), but there are servers that look for the key by it
		form.Set("client_assertion_type", assertionKind)
		form.Set("client_assertion", assertion.Reveal())
	case authTLS, authSelfSigned:
		form.Set("client_id", c.Client.ID) // MTLS-1
	case authBearer:
		return "Bearer " + id.secret.Reveal(), nil
	}
	return "", nil
}

// basic encodes id and secret separately before joining them (RFC 6749 section 2.3.1): either may hold a colon.
func (c Client) basic(s secret.Text) string {
	id, password := c.ID, s.Reveal()
	if c.BasicEncoding != "raw" {
		id, password = url.QueryEscape(id), url.QueryEscape(password)
	}
	return base64.StdEncoding.EncodeToString([]byte(id + ":" + password))
}

// claims are those of a client assertion: RFC 7523 section 3. The audience is one text, for some servers refuse an array.
type claims struct {
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
	return s.Sign(typ, claims{
		Issuer: c.Client.ID, Subject: c.Client.ID, Audience: audience, ID: rand.Text(),
		IssuedAt: now.Unix(), Expiry: now.Add(assertionLife).Unix(),
	})
}

// saysOf is what an answer says about the identity it was asked with. That a client which signs assertions is refused with
// 400 is what Keycloak does.
func saysOf(r Reply, err error, method string) outcome {
	switch {
	case err != nil && isMutualTLS(method):
		return outcomeOfTLS(err)
	case err != nil:
		return unknown
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden:
		return refused
	case r.Status == http.StatusBadRequest && (r.OAuthError() == "invalid_client" || r.OAuthError() == "unauthorized_client"):
		return refused
	case r.Status >= 200 && r.Status < 300:
		return worked
	}
	return unknown
}
