package upstreamkeys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/door/upstreamkeys"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/upstreamtoken"
)

const (
	keysAt  = "/.well-known/jwks.json"
	oidcAt  = "/identity/.well-known/openid-configuration"
	oauthAt = "/.well-known/oauth-authorization-server/identity"
)

func pemOf(t *testing.T, key crypto.Signer, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return testkit.KeyPEM(t, key)
}

func ed(t *testing.T) string {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return pemOf(t, key, err)
}

func ec(t *testing.T) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return pemOf(t, key, err)
}

// open is an issuer with a file for each key.
func open(t *testing.T, identifier string, pems ...string) (*upstreamtoken.Issuer, []string) {
	t.Helper()
	c := conf.Default[upstreamtoken.Config]()
	c.Issuer, c.Audience = identifier, []string{"orders"}
	for _, text := range pems {
		name := filepath.Join(t.TempDir(), "key.pem")
		testkit.WriteFile(t, name, text)
		c.KeyFiles = append(c.KeyFiles, name)
	}
	i, err := upstreamtoken.Open(c, upstreamtoken.Deps{
		Log: telemetry.NewLogger(telemetry.LogConfig{}, &testkit.LogBuffer{})})
	if err != nil {
		t.Fatal(err)
	}
	return i, c.KeyFiles
}

// get asks the door for a path.
func get(t *testing.T, of *upstreamtoken.Issuer, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	m := upstreamkeys.Mount(of)
	for _, o := range m.Operations {
		if o.Path == path {
			w := httptest.NewRecorder()
			m.Handlers[o.ID].ServeHTTP(w, httptest.NewRequest(method, path, nil))
			return w
		}
	}
	t.Fatalf("there is no operation at %s", path)
	return nil
}

// kids are the names of the published keys, none of which has a member of a private key (RFC 7518 section 6).
func kids(t *testing.T, of *upstreamtoken.Issuer) (all []string) {
	t.Helper()
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(get(t, of, "GET", keysAt).Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		for name := range k {
			if !slices.Contains([]string{"kty", "crv", "x", "y", "kid", "alg", "use"}, name) {
				t.Errorf("a key has the member %q", name)
			}
		}
		all = append(all, k["kid"])
	}
	return all
}

func TestMetadataLeadToTheKeysByTheIssuerAlone(t *testing.T) {
	for identifier, keys := range map[string]string{
		"https://sidecar.example/identity":      "https://sidecar.example" + keysAt,
		"http://127.0.0.1:8181/identity":        "http://127.0.0.1:8181" + keysAt,
		"https://acme.example/sidecar/identity": "https://acme.example/sidecar" + keysAt,
	} {
		i, _ := open(t, identifier, ed(t), ec(t), ec(t))
		for _, path := range []string{oidcAt, oauthAt} {
			w := get(t, i, "GET", path)
			var got struct {
				Issuer string   `json:"issuer"`
				Keys   string   `json:"jwks_uri"`
				Algs   []string `json:"id_token_signing_alg_values_supported"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK ||
				got.Issuer != identifier || got.Keys != keys || !slices.Equal(got.Algs, []string{"EdDSA", "ES256"}) {
				t.Errorf("%s at %s: %d %s", identifier, path, w.Code, w.Body)
			}
		}
	}
}

func TestAnotherIssuerHasKeysAndNoMetadata(t *testing.T) {
	for _, identifier := range []string{"sidecar", "/identity", "urn:acme:sidecar/identity", "https:///identity",
		"https://acme.example", "https://acme.example/identity/", "https://acme.example/identity#x",
		"https://acme.example/?x=/identity", "https://acme.example#/identity", "https://user@acme.example/identity",
		"ftp://acme.example/identity"} {
		i, _ := open(t, identifier, ed(t))
		w := get(t, i, "GET", oidcAt)
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "upstream_token.issuer must be") {
			t.Errorf("%s: %d %s", identifier, w.Code, w.Body)
		}
		if len(kids(t, i)) != 1 {
			t.Errorf("%s: no key", identifier)
		}
	}
}

func TestAnswersMayBeKeptForAMinuteAndRefusalsNot(t *testing.T) {
	i, _ := open(t, "https://sidecar.example/identity", ed(t))
	for path, mediaType := range map[string]string{keysAt: "application/jwk-set+json", oidcAt: "application/json",
		oauthAt: "application/json"} {
		for method, empty := range map[string]bool{"GET": false, "HEAD": true} {
			w := get(t, i, method, path)
			h := w.Header()
			if w.Code != http.StatusOK || h.Get("Cache-Control") != "public, max-age=60" ||
				h.Get("Content-Type") != mediaType || h.Get("X-Content-Type-Options") != "nosniff" ||
				h.Get("Content-Length") == "0" || (w.Body.Len() == 0) != empty {
				t.Errorf("%s %s: %d %v %s", method, path, w.Code, h, w.Body)
			}
		}
		w := get(t, nil, "GET", path)
		if w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" ||
			!strings.Contains(w.Body.String(), "upstream_token.key_files") {
			t.Errorf("%s without keys: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
}

// TestAKeyThatSignedStaysForTheLifetimeOfItsTokens: its file was overwritten, and what it signed is good until then.
func TestAKeyThatSignedStaysForTheLifetimeOfItsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, files := open(t, "https://sidecar.example/identity", ed(t))
		old := kids(t, i)[0]
		testkit.WriteFile(t, files[0], ec(t))
		time.Sleep(2 * time.Second)
		both := kids(t, i)
		if len(both) != 2 || both[0] == old || both[1] != old {
			t.Fatalf("published are %v, after %s alone", both, old)
		}
		time.Sleep(59 * time.Second)
		if got := kids(t, i); len(got) != 2 {
			t.Errorf("before the last token is over, published are %v", got)
		}
		time.Sleep(time.Second)
		if got := kids(t, i); !slices.Equal(got, both[:1]) {
			t.Errorf("after the last token, published are %v, want %v", got, both[:1])
		}
	})
}
