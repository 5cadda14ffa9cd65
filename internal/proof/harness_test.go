package proof_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

type object = map[string]any

const (
	anAccessToken = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	aURL          = "https://api.example/orders?expand=items"
)

// aTime is when everything happens, unless a test says otherwise.
var aTime = time.Unix(1_800_000_000, 0)

// holder is a client with a key. Its proofs are made by hand, so that they can be wrong in every way.
type holder struct {
	key *ecdsa.PrivateKey
	jwk object
	jkt string
	n   atomic.Int64
}

func newHolder(t testing.TB) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := b64(point[1:33]), b64(point[33:])
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, x, y)) // RFC 7638 section 3
	return &holder{key: key, jwk: object{"kty": "EC", "crv": "P-256", "x": x, "y": y}, jkt: b64(sum[:])}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return b64(sum[:])
}

// change alters the header or the claims of a proof. A member that becomes nil is left out.
type change func(header, claims object)

func claim(name string, value any) change { return func(_, claims object) { claims[name] = value } }
func head(name string, value any) change  { return func(header, _ object) { header[name] = value } }

// proof makes one for GET aURL with anAccessToken at aTime, but for the changes.
func (h *holder) proof(t testing.TB, changes ...change) string {
	t.Helper()
	header := object{"typ": "dpop+jwt", "alg": "ES256", "jwk": maps.Clone(h.jwk)}
	claims := object{"jti": fmt.Sprintf("proof-%d", h.n.Add(1)), "htm": "GET", "htu": "https://api.example/orders",
		"iat": aTime.Unix(), "ath": hashOf(anAccessToken)}
	for _, c := range changes {
		c(header, claims)
	}
	return h.sign(t, header, claims)
}

func (h *holder) sign(t testing.TB, header, claims object) string {
	t.Helper()
	text := part(t, header) + "." + part(t, claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, h.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + b64(signature)
}

func part(t testing.TB, members object) string {
	t.Helper()
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
	raw, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return b64(raw)
}

func (h *holder) bound() authz.Confirmation { return authz.Confirmation{JKT: h.jkt} }

// accepting is a configuration that takes proofs, as the defaults do.
func accepting(changes ...func(*proof.Config)) proof.Config {
	cfg := proof.Config{
		DPoP: proof.DPoPConfig{
			Mode: proof.Accept, Algorithms: []string{"ES256", "EdDSA", "PS256"}, MaxAge: time.Minute,
			FutureSkew: 10 * time.Second,
			Replay:     proof.ReplayEnforce, ReplayMaxEntries: 1000, NonceLifetime: 2 * time.Minute,
		},
		MTLS: proof.MTLSConfig{TrustedProxies: []string{"unix", "127.0.0.0/8", "::1/128"}},
	}
	for _, c := range changes {
		c(&cfg)
	}
	return cfg
}

func proofs(t testing.TB, cfg proof.Config, registerers ...metrics.Registerer) *proof.Verifier {
	t.Helper()
	cfg.Check(func(key, cause, _ string) { t.Errorf("fault in %s: %s", key, cause) })
	var r metrics.Registerer
	if len(registerers) > 0 {
		r = registerers[0]
	}
	p, err := proof.New(cfg, r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// asked is a question about a request with these DPoP fields.
func asked(dpop ...string) *authz.Query {
	q := &authz.Query{Caller: "127.0.0.1:4711", Request: authz.Request{Method: "GET", URL: aURL,
		Headers: map[string][]string{}}}
	if dpop != nil {
		q.Request.Headers["dpop"] = dpop
	}
	return q
}

func as(scheme token.Scheme) token.Credential {
	return token.Credential{Token: secret.New(anAccessToken), Scheme: scheme}
}

// verify checks a request that is answered at once.
func verify(p *proof.Verifier, c authz.Confirmation, cred token.Credential, q *authz.Query, now time.Time) error {
	use, err := p.Verify(c, cred, q, now)
	use.Keep()
	return err
}

// shown checks one proof of GET aURL at aTime.
func shown(p *proof.Verifier, c authz.Confirmation, dpop ...string) error {
	return verify(p, c, as(token.DPoP), asked(dpop...), aTime)
}

// wantRefusal asserts that err refuses the client with a code.
func wantRefusal(t testing.TB, name string, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[*authz.Error](err)
	if !ok || e.Kind != authz.Unauthenticated || e.Code != code {
		t.Errorf("%s: got %v, want %s", name, err, code)
	}
}

func wantPass(t testing.TB, name string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func vector(t testing.TB, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
