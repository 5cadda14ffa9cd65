package app

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"math/big"
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
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const rotations = 3

// signed reports whether an assertion is signed with the key of a certificate.
func signed(i testkit.Certificate, assertion string) bool {
	at := strings.LastIndexByte(assertion, '.')
	if at < 0 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(assertion[at+1:])
	sum := sha256.Sum256([]byte(assertion[:at]))
	return err == nil && len(signature) == 64 &&
		ecdsa.Verify(i.Leaf.PublicKey.(*ecdsa.PublicKey), sum[:], new(big.Int).SetBytes(signature[:32]),
			new(big.Int).SetBytes(signature[32:]))
}

// rotating is an authorization server that takes some generations of what rotates, and the files that hold one.
type rotating struct {
	*httptest.Server
	of    []testkit.Certificate
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
	_, _ = io.WriteString(w,
		`{"active":true,"sub":"alice","client_id":"web","scope":"orders:read","aud":"orders-api","tenant":"acme"}`)
}

// newRotating starts the server. Its certificate is of the last generation that it takes when show is set.
func newRotating(t *testing.T, show func(r *rotating) int) *rotating {
	t.Helper()
	r := &rotating{takes: []int{0}, shown: map[int]int{}, denied: map[int]int{}}
	for range rotations + 1 {
		r.of = append(r.of, testkit.SelfSigned(t))
	}
	r.Server = httptest.NewUnstartedServer(r)
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.TLS = &tls.Config{ClientAuth: tls.RequestClientCert,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{ClientAuth: tls.RequestClientCert,
				Certificates: []tls.Certificate{r.of[show(r)].Certificate}}, nil
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
	testkit.WriteFile(t, s.CAFile, r.of[0].PEM())
	c.Issuers[0].Cache.TTL = 0
}

func rotatingSecret(g int) string { return fmt.Sprintf("%d-client-secret-of-a-generation", g) }

// rotate makes what rotates, at generation 0.
var rotate = map[string]func(t *testing.T, c *config.Config) *rotating{
	"client secret": func(t *testing.T, c *config.Config) *rotating {
		r := newRotating(t, func(*rotating) int { return 0 })
		kept := testkit.SecretFile(t, rotatingSecret(0))
		r.which = func(q *http.Request) (g int) {
			_, password, _ := q.BasicAuth()
			if _, err := fmt.Sscanf(password, "%d-client", &g); err != nil {
				return -1
			}
			return g
		}
		r.hold = func(g ...int) { testkit.WriteFile(t, kept.File, rotatingSecret(g[len(g)-1])) }
		r.set(t, c, oauth.Client{ID: "rs", Secret: kept})
		return r
	},
	"private_key_jwt key": func(t *testing.T, c *config.Config) *rotating {
		r := newRotating(t, func(*rotating) int { return 0 })
		kept := testkit.SecretFile(t, testkit.KeyPEM(t, r.of[0].PrivateKey))
		r.which = func(q *http.Request) int {
			assertion := q.PostFormValue("client_assertion")
			return slices.IndexFunc(r.of, func(i testkit.Certificate) bool { return signed(i, assertion) })
		}
		r.hold = func(g ...int) { testkit.WriteFile(t, kept.File, testkit.KeyPEM(t, r.of[g[len(g)-1]].PrivateKey)) }
		r.set(t, c, oauth.Client{Auth: "private_key_jwt", ID: "rs", Key: kept, AssertionAudience: r.URL})
		return r
	},
	"client certificate": func(t *testing.T, c *config.Config) *rotating {
		r := newRotating(t, func(*rotating) int { return 0 })
		certificate, key := testkit.SecretFile(t, r.of[0].PEM()),
			testkit.SecretFile(t, testkit.KeyPEM(t, r.of[0].PrivateKey))
		r.which = func(q *http.Request) int {
			return slices.IndexFunc(r.of, func(i testkit.Certificate) bool {
				return len(q.TLS.PeerCertificates) > 0 && i.Leaf.Equal(q.TLS.PeerCertificates[0])
			})
		}
		r.hold = func(g ...int) {
			testkit.WriteFile(t, certificate.File, r.of[g[len(g)-1]].PEM())
			testkit.WriteFile(t, key.File, testkit.KeyPEM(t, r.of[g[len(g)-1]].PrivateKey))
		}
		r.set(t, c, oauth.Client{Auth: "self_signed_tls_client_auth", ID: "rs", CertificateFile: certificate.File,
			CertificateKey: key})
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
		r.set(t, c, oauth.Client{ID: "rs", Secret: testkit.SecretFile(t, rotatingSecret(0))})
		file := c.Issuers[0].Endpoint.CAFile
		r.hold = func(generations ...int) {
			var all strings.Builder
			for _, g := range generations {
				all.WriteString(r.of[g].PEM())
			}
			testkit.WriteFile(t, file, all.String())
		}
		return r
	},
}

// orders are the ways from one generation to the next. said counts the lines of the log that hold a text.
var orders = map[string]func(t *testing.T, r *rotating, next int, said func(string) int){
	"file first": func(t *testing.T, r *rotating, next int, said func(string) int) {
		r.hold(next)
		testkit.Eventually(t, "the new one is tried", func() bool { return said("new credential refused") >= next })
		r.take(next)
	},
	"server first": func(t *testing.T, r *rotating, next int, _ func(string) int) {
		r.take(next)
		testkit.Eventually(t, "the old one is refused", func() bool { return r.saw(r.denied, next-1) })
		r.hold(next)
	},
	"both for a while": func(t *testing.T, r *rotating, next int, _ func(string) int) {
		r.take(next-1, next)
		r.hold(next)
		testkit.Eventually(t, "the new one is used", func() bool { return r.saw(r.shown, next) })
		r.take(next)
	},
	"authorities, server first": func(t *testing.T, r *rotating, next int, _ func(string) int) {
		r.take(next)
		testkit.Eventually(t, "the new one is shown", func() bool { return r.saw(r.shown, next) })
		r.hold(next)
	},
}

// TestNoDecisionFailsWhileCredentialsRotate: nothing is cached, so that each decision shows a credential. Package
// oauth has all pairs of what rotates and the order of server and file.
func TestNoDecisionFailsWhileCredentialsRotate(t *testing.T) {
	for what, order := range map[string]string{
		"client secret":                         "server first",
		"private_key_jwt key":                   "file first",
		"client certificate":                    "both for a while",
		"certificate authorities of the server": "authorities, server first",
	} {
		t.Run(what+", "+order, func(t *testing.T) {
			t.Parallel()
			var r *rotating
			w := start(t, func(c *config.Config) { r = rotate[what](t, c) })
			w.ask(t, "a-token")
			var tokens []string
			for n := range 20 { // concurrent requests with one token share one introspection request
				tokens = append(tokens, fmt.Sprintf("good-%d", n))
			}
			l := w.traffic(t, 50, tokens...)
			l.goesOn(t, 10)
			for next := 1; next <= rotations; next++ {
				orders[order](t, r, next, w.logger.Count)
				testkit.Eventually(t, "the rotation is over",
					func() bool { return w.logger.Count("credential rotated") >= next })
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
			if w.logger.Has("client-secret-of") || w.logger.Has("BEGIN") {
				t.Error("the log holds a secret")
			}
		})
	}
}
