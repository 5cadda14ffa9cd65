package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// identity returns the claims of a token that the sidecar signed for an audience. keys is the set of
// /.well-known/jwks.json.
func identity(token, issuer, audience string, keys *jose.JSONWebKeySet) (jwt.Claims, error) {
	var claims jwt.Claims
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.ES384})
	if err != nil {
		return claims, err
	}
	if err := parsed.Claims(keys, &claims); err != nil {
		return claims, err
	}
	return claims, claims.Validate(jwt.Expected{Issuer: issuer, AnyAudience: jwt.Audience{audience}, Time: time.Now()})
}

func TestThePageVerifiesASignedIdentityAsThisTestDoes(t *testing.T) {
	own := testkit.ReadFile(t, "upstream_token_test.go")
	from := strings.Index(own, "// identity returns")
	function := own[from : from+strings.Index(own[from:], "\n}\n")+3]
	if !strings.Contains(testkit.ReadFile(t, "../../docs/upstream-token.md"), "```go\n"+function+"```") {
		t.Error("docs/upstream-token.md has another function")
	}
}

// signing makes the shipped policy return claims, and the sidecar sign them.
func signing(t *testing.T, c *config.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "identity.pem")
	testkit.WriteFile(t, name, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	c.UpstreamToken.KeyFiles, c.UpstreamToken.Issuer = []string{name}, "https://sidecar.example/identity"
	c.UpstreamToken.Audience = []string{"orders"}
	err = filepath.WalkDir(c.Policies.Paths[0], func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".rego") {
			testkit.WriteFile(t, name, strings.Replace(testkit.ReadFile(t, name), `"upstream_headers": identity}`,
				`"upstream_headers": identity, "upstream_token": {"sub": input.token.subject.id}}`, 1))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnApplicationVerifiesTheSignedIdentityWithTheServedKeys(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *config.Config) { signing(t, c) })
	var keys jose.JSONWebKeySet
	body, err := w.send(t.Context(), "GET", w.api+"/.well-known/jwks.json", "")
	if err != nil || json.Unmarshal([]byte(body), &keys) != nil || strings.Contains(body, `"d"`) {
		t.Fatalf("the keys are %s, error is %v", body, err)
	}
	a := w.ask(t, w.token(t, good()))
	if !a.Allow || len(a.UpstreamHeaders["X-Identity-Token"]) != 1 {
		t.Fatalf("%s, upstream headers %v", a, a.UpstreamHeaders)
	}
	token := a.UpstreamHeaders["X-Identity-Token"][0]
	claims, err := identity(token, "https://sidecar.example/identity", "orders", &keys)
	if err != nil || claims.Subject != "alice" || claims.ID == "" {
		t.Errorf("claims are %+v, error is %v", claims, err)
	}
	if _, err := identity(token, "https://sidecar.example/identity", "billing", &keys); err == nil {
		t.Error("another application accepts the token")
	}
	if _, err := identity(token[:len(token)-8]+"AAAAAAAA", "https://sidecar.example/identity", "orders",
		&keys); err == nil {
		t.Error("a forged signature is accepted")
	}
	if denied := w.ask(t, ""); denied.Allow || denied.UpstreamHeaders["X-Identity-Token"] != nil {
		t.Errorf("without a token: %s %v", denied, denied.UpstreamHeaders)
	}
}

func TestAnApplicationFindsTheKeysByTheIssuerAlone(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *config.Config) { signing(t, c) })
	for _, path := range []string{"/identity/.well-known/openid-configuration",
		"/.well-known/oauth-authorization-server/identity"} {
		status, body, err := w.exchange(t.Context(), "GET", w.api+path, "")
		if want :=
			`{"issuer":"https://sidecar.example/identity","jwks_uri":"https://sidecar.example/.well-known/jwks.json",` +
				`"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256"]}`; err != nil ||
			status != 200 || body != want {
			t.Errorf("%s: %d %s, error is %v", path, status, body, err)
		}
	}
	report := w.get(t, "/v1/status")
	if !strings.Contains(report, `"issuer": "https://sidecar.example/identity",`) ||
		!strings.Contains(report, `"alg": "ES256"`) {
		t.Errorf("the status is %s", report)
	}
}

func TestWithoutKeysThePathOfTheKeysNamesTheKeyOfTheConfiguration(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	status, body, err := w.exchange(t.Context(), "GET", w.api+"/.well-known/jwks.json", "")
	if err != nil || status != 404 || !strings.Contains(body, "upstream_token.key_files") {
		t.Errorf("%d %s, error is %v", status, body, err)
	}
}
