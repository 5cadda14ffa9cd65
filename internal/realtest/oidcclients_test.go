//go:build real

package realtest

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// keyClient authenticates by a signature with one of its keys.
type keyClient struct {
	id        string
	key, next *ecdsa.PrivateKey
}

// certificateClient authenticates by a certificate.
type certificateClient struct {
	id          string
	certificate testkit.Certificate
}

// oidcClients are the clients of as.mjs. Those that only introspect stand for the sidecar.
type oidcClients struct {
	// api introspects with a secret.
	api oauthClient
	// signed and encrypted introspect with a secret, and get answers after RFC 9701, when they ask for them.
	signed, encrypted oauthClient
	// decryption opens the answers to encrypted.
	decryption *ecdsa.PrivateKey
	// secretJWT and keyJWT introspect with client_secret_jwt and private_key_jwt, tls and selfSigned with
	// tls_client_auth and self_signed_tls_client_auth.
	secretJWT       oauthClient
	keyJWT          keyClient
	tls, selfSigned certificateClient

	// app is a service that acts for itself. The tokens of dpop and bound are bound to a key and to a certificate.
	app, dpop, bound oauthClient
	// web is what people log in to.
	web oauthClient
}

func newOIDCClients(t *testing.T, v vault, ca testkit.Authority) oidcClients {
	t.Helper()
	with := func(id string) oauthClient { return oauthClient{id, v.secret("secret of " + id)} }
	return oidcClients{
		api: with("orders-api"), signed: with("orders-api-signed"), encrypted: with("orders-api-encrypted"),
		decryption: testkit.NewKey(t),
		secretJWT:  with("orders-api-secret-jwt"),
		keyJWT:     keyClient{"orders-api-key-jwt", testkit.NewKey(t), testkit.NewKey(t)},
		tls:        certificateClient{"orders-api-tls", ca.Client(t, "sidecar.acme.example")},
		selfSigned: certificateClient{"orders-api-self-signed",
			testkit.SelfSignedAs(t, testkit.ClientTemplate("sidecar"))},
		app: with("orders-app"), dpop: with("orders-dpop"), bound: with("orders-bound"),
		web: with("orders-web"),
	}
}

// registered is what the server is told of the clients. logout is where it announces that a session has ended.
func (c oidcClients) registered(logout string) []map[string]any {
	// client is one that only introspects, but for what more says.
	client := func(id string, more map[string]any) map[string]any {
		m := map[string]any{"client_id": id, "grant_types": []string{}, "redirect_uris": []string{},
			"response_types": []string{}}
		for name, value := range more {
			m[name] = value
		}
		return m
	}
	service := []string{"client_credentials"}
	return []map[string]any{
		client(c.api.id, map[string]any{"client_secret": c.api.secret}),
		client(c.signed.id, map[string]any{"client_secret": c.signed.secret,
			"introspection_signed_response_alg": "ES256"}),
		client(c.encrypted.id, map[string]any{
			"client_secret": c.encrypted.secret, "introspection_signed_response_alg": "ES256",
			"introspection_encrypted_response_alg": "ECDH-ES", "introspection_encrypted_response_enc": "A128GCM",
			"jwks": keySet(jose.JSONWebKey{Key: &c.decryption.PublicKey, KeyID: "decryption", Use: "enc",
				Algorithm: "ECDH-ES"}),
		}),
		client(c.secretJWT.id, map[string]any{
			"client_secret": c.secretJWT.secret, "token_endpoint_auth_method": "client_secret_jwt",
			"token_endpoint_auth_signing_alg": "HS256",
		}),
		client(c.keyJWT.id, map[string]any{
			"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
			"jwks": keySet(
				jose.JSONWebKey{Key: &c.keyJWT.key.PublicKey, KeyID: "authentication", Use: "sig", Algorithm: "ES256"},
				jose.JSONWebKey{Key: &c.keyJWT.next.PublicKey, KeyID: "next", Use: "sig", Algorithm: "ES256"},
			),
		}),
		client(c.tls.id, map[string]any{
			"token_endpoint_auth_method": "tls_client_auth",
			"tls_client_auth_san_dns":    c.tls.certificate.Leaf.DNSNames[0],
		}),
		client(c.selfSigned.id, map[string]any{
			"token_endpoint_auth_method": "self_signed_tls_client_auth",
			"jwks": keySet(jose.JSONWebKey{
				Key: c.selfSigned.certificate.Leaf.PublicKey, KeyID: "certificate", Use: "sig",
				Certificates: []*x509.Certificate{c.selfSigned.certificate.Leaf},
			}),
		}),
		client(c.app.id, map[string]any{"client_secret": c.app.secret, "grant_types": service}),
		client(c.dpop.id, map[string]any{"client_secret": c.dpop.secret, "grant_types": service,
			"dpop_bound_access_tokens": true}),
		client(c.bound.id, map[string]any{
			"client_secret": c.bound.secret, "grant_types": service,
			"tls_client_certificate_bound_access_tokens": true,
		}),
		// That it wants to hear of logouts puts the session (sid) into what is said of its tokens.
		client(c.web.id, map[string]any{
			"client_secret": c.web.secret, "redirect_uris": []string{callback},
			"grant_types":    []string{"authorization_code", "refresh_token"},
			"response_types": []string{"code"}, "backchannel_logout_uri": logout,
			"backchannel_logout_session_required": true,
		}),
	}
}

func keySet(keys ...jose.JSONWebKey) jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: keys}
}

// forOrders asks for a token that speaks for the client.
func forOrders(resource string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:read"}, "resource": {resource}}
}

// dpopToken is an opaque token that only goes with proofs by key (RFC 9449).
func (p *oidcProvider) dpopToken(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	return p.dpopTokenFor(t, key, ordersResource)
}

func (p *oidcProvider) dpopTokenFor(t *testing.T, key *ecdsa.PrivateKey, resource string) string {
	t.Helper()
	endpoint := p.issuer + "/token"
	proof := testkit.ProofKeyOf(t, key).Proof(t, http.MethodPost, endpoint, "", nil)
	return call{endpoint: endpoint, header: http.Header{"Dpop": {proof}}, form: forOrders(resource),
		as: p.dpop}.tokens(t, p.vault).access
}

// boundToken is an opaque token that only goes with a certificate (RFC 8705 section 3).
func (p *oidcProvider) boundToken(t *testing.T, certificate testkit.Certificate) string {
	t.Helper()
	return p.boundTokenFor(t, certificate, ordersResource)
}

func (p *oidcProvider) boundTokenFor(t *testing.T, certificate testkit.Certificate, resource string) string {
	t.Helper()
	return call{http: p.showing(certificate), endpoint: p.secure + "/token", form: forOrders(resource),
		as: p.bound}.tokens(t, p.vault).access
}

// jwtToken is an access token that can be read without asking (RFC 9068). The server introspects none of these.
func (p *oidcProvider) jwtToken(t *testing.T) string {
	t.Helper()
	return p.app.tokens(t, p.vault, p.issuer+"/token", forOrders(jwtResource)).access
}

// showing calls the secure listener, and shows a certificate. crypto/tls would keep one to itself that is not by an
// authority which the server names, as a self-signed one is; unless it is told to send it whatever the server names.
func (p *oidcProvider) showing(certificate testkit.Certificate) *http.Client {
	c := client()
	c.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{
			RootCAs: p.ca.Pool(),
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate,
				error) {
				return &certificate.Certificate, nil
			},
		},
		DisableKeepAlives: true,
	}
	return c
}
