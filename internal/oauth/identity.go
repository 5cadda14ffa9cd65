package oauth

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// identityGrace bridges the time until all nodes of a server know a new secret.
const identityGrace = time.Minute

// identity is what proves who the sidecar is to a server. Only what the method needs is filled.
type identity struct {
	secret      secret.Text
	signer      *jose.Signer
	certificate *tls.Certificate
}

// newIdentity reads what the method needs, for the first time.
func newIdentity(cfg Config, m authMethod, log *slog.Logger, drop func(identity)) (*rotation[identity], error) {
	c := m.credential(cfg.Client)
	r := &rotation[identity]{
		issuer: cfg.Name, log: log, grace: identityGrace, drop: drop, wait: cmp.Or(cfg.FileWait, fileWait),
		parts: c.parts, parse: c.parse,
	}
	if len(c.parts) > 0 {
		r.what = c.parts[0].Key
	}
	return r, r.open()
}

// classifyReply is what an exchange says about the identity that it used. Keycloak answers 400 to an assertion that it
// refuses.
func classifyReply(r Reply, err error, i identity) outcome {
	switch {
	case err != nil && i.certificate != nil:
		return outcomeOfTLS(err)
	case err != nil:
		return unknown
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden:
		return refused
	case r.Status == http.StatusBadRequest && (r.OAuthError() == "invalid_client" ||
		r.OAuthError() == "unauthorized_client"):
		return refused
	case r.Status >= 200 && r.Status < 300:
		return worked
	}
	return unknown
}
