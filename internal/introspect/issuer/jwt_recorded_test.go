package issuer

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect/local"
	"github.com/authz-sidecar/sidecar/internal/introspect/remote"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// recordedKeys is what package jose keeps of real servers: their key sets, and tokens that those verify.
type recordedKeys struct {
	JWKS      json.RawMessage
	Good, Bad map[string]string
	Private   json.RawMessage `json:"private_jwk_of_a_test"`
}

func keysOfServers(t *testing.T) map[string]recordedKeys {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "jose", "testdata", "recorded.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]recordedKeys
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// at turns the clock of a bubble to a second.
func at(unix int64) { time.Sleep(time.Until(time.Unix(unix, 0))) }

// replaying is a network with a key set and one recorded answer to every question.
func replaying(jwks []byte, contentType, body string) wire {
	return func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/jwks") {
			return wireJSON(string(jwks)), nil
		}
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {contentType}},
			Body: io.NopCloser(bytes.NewBufferString(body)),
		}, nil
	}
}

// TestRecordedAccessTokensAreValidatedHere: JAT-1, JAT-3, JAT-4, with what these servers do otherwise.
func TestRecordedAccessTokensAreValidatedHere(t *testing.T) {
	all := keysOfServers(t)
	for server, c := range map[string]struct {
		issuer, audience string
		dialect          string
		iat, exp         int64
		subject, id      string
		scopes, roles    []string
		clientID         string
	}{
		"keycloak": {
			issuer: "http://127.0.0.1:18080/realms/acme", audience: "orders-api", dialect: "keycloak",
			iat: 1795353782, exp: 1795354082, subject: "a11ce000-0000-4000-8000-000000000001",
			id: "onrtro:833887fa-499f-d305-471f-840b160b47fc",
			scopes: []string{"email", "openid", "orders:read", "orders:write", "organization",
				"profile"}, roles: []string{"offline_access", "order-reader",
				"orders-api:approver"}, clientID: "orders-cli",
		},
		"node-oidc-provider": {
			issuer: "http://127.0.0.1:19301", audience: "https://api.example.test/jwt", dialect: "oidc-provider",
			iat: 1795351775, exp: 1795352375, subject: "alice", id: "t-GwEjRmA-nzvwOgM8yuKSvr8YHFioufa4g9d0vgl77",
			scopes: []string{"orders:read"}, clientID: "web",
		},
		"spring": {
			issuer: "http://127.0.0.1:19311", audience: "svc-jwt", dialect: "spring",
			iat: 1795351956, exp: 1795352556, subject: "svc-jwt", id: "c25d100f-9067-403f-8a73-e3fc1cc37369",
			scopes: []string{"orders:read"},
		},
	} {
		t.Run(server, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at(c.iat)
				i, _ := openWired(t, func(cfg *Config) {
					cfg.Mode, cfg.Endpoint.Issuer, cfg.Endpoint.JWKSURI, cfg.Dialect.Dialect = authz.ModeJWT,
						c.issuer, "https://as.example/jwks", c.dialect
					cfg.Dialect.Audience = []string{c.audience}
					cfg.JWT = local.Config{Algorithms: []string{"RS256", "ES256"}}
				}, replaying(all[server].JWKS, "text/plain", ""))
				tok := secret.New(all[server].Good["access token"])
				got := look(t, i, tok)
				if !got.Active || got.Subject.ID != c.subject || got.ID != c.id || got.ClientID != c.clientID ||
					got.Issuer != c.issuer {
					t.Fatalf("subject %q, jti %q, client %q: %s", got.Subject.ID, got.ID, got.ClientID,
						got.Inactive.Text)
				}
				if !slices.Equal(got.Scopes, c.scopes) || !slices.Equal(got.Roles, c.roles) ||
					int64(got.IssuedAt) != c.iat || int64(got.ExpiresAt) != c.exp {
					t.Errorf("scopes %q, roles %q, from %d to %d", got.Scopes, got.Roles, got.IssuedAt, got.ExpiresAt)
				}
				for name, other := range all[server].Good {
					if got := look(t, i, secret.New(other)); got.Active != (name == "access token") {
						t.Errorf("%s: active %t", name, got.Active)
					}
				}
				for name, bad := range all[server].Bad {
					if got := look(t, i, secret.New(bad)); got.Active {
						t.Errorf("%s is active", name)
					}
				}
				at(c.exp)
				if got := look(t, i, tok); got.Active || got.Inactive.Text != "has expired" {
					t.Errorf("at exp: active %t, %q", got.Active, got.Inactive.Text)
				}
			})
		})
	}
}

// sealed is a recorded answer of testdata.
func sealed(t *testing.T, name string) (contentType, body string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "recorded", "node-oidc-provider-9.13.3", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Headers map[string]string
		Body    string
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	for name, v := range a.Headers {
		if strings.EqualFold(name, "content-type") {
			contentType = v
		}
	}
	return contentType, a.Body
}

const sealedAt = 1795351775

func openSealed(t *testing.T, client string, jwks []byte, contentType, body string, change func(*Config)) *Issuer {
	t.Helper()
	i, _ := openWired(t, func(c *Config) {
		c.Endpoint.Issuer, c.Endpoint.JWKSURI, c.Endpoint.Client.ID, c.Dialect.Dialect = "http://127.0.0.1:19301",
			"https://as.example/jwks", client, "oidc-provider"
		c.RequireSigned = true
		c.SignedResponse = remote.SignedResponse{Algorithms: []string{"ES256", "RS256"}, MaxAge: time.Minute}
		if change != nil {
			change(c)
		}
	}, replaying(jwks, contentType, body))
	return i
}

func TestRecordedSignedResponsesAreOpened(t *testing.T) {
	node := keysOfServers(t)["node-oidc-provider"]
	for name, c := range map[string]struct {
		client string
		active bool
	}{
		"jwt-response-signed": {"rs-signed", true}, "jwt-response-signed-inactive": {"rs-signed",
			false}, "jwt-response-not-configured": {"rs", true},
		"jwt-response-accept-both": {"rs-signed", true}, "jwt-response-accept-upper": {"rs-signed", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			at(sealedAt)
			contentType, body := sealed(t, name)
			i := openSealed(t, c.client, node.JWKS, contentType, body, nil)
			got := ask(t, i)
			if got.Active != c.active {
				t.Fatalf("%s: active %t: %s", name, got.Active, got.Inactive.Text)
			}
			if c.active && (got.Subject.ID != "alice" || got.ClientID != "web" || got.ExpiresAt != 1795352372 ||
				got.Audiences[0] != "https://api.example.test/opaque") {
				t.Errorf("%s: %+v", name, got.Subject)
			}
			noAnswer(t, openSealed(t, "another", node.JWKS, contentType, body, nil), secret.New(testToken), "",
				authz.Misconfigured)
			noAnswer(t, openSealed(t, c.client, keysOfServers(t)["keycloak"].JWKS, contentType, body, nil),
				secret.New(testToken), "", authz.Unavailable)
			at(sealedAt + 62)
			noAnswer(t, openSealed(t, c.client, node.JWKS, contentType, body, nil), secret.New(testToken), "",
				authz.Misconfigured)
		})
	}
}

func TestJWI10_RecordedDowngradesAreNoAnswer(t *testing.T) {
	node := keysOfServers(t)["node-oidc-provider"]
	for _, server := range []string{"jwt-response-signed-accept-json", "jwt-response-signed-accept-application-jwt",
		"jwt-response-accept-any"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "recorded", "node-oidc-provider-9.13.3", server+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var a struct{ Body json.RawMessage }
		if err := json.Unmarshal(raw, &a); err != nil {
			t.Fatal(err)
		}
		i := openSealed(t, "rs-signed", node.JWKS, "application/json", string(a.Body), nil)
		noAnswer(t, i, secret.New(testToken), "", authz.Misconfigured)
	}
}

func TestJWI5_ARecordedEncryptedResponseIsOpenedAndNoOtherPasses(t *testing.T) {
	node := keysOfServers(t)["node-oidc-provider"]
	contentType, body := sealed(t, "jwt-response-encrypted")
	_, plain := sealed(t, "jwt-response-signed")
	encrypted := func(c *Config) {
		c.SignedResponse.DecryptionKey = testkit.SecretFile(t, string(node.Private))
		// One of the algorithms is for another kind of key, as in the default.
		c.SignedResponse.EncryptionAlgorithms, c.SignedResponse.EncryptionEncodings = []string{"RSA-OAEP-256",
			"ECDH-ES"}, []string{"A128GCM"}
	}
	strict := func(c *Config) {
		encrypted(c)
		c.SignedResponse.EncryptionEncodings = []string{"A128CBC-HS256"}
	}
	onlyRS256 := func(c *Config) {
		encrypted(c)
		c.SignedResponse.Algorithms = []string{"RS256"}
	}
	synctest.Test(t, func(t *testing.T) {
		at(sealedAt)
		tok := secret.New(testToken)
		if c := ask(t, openSealed(t, "rs-enc", node.JWKS, contentType, body, encrypted)); !c.Active ||
			c.Subject.ID != "alice" {
			t.Error(c.Inactive.Text)
		}
		for name, i := range map[string]*Issuer{
			"not encrypted":           openSealed(t, "rs-signed", node.JWKS, contentType, plain, encrypted),
			"no key":                  openSealed(t, "rs-enc", node.JWKS, contentType, body, nil),
			"an enc not listed":       openSealed(t, "rs-enc", node.JWKS, contentType, body, strict),
			"an inner alg not listed": openSealed(t, "rs-enc", node.JWKS, contentType, body, onlyRS256),
			"for another client":      openSealed(t, "rs-signed", node.JWKS, contentType, body, encrypted),
			"damaged": openSealed(t, "rs-enc", node.JWKS, contentType, body[:len(body)-4]+"AAAA",
				encrypted),
		} {
			err := noAnswer(t, i, tok, "", authz.Misconfigured)
			if strings.Contains(err.Error(), "eyJ") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
