package oauth_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	testID     = "rs:1"
	testSecret = "s3cr:t+ %/ü and long enough for the longest of hashes, which has sixty-four bytes"
)

// seen is what a server saw of one request.
type seen struct {
	*http.Request
	form url.Values
}

// idp is an authorization server over TLS. It asks for a client certificate and takes any.
type idp struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

// serve answers every request by h, which gets the form too.
func serve(t *testing.T, h func(http.ResponseWriter, seen)) *idp {
	t.Helper()
	return serveTLS(t, &tls.Config{ClientAuth: tls.RequestClientCert}, h)
}

func serveTLS(t *testing.T, c *tls.Config, h func(http.ResponseWriter, seen)) *idp {
	t.Helper()
	s := &idp{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(b))
		q := seen{r, form}
		s.mu.Lock()
		s.seen = append(s.seen, q)
		s.mu.Unlock()
		h(w, q)
	}))
	s.TLS = c
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *idp) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func says(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func active(w http.ResponseWriter, _ seen) { says(w, 200, `{"active":true}`) }

// caFile is a file with the certificate of s.
func (s *idp) caFile(t *testing.T) string {
	return file(t, "ca.pem", certificatePEM(s.Certificate().Raw))
}

// config reaches s with client_secret_basic.
func (s *idp) config(t *testing.T) oauth.Config {
	return oauth.Config{
		Name: "test", Issuer: s.URL, IntrospectionEndpoint: s.URL + "/introspect", CAFile: s.caFile(t),
		Client:  oauth.Client{ID: testID, Secret: secretFile(t, testSecret)},
		Timeout: 30 * time.Second, FileWait: 20 * time.Second, MaxResponseBytes: 1 << 20,
	}
}

func open(t *testing.T, cfg oauth.Config) *oauth.Server {
	t.Helper()
	s, _ := openLogged(t, cfg)
	return s
}

func openLogged(t *testing.T, cfg oauth.Config) (*oauth.Server, *diary) {
	t.Helper()
	d := &diary{}
	s, err := oauth.New(cfg, oauth.Deps{Needs: []oauth.Endpoint{oauth.Introspection}, Log: slog.New(slog.NewTextHandler(d, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, d
}

// diary is a log that remembers.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) count(s string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Count(d.text.String(), s)
}

// ask introspects once.
func ask(ctx context.Context, s *oauth.Server) (oauth.Reply, error) {
	endpoint, err := s.Endpoint(ctx, oauth.Introspection)
	if err != nil {
		return oauth.Reply{}, err
	}
	return s.Post(ctx, endpoint, url.Values{"token": {"t"}}, "application/json")
}

// answered introspects once and wants an answer.
func answered(t *testing.T, s *oauth.Server) {
	t.Helper()
	if r, err := ask(t.Context(), s); err != nil || r.Status != 200 {
		t.Fatalf("status %d, %v", r.Status, err)
	}
}

// observed asks s as cfg says and returns what arrived.
func (s *idp) observed(t *testing.T, cfg oauth.Config) seen {
	t.Helper()
	before := len(s.requests())
	answered(t, open(t, cfg))
	return s.requests()[before:][0]
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	write(t, name, content)
	return name
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func secretFile(t *testing.T, value string) secret.Source {
	return secret.Source{File: file(t, "secret", value)}
}

// privateKeys are slow to make, and made once.
var privateKeys = sync.OnceValue(func() map[string]crypto.Signer {
	must := func(k crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return k
	}
	p256 := func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[string]crypto.Signer{
		"RS256": must(rsa.GenerateKey(rand.Reader, 2048)), "ES256": p256(), "EdDSA": must(ed, err),
		"ES384": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), "ES512": must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
	}
})

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keyPEM(t *testing.T, k crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// pair is a certificate that signed itself, for clients and for a server at 127.0.0.1.
type pair struct {
	certificate, key string // PEM
	leaf             *x509.Certificate
	tls              tls.Certificate
}

func selfSigned(t *testing.T) pair {
	t.Helper()
	k := newKey(t)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "rs " + serial.String()}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	p := pair{certificate: certificatePEM(der), key: keyPEM(t, k)}
	if p.tls, err = tls.X509KeyPair([]byte(p.certificate), []byte(p.key)); err != nil {
		t.Fatal(err)
	}
	p.leaf = p.tls.Leaf
	return p
}

// claimsOf verifies an assertion with a key, and returns its claims and its header.
func claimsOf(t *testing.T, assertion string, key any) (claims map[string]any, header gojose.Header) {
	t.Helper()
	algs := []gojose.SignatureAlgorithm{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512",
	}
	signed, err := gojose.ParseSignedCompact(assertion, algs)
	if err != nil {
		t.Fatalf("no assertion: %v", err)
	}
	payload, err := signed.Verify(key)
	if err != nil {
		t.Fatalf("its signature: %v", err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims, signed.Signatures[0].Header
}

// eventually polls until ok, without sleeping for long, and gives up after a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}
