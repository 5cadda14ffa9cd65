package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

const rotations = 3

// identity is a key and a certificate that it signed for itself, for clients and for a server at 127.0.0.1.
type identity struct {
	certificate, key string // PEM
	public           *ecdsa.PublicKey
	tls              tls.Certificate
}

func newIdentity(t *testing.T) identity {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
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
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	i := identity{
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), public: &k.PublicKey,
	}
	if i.tls, err = tls.X509KeyPair([]byte(i.certificate), []byte(i.key)); err != nil {
		t.Fatal(err)
	}
	return i
}

// signed reports whether an assertion is signed with the key of i.
func (i identity) signed(assertion string) bool {
	at := strings.LastIndexByte(assertion, '.')
	if at < 0 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(assertion[at+1:])
	sum := sha256.Sum256([]byte(assertion[:at]))
	return err == nil && len(signature) == 64 &&
		ecdsa.Verify(i.public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}

// rotating is an authorization server that takes some generations of what rotates, and the files that hold one.
type rotating struct {
	*httptest.Server
	of    []identity
	which func(r *http.Request) int // the generation of a request; anyOf takes it as it is
	hold  func(generations ...int)  // writes the files

	mu     sync.Mutex
	takes  []int
	shown  map[int]int // how often each generation was seen
	denied map[int]int
}

const anyOf = -2

func (r *rotating) take(generations ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.takes = generations
}

func (r *rotating) saw(m map[int]int, generation int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m[generation] > 0
}

func (r *rotating) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	g := r.which(q)
	r.mu.Lock()
	ok := g == anyOf || slices.Contains(r.takes, g)
	r.shown[g]++
	if !ok {
		r.denied[g]++
	}
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
		return
	}
	_, _ = io.WriteString(w, `{"active":true,"sub":"alice","client_id":"web","scope":"orders:read","aud":"orders-api","tenant":"acme"}`)
}

// newRotating starts the server. Its certificate is of the last generation that it takes when show is set.
func newRotating(t *testing.T, show func(r *rotating) int) *rotating {
	t.Helper()
	r := &rotating{takes: []int{0}, shown: map[int]int{}, denied: map[int]int{}}
	for range rotations + 1 {
		r.of = append(r.of, newIdentity(t))
	}
	r.Server = httptest.NewUnstartedServer(r)
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{ClientAuth: tls.RequestClientCert, Certificates: []tls.Certificate{r.of[show(r)].tls}}, nil
	}}
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

// set makes the sidecar ask r: a question for each decision.
func (r *rotating) set(t *testing.T, c *config.Config, client oauth.Client) {
	t.Helper()
	s := &c.Issuers[0].Endpoint
	s.Issuer, s.IntrospectionEndpoint, s.Client = "", r.URL+"/introspect", client
	s.CAFile, s.FileWait = filepath.Join(t.TempDir(), "ca.pem"), 20*time.Second // the tests' machine may be slow
	write(t, s.CAFile, r.of[0].certificate)
	c.Issuers[0].Cache.TTL = 0
}

func rotatingSecret(g int) string { return fmt.Sprintf("%d-client-secret-of-a-generation", g) }

// rotate makes what rotates, at generation 0.
var rotate = map[string]func(t *testing.T, c *config.Config) *rotating{
	"client secret": func(t *testing.T, c *config.Config) *rotating {
		r := newRotating(t, func(*rotating) int { return 0 })
		kept := keptSecret(t, "secret", rotatingSecret(0))
		r.which = func(q *http.Request) (g int) {
			_, password, _ := q.BasicAuth()
			if _, err := fmt.Sscanf(password, "%d-client", &g); err != nil {
				return -1
			}
			return g
		}
		r.hold = func(g ...int) { write(t, kept.File, rotatingSecret(g[len(g)-1])) }
		r.set(t, c, oauth.Client{ID: "rs", Secret: kept})
		return r
	},
	"private_key_jwt key": func(t *testing.T, c *config.Config) *rotating {
		r := newRotating(t, func(*rotating) int { return 0 })
		kept := keptSecret(t, "key", r.of[0].key)
		r.which = func(q *http.Request) int {
			assertion := q.PostFormValue("client_assertion")
			return slices.IndexFunc(r.of, func(i identity) bool { return i.signed(assertion) })
		}
		r.hold = func(g ...int) { write(t, kept.File, r.of[g[len(g)-1]].key) }
		r.set(t, c, oauth.Client{Auth: "private_key_jwt", ID: "rs", Key: kept, AssertionAudience: r.URL})
		return r
	},
	"client certificate": func(t *testing.T, c *config.Config) *rotating {
		r := newRotating(t, func(*rotating) int { return 0 })
		certificate, key := keptSecret(t, "c.pem", r.of[0].certificate), keptSecret(t, "k.pem", r.of[0].key)
		r.which = func(q *http.Request) int {
			return slices.IndexFunc(r.of, func(i identity) bool {
				return len(q.TLS.PeerCertificates) > 0 && slices.Equal(i.tls.Certificate[0], q.TLS.PeerCertificates[0].Raw)
			})
		}
		r.hold = func(g ...int) {
			write(t, certificate.File, r.of[g[len(g)-1]].certificate)
			write(t, key.File, r.of[g[len(g)-1]].key)
		}
		r.set(t, c, oauth.Client{Auth: "self_signed_tls_client_auth", ID: "rs", CertificateFile: certificate.File, CertificateKey: key})
		return r
	},
	"certificate authorities of the server": func(t *testing.T, c *config.Config) *rotating {
		r := newRotating(t, func(r *rotating) int {
			r.mu.Lock()
			defer r.mu.Unlock()
			g := r.takes[len(r.takes)-1]
			r.shown[g]++
			return g
		})
		r.Config.SetKeepAlivesEnabled(false) // or there would be no more handshakes
		r.which = func(*http.Request) int { return anyOf }
		r.set(t, c, oauth.Client{ID: "rs", Secret: keptSecret(t, "secret", rotatingSecret(0))})
		file := c.Issuers[0].Endpoint.CAFile
		r.hold = func(generations ...int) {
			var all strings.Builder
			for _, g := range generations {
				all.WriteString(r.of[g].certificate)
			}
			write(t, file, all.String())
		}
		return r
	},
}

// orders are the ways from one generation to the next. said counts the lines of the log that hold a text.
var orders = map[string]func(t *testing.T, r *rotating, next int, authorities bool, said func(string) int){
	"file first": func(t *testing.T, r *rotating, next int, _ bool, said func(string) int) {
		r.hold(next)
		until(t, "the new one is tried", func() bool { return said("new credential refused") == next })
		r.take(next)
	},
	"server first": func(t *testing.T, r *rotating, next int, authorities bool, _ func(string) int) {
		r.take(next)
		until(t, "the old one is refused", func() bool {
			return authorities && r.saw(r.shown, next) || r.saw(r.denied, next-1)
		})
		r.hold(next)
	},
	"both for a while": func(t *testing.T, r *rotating, next int, authorities bool, said func(string) int) {
		if authorities {
			r.hold(next-1, next)
			until(t, "both are used", func() bool { return said("credential rotated") == 2*next-1 })
			r.take(next)
			until(t, "the new one is shown", func() bool { return r.saw(r.shown, next) })
			r.hold(next)
			return
		}
		r.take(next-1, next)
		r.hold(next)
		until(t, "the new one is used", func() bool { return r.saw(r.shown, next) })
		r.take(next)
	},
}

// TestNoDecisionFailsWhileCredentialsRotate: nothing is kept, so that each decision shows a credential.
func TestNoDecisionFailsWhileCredentialsRotate(t *testing.T) {
	for what, begin := range rotate {
		for order, turn := range orders {
			t.Run(what+", "+order, func(t *testing.T) {
				t.Parallel()
				var r *rotating
				w := start(t, func(c *config.Config) { r = begin(t, c) })
				authorities := what == "certificate authorities of the server"
				said := func(text string) int { return strings.Count(w.logger.String(), text) }
				w.ask(t, "a-token")
				var tokens []string
				for n := range 20 { // of a token only one question is under way
					tokens = append(tokens, fmt.Sprintf("good-%d", n))
				}
				l := w.traffic(t, 100, tokens...)
				l.goesOn(t, 10)
				for next := 1; next <= rotations; next++ {
					turn(t, r, next, authorities, said)
					want := next
					if authorities && order == "both for a while" {
						want = 2 * next
					}
					until(t, "the rotation is over", func() bool { return said("credential rotated") == want })
					l.goesOn(t, 10)
				}
				all := l.stop()
				failed := 0
				for _, u := range all {
					if u.err != nil || !u.answer.Allow {
						if failed++; failed == 1 {
							t.Errorf("a decision is %v: %s", u, w.cause(t, u.answer.ID))
						}
					}
				}
				t.Logf("%d of %d decisions failed over %d rotations", failed, len(all), rotations)
				if log := w.logger.String(); strings.Contains(log, "client-secret-of") || strings.Contains(log, "BEGIN") {
					t.Error("the log holds a secret")
				}
			})
		}
	}
}
