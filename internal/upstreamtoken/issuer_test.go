package upstreamtoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/upstreamtoken"
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

func ec(t *testing.T, c elliptic.Curve) string {
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	return pemOf(t, key, err)
}

// config is one with a file for each key.
func config(t *testing.T, pems ...string) upstreamtoken.Config {
	t.Helper()
	c := conf.Default[upstreamtoken.Config]()
	c.Issuer, c.Audience = "https://sidecar.example", []string{"orders"}
	for i, text := range pems {
		name := filepath.Join(t.TempDir(), fmt.Sprintf("%d.pem", i))
		testkit.WriteFile(t, name, text)
		c.KeyFiles = append(c.KeyFiles, name)
	}
	return c
}

func open(t *testing.T, c upstreamtoken.Config) *upstreamtoken.Issuer {
	t.Helper()
	return openLogging(t, c, &testkit.LogBuffer{})
}

func openLogging(t *testing.T, c upstreamtoken.Config, log *testkit.LogBuffer) *upstreamtoken.Issuer {
	t.Helper()
	i, err := upstreamtoken.Open(c, upstreamtoken.Deps{Log: telemetry.NewLogger(telemetry.LogConfig{}, log)})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// issue returns the value of the header.
func issue(t *testing.T, i *upstreamtoken.Issuer, claims string, expires authz.Time, now time.Time) string {
	t.Helper()
	set, _, err := i.Headers(nil, []byte(claims), expires, now)
	if err != nil || len(set) != 1 || len(set[0].Values) != 1 {
		t.Fatalf("headers are %v, error is %v", set, err)
	}
	return set[0].Values[0]
}

// verified returns the claims of a token that a key of the set verifies, and the algorithm.
func verified(t *testing.T, token string, set []byte) (claims map[string]any, alg string) {
	t.Helper()
	var keys gojose.JSONWebKeySet
	if err := json.Unmarshal(set, &keys); err != nil {
		t.Fatal(err)
	}
	s, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.ES256, gojose.ES384, gojose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	h := s.Signatures[0].Header
	of := keys.Key(h.KeyID)
	if len(of) != 1 || !of[0].IsPublic() || of[0].Algorithm != h.Algorithm {
		t.Fatalf("key %q is in the set as %v", h.KeyID, of)
	}
	payload, err := s.Verify(of[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims, h.Algorithm
}

func TestATokenIsVerifiedWithThePublishedKeys(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for want, key := range map[string]string{
		"EdDSA": ed(t), "ES256": ec(t, elliptic.P256()), "ES384": ec(t, elliptic.P384()),
	} {
		i := open(t, config(t, key, ed(t)))
		got, alg := verified(t, issue(t, i, `{"sub":"alice","roles":["a"]}`, 0, now), i.KeySet())
		if jti, _ := got["jti"].(string); len(jti) < 20 || alg != want {
			t.Errorf("%s: algorithm %s, jti %q", want, alg, jti)
		}
		delete(got, "jti")
		if all := (map[string]any{
			"iss": "https://sidecar.example", "aud": "orders", "sub": "alice", "roles": []any{"a"},
			"iat": 1.8e9, "nbf": 1.8e9, "exp": 1.8e9 + 60,
		}); !reflect.DeepEqual(got, all) {
			t.Errorf("%s: claims are %v", want, got)
		}
		if strings.Contains(string(i.KeySet()), `"d"`) {
			t.Errorf("%s: a private key is published", want)
		}
	}
}

func TestATokenNeverOutlivesThatOfTheRequest(t *testing.T) {
	i, now := open(t, config(t, ed(t))), time.Unix(1_800_000_000, 0)
	for _, left := range []authz.Time{3600, 20, 5, 3600, 60} { // the one before is kept
		claims, _ := verified(t, issue(t, i, `{"sub":"a"}`, authz.At(now)+left, now), i.KeySet())
		if exp := authz.Time(claims["exp"].(float64)); exp > authz.At(now)+min(left, 60) {
			t.Errorf("with %d s left, it expires %d s from now", left, exp-authz.At(now))
		}
	}
}

func TestATokenIsGivenOutAgainForEqualClaimsDuringHalfOfItsLifetime(t *testing.T) {
	i, now := open(t, config(t, ed(t))), time.Unix(1_800_000_000, 0)
	first := issue(t, i, `{"sub":"a"}`, 0, now)
	for _, c := range []struct {
		claims string
		after  time.Duration
		same   bool
	}{
		{`{"sub":"b"}`, 0, false}, {`{"sub":"a"}`, 29 * time.Second, true}, {`{"sub":"a"}`, 30 * time.Second, false},
	} {
		if got := issue(t, i, c.claims, 0, now.Add(c.after)); (got == first) != c.same {
			t.Errorf("%s after %s: the same token: %t, want %t", c.claims, c.after, got == first, c.same)
		}
	}
}

func TestFewTokensAreKept(t *testing.T) {
	i, now := open(t, config(t, ed(t))), time.Unix(1_800_000_000, 0)
	first := issue(t, i, `{"sub":"first"}`, 0, now)
	for n := range 3000 {
		issue(t, i, fmt.Sprintf(`{"sub":"%d"}`, n), 0, now)
	}
	if issue(t, i, `{"sub":"first"}`, 0, now) == first {
		t.Error("a token is kept after 3000 others")
	}
}

func TestTheHeaderIsSentOnceAndEmptyWithoutClaims(t *testing.T) {
	i, now := open(t, config(t, ed(t))), time.Now()
	set, issued, err := i.Headers([]authz.Header{{Name: "X-Subject", Values: []string{"a"}},
		{Name: "x-identity_token", Values: []string{""}}}, nil, 0, now)
	if want := []authz.Header{{Name: "X-Subject", Values: []string{"a"}},
		{Name: "X-Identity-Token", Values: []string{""}}}; err != nil || issued.ID != "" ||
		!reflect.DeepEqual(set, want) {
		t.Errorf("headers are %v, error is %v", set, err)
	}
}

func TestWhatCannotBeSignedIsMisconfigured(t *testing.T) {
	i, now := open(t, config(t, ed(t))), time.Now()
	for claims, want := range map[string]string{
		`{"exp":1}`:             "the claim exp is the sidecar's own",
		`{"sub":"a","iss":"b"}`: "the claim iss is the sidecar's own",
		`{"Exp":1}`:             "the claim Exp is the sidecar's own",
		`[1]`:                   "no JSON object",
		`{"a":"` + strings.Repeat("x", 4096) + `"}`: "over 4096 bytes",
	} {
		set, _, err := i.Headers(nil, []byte(claims), 0, now)
		if kind := authz.KindOf(err); err == nil || set != nil || kind != authz.Misconfigured ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v (%s), headers %v", claims, err, kind, set)
		}
	}
	if _, _, err := i.Headers([]authz.Header{{Name: "x-identity-token", Values: []string{"forged"}}}, nil, 0,
		now); authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("the policy sets the header: %v", err)
	}
}

func TestKeysChangeWithoutARestartWhileTokensAreSigned(t *testing.T) {
	old, next := ed(t), ec(t, elliptic.P256())
	c, log := config(t, old, next), &testkit.LogBuffer{}
	i := openLogging(t, c, log)
	signedBy := func() string {
		_, alg := verified(t, issue(t, i, `{"sub":"a"}`, 0, time.Now()), i.KeySet())
		return alg
	}
	if alg := signedBy(); alg != "EdDSA" {
		t.Fatalf("the first key signs with %s", alg)
	}
	stop := make(chan struct{})
	var deciding sync.WaitGroup
	for range 2 {
		deciding.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if set, _, err := i.Headers(nil, []byte(`{"sub":"b"}`), 0, time.Now()); err != nil ||
					set[0].Values[0] == "" {
					t.Errorf("while keys change: %v, %v", set, err)
					return
				}
			}
		})
	}
	testkit.WriteFile(t, c.KeyFiles[0], next[:len(next)/2]) // half written
	testkit.Eventually(t, "the half is looked at", func() bool { return log.Has("cannot be used") })
	if alg := signedBy(); alg != "EdDSA" {
		t.Errorf("a key that is half written: %s signs", alg)
	}
	testkit.WriteFile(t, c.KeyFiles[1], old)
	testkit.WriteFile(t, c.KeyFiles[0], next)
	testkit.Eventually(t, "the new key signs", func() bool { return signedBy() == "ES256" })
	close(stop)
	deciding.Wait()
	var set gojose.JSONWebKeySet
	if err := json.Unmarshal(i.KeySet(), &set); err != nil || len(set.Keys) == 0 || len(set.Keys) > 2 {
		t.Errorf("the set has %d keys, error %v", len(set.Keys), err)
	}
}

func TestKeysThatCannotSignAreRefused(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	for text, want := range map[string]string{
		pemOf(t, key, err):          "it is a key for RS256, want EC P-256, EC P-384 or Ed25519",
		ec(t, elliptic.P521()):      "it is a key for ES512",
		"":                          "there is none in PEM",
		testkit.SelfSigned(t).PEM(): "there is none in PEM",
	} {
		if _, err := upstreamtoken.Open(config(t, text), upstreamtoken.Deps{}); err == nil ||
			!strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "upstream_token.key_files[0]: ") {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	if i, err := upstreamtoken.Open(upstreamtoken.Config{}, upstreamtoken.Deps{}); i != nil || err != nil ||
		i.KeySet() != nil {
		t.Errorf("without keys there is an issuer, or the error %v", err)
	}
}

func TestASectionThatIsNotWholeIsAFault(t *testing.T) {
	for want, change := range map[string]func(*upstreamtoken.Config){
		"issuer: is empty":        func(c *upstreamtoken.Config) { c.Issuer = "" },
		"audience: is empty":      func(c *upstreamtoken.Config) { c.Audience = nil },
		"key_files: is empty":     func(c *upstreamtoken.Config) { c.KeyFiles = nil },
		"header: \"Host\" cannot": func(c *upstreamtoken.Config) { c.Header = "Host" },
		"lifetime: ":              func(c *upstreamtoken.Config) { c.Lifetime = time.Second },
	} {
		c := config(t, ed(t))
		change(&c)
		if err := conf.Validate(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	if err := conf.Validate(config(t, ed(t))); err != nil {
		t.Error(err)
	}
}
