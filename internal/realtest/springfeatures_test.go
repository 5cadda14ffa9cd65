//go:build real

package realtest

import (
	"crypto/ecdsa"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// features is what the Spring Authorization Server has besides what the drill asks of every server.
func (s *spring) features(t *testing.T) {
	name := s.party().name
	t.Run("JAT a JWT access token is validated locally, asked about, or both", func(t *testing.T) {
		results.set(name, jwtColumn, s.structured(t).String()+" (validated locally, and asked about)")
	})
	t.Run("INT20 refresh and ID tokens are told by evidence", s.open)
	t.Run("INT8 a 401 without a body is the operator's fault too", s.bearer)
	t.Run("JWI10 plain JSON is refused where signed answers are required", s.unsigned)
	t.Run("DPOP an opaque token that is bound to a key", func(t *testing.T) {
		results.set(name, dpopColumn, drillDPoP(t, s.vault, s.party().setup(),
			func(t *testing.T, key *ecdsa.PrivateKey) string {
				return s.dpopToken(t, s.app, key)
			}).String())
	})
	t.Run("DPOP a JWT that is bound to a key", func(t *testing.T) {
		for _, mode := range []string{"jwt", "introspect", "jwt_then_introspect"} {
			t.Run(mode, func(t *testing.T) {
				drillDPoP(t, s.vault, s.inMode(mode),
					func(t *testing.T, key *ecdsa.PrivateKey) string { return s.dpopToken(t, s.jwt, key) })
			})
		}
	})
	t.Run("MTLS an opaque token that is bound to a certificate", func(t *testing.T) {
		mine, other := s.ca.Client(t, "orders-bound"), s.ca.Client(t, "orders-bound")
		results.set(name, mtlsColumn, drillCertificates(t, s.vault, s.party().setup(), mine, other,
			s.boundToken).String())
	})
	results.lacks(name, signedColumn)
	t.Run("CA each way to authenticate", func(t *testing.T) { results.set(name, authColumn, s.authenticated(t)) })
}

func (s *spring) inMode(mode string) setup {
	return setup{issuer: s.issuerWith("    audience: [orders-api]\n    mode: " + mode), secret: s.api.secret}
}

// authenticated asks by each method, and names those that worked.
func (s *spring) authenticated(t *testing.T) string {
	dir := t.TempDir()
	key := func(name string, k *ecdsa.PrivateKey) string {
		text := testkit.KeyPEM(t, k)
		return fmt.Sprintf("key: {file: %q}", testkit.WriteFile(t, filepath.Join(dir, name), text))
	}
	const secret = "secret: {env: CLIENT_SECRET}"
	more := "    audience: [orders-api]"
	root := s.ca.PEM()
	pair := s.ca.Client(t, "orders-api")
	certificate, certificateKey := pair.PEM(), pair.KeyPEM(t)
	shown := fmt.Sprintf("certificate_file: %q, certificate_key: {file: %q}",
		testkit.WriteFile(t, filepath.Join(dir, "client.crt"), certificate+root),
		testkit.WriteFile(t, filepath.Join(dir, "client.key"), certificateKey))
	secure := fmt.Sprintf("%s\n    introspection_endpoint: %q\n    ca_file: %q", more, s.secure+"/oauth2/introspect",
		testkit.WriteFile(t, filepath.Join(dir, "ca.crt"), root))
	var worked []string
	for _, c := range []struct{ method, id, secret, client, more, want string }{
		{"client_secret_basic", s.api.id, s.api.secret, secret, more, "allow 200"},
		{"client_secret_post", s.api.id, s.api.secret, secret, more, "allow 200"},
		{"client_secret_jwt", s.secretJWT.id, s.secretJWT.secret, secret, more, "allow 200"},
		{"private_key_jwt", s.keyJWT.id, "", key("right", s.keyJWT.key), more, "allow 200"},
		{"private_key_jwt", s.keyJWT.id, "", key("next", s.keyJWT.next), more, "allow 200"},
		{"private_key_jwt", s.keyJWT.id, "", key("wrong", testkit.NewKey(t)), more, "misconfigured 503 misconfigured"},
		{"tls_client_auth", s.api.id, "", shown, secure, "allow 200"},
	} {
		issuer := s.issuerAs(fmt.Sprintf("id: %q, auth: %s, %s", c.id, c.method, c.client), c.more)
		a := startSidecar(t, s.vault, setup{issuer: issuer, secret: c.secret}).decide(t, get(s.tokenOf(t, s.app)))
		if a.String() != c.want {
			t.Errorf("%s as %s: %s, want %s", c.method, c.id, a, c.want)
			continue
		}
		if a.Allow && !slices.Contains(worked, c.method) {
			worked = append(worked, c.method)
		}
	}
	return strings.Join(worked, ", ")
}

// structured looks at what has a structure. It has neither typ nor client_id, which the dialect knows. Asked, the
// server answers about it as about an opaque one.
func (s *spring) structured(t *testing.T) answer {
	asked := s.party().asService
	asked.ClientID, asked.Subject.ID = s.jwt.id, s.jwt.id
	here := asked
	here.Source, here.Kind = "jwt", "unknown"
	here.ClientID, here.Subject.Type = "", "unknown" // nothing says whether sub is a client
	both := asked
	both.Source = "both"
	var last answer
	for _, c := range []struct {
		mode string
		want facts
	}{{"introspect", asked}, {"jwt", here}, {"introspect_opaque", here}, {"jwt_then_introspect", both}} {
		sc := startSidecar(t, s.vault, s.inMode(c.mode))
		token := s.tokenOf(t, s.jwt)
		last = sc.decide(t, get(token))
		if last.String() != "allow 200" {
			t.Fatalf("%s: %s, want allow 200", c.mode, last)
		}
		checkFacts(t, sc.logged(t, last.ID), c.want)
		if a := sc.decide(t, get(changed(t, token))); a.String() != "unauthenticated 401 invalid_token" {
			t.Errorf("%s, changed: %s, want unauthenticated 401 invalid_token", c.mode, a)
		}
		s.jwt.post(t, s.issuer+"/oauth2/revoke", url.Values{"token": {token}}, http.StatusOK)
		if c.want.Source == "jwt" { // no server is asked: the token is good until it expires
			if a := sc.decide(t, get(token)); a.String() != "allow 200" {
				t.Errorf("%s, revoked: %s, want allow 200", c.mode, a)
			}
			continue
		}
		awaitRefusal(t, sc, token)
	}
	return last
}

// open are sidecars that take every audience of the server, so that evidence alone is left: what is active and has no
// token_type is no access token, and neither is a JWT with azp and without a scope.
func (s *spring) open(t *testing.T) {
	got := s.login(t)
	for mode, sc := range map[string]*sidecar{
		"introspect": startSidecar(t, s.vault, setup{issuer: s.issuerWith(""), secret: s.api.secret}),
		"jwt": startSidecar(t, s.vault,
			setup{issuer: s.issuerWith("    audience: [orders-api, orders-web]\n    mode: introspect_opaque\n    " +
				"absent_audience: accept"), secret: s.api.secret}),
	} {
		if a := sc.decide(t, get(got.access)); a.String() != "allow 200" {
			t.Errorf("%s, access token: %s, want allow 200", mode, a)
		}
		for name, token := range map[string]string{"refresh token": got.refresh, "ID token": got.id} {
			if a := sc.decide(t, get(token)); a.String() != "unauthenticated 401 invalid_token" {
				t.Errorf("%s, %s: %s, want unauthenticated 401 invalid_token", mode, name, a)
			}
		}
	}
}

// unsigned is a downgrade: the server has no signed answers and gives plain JSON, with status 200, to clients that ask
// for one.
func (s *spring) unsigned(t *testing.T) {
	sc := startSidecar(t, s.vault, setup{issuer: s.issuerWith("    audience: [orders-api]\n    require_signed: true"),
		secret: s.api.secret})
	for name, token := range map[string]string{"a good token": s.tokenOf(t, s.app),
		"rubbish": "an-opaque-token-that-was-not-issued"} {
		a := sc.decide(t, get(token))
		if a.String() != "misconfigured 503 misconfigured" {
			t.Errorf("%s: %s, want misconfigured 503", name, a)
		}
		checkChallenge(t, a, "")
	}
}

// dpopToken is bound to key: the server gives one to any client that shows a proof.
func (s *spring) dpopToken(t *testing.T, c oauthClient, key *ecdsa.PrivateKey) string {
	t.Helper()
	endpoint := s.issuer + "/oauth2/token"
	return call{
		endpoint: endpoint, header: http.Header{"Dpop": {testkit.ProofKeyOf(t, key).Proof(t, http.MethodPost, endpoint,
			"", nil)}},
		form: url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:read"}}, as: c,
	}.tokens(t, s.vault).access
}

// boundToken is bound to certificate, by which its client authenticates too. The server wants to see the whole chain:
// one alone counts as self-signed.
func (s *spring) boundToken(t *testing.T, certificate testkit.Certificate) string {
	t.Helper()
	shown := certificate.Certificate
	shown.Certificate = append(shown.Certificate[:1:1], s.ca.Leaf.Raw)
	c := client()
	c.Transport = &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: s.ca.Pool(), Certificates: []tls.Certificate{shown}},
		DisableKeepAlives: true,
	}
	return call{http: c, endpoint: s.secure + "/oauth2/token", form: url.Values{
		"grant_type": {"client_credentials"}, "scope": {"orders:read"}, "client_id": {"orders-bound"},
	}}.tokens(t, s.vault).access
}
