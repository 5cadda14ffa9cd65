package oauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// rotating is something that rotates: a server that takes some generations of it, and a client whose files hold one.
type rotating struct {
	cfg    oauth.Config
	write  func(generation int)
	takes  atomic.Pointer[[]int]
	mu     sync.Mutex
	served map[int]int // requests answered by generation
	denied map[int]int // and refused; -1 is an unknown one
}

func (r *rotating) accept(generations ...int) { r.takes.Store(&generations) }

// judge counts a request that was made with a generation, and reports whether the server takes it.
func (r *rotating) judge(generation int) bool {
	ok := slices.Contains(*r.takes.Load(), generation)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok {
		r.served[generation]++
	} else {
		r.denied[generation]++
	}
	return ok
}

func (r *rotating) count(m map[int]int, generation int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m[generation]
}

// start is a server that finds out the generation by which.
func (r *rotating) start(t *testing.T, status int, code string, which func(q seen) int) *idp {
	return r.startTLS(t, &tls.Config{ClientAuth: tls.RequestClientCert}, status, code, which)
}

func (r *rotating) startTLS(t *testing.T, c *tls.Config, status int, code string, which func(q seen) int) *idp {
	r.served, r.denied = map[int]int{}, map[int]int{}
	r.accept(0)
	u := serveTLS(t, c, func(w http.ResponseWriter, q seen) {
		if g := which(q); g == unjudged || r.judge(g) {
			says(w, 200, `{"active":true,"access_token":"rs","token_type":"Bearer","expires_in":1}`)
		} else {
			says(w, status, fmt.Sprintf(`{"error":%q}`, code))
		}
	})
	r.cfg = u.config(t)
	return u
}

// unjudged is the generation of a request that is taken whatever it shows.
const unjudged = -2

func secretOf(generation int) string {
	return fmt.Sprintf("%d-secret-that-is-long-enough-for-hs256", generation)
}

func generationOf(text string) int {
	n := -1
	_, _ = fmt.Sscanf(text, "%d-secret", &n)
	return n
}

// kinds make what rotates, each at generation 0.
var kinds = map[string]func(t *testing.T) *rotating{
	"secret": func(t *testing.T) *rotating {
		r := &rotating{}
		r.start(t, 401, "invalid_client", func(q seen) int {
			_, password, _ := q.BasicAuth()
			return generationOf(password)
		})
		r.cfg.Client.Secret = testkit.SecretFile(t, secretOf(0))
		r.write = func(g int) { testkit.WriteFile(t, r.cfg.Client.Secret.File, secretOf(g)) }
		return r
	},
	"bearer": func(t *testing.T) *rotating {
		r := &rotating{}
		r.start(t, 403, "insufficient_scope", func(q seen) int {
			return generationOf(strings.TrimPrefix(q.Header.Get("Authorization"), "Bearer "))
		})
		r.cfg.Client = oauth.Client{Auth: "bearer", Secret: testkit.SecretFile(t, secretOf(0))}
		r.write = func(g int) { testkit.WriteFile(t, r.cfg.Client.Secret.File, secretOf(g)) }
		return r
	},
	"client_credentials": func(t *testing.T) *rotating {
		r := &rotating{}
		u := r.start(t, 401, "invalid_client", func(q seen) int {
			if q.URL.Path != "/token" {
				return unjudged
			}
			return generationOf(q.form.Get("client_secret"))
		})
		r.cfg.Client = oauth.Client{Auth: "client_credentials", TokenAuth: "client_secret_post", ID: testID,
			Secret: testkit.SecretFile(t, secretOf(0))}
		r.cfg.TokenEndpoint = u.URL + "/token"
		r.write = func(g int) { testkit.WriteFile(t, r.cfg.Client.Secret.File, secretOf(g)) }
		return r
	},
	"client_secret_jwt": func(t *testing.T) *rotating {
		r := &rotating{}
		r.start(t, 400, "unauthorized_client", func(q seen) int { // as Keycloak says it
			return signedBy(q, []gojose.SignatureAlgorithm{"HS256"}, func(g int) any { return []byte(secretOf(g)) })
		})
		r.cfg.Client.Auth, r.cfg.Client.Secret = "client_secret_jwt", testkit.SecretFile(t, secretOf(0))
		r.write = func(g int) { testkit.WriteFile(t, r.cfg.Client.Secret.File, secretOf(g)) }
		return r
	},
	"private_key_jwt": func(t *testing.T) *rotating {
		r := &rotating{}
		keys := pairs(t)
		r.start(t, 400, "invalid_client", func(q seen) int {
			return signedBy(q, []gojose.SignatureAlgorithm{"ES256"}, func(g int) any { return keys[g].Leaf.PublicKey })
		})
		r.cfg.Client = oauth.Client{Auth: "private_key_jwt", ID: testID, Key: testkit.SecretFile(t, keys[0].KeyPEM(t))}
		r.write = func(g int) { testkit.WriteFile(t, r.cfg.Client.Key.File, keys[g].KeyPEM(t)) }
		return r
	},
	"certificate": func(t *testing.T) *rotating {
		r := &rotating{}
		certificates := pairs(t)
		r.start(t, 401, "invalid_client", func(q seen) int {
			return slices.IndexFunc(certificates, func(p testkit.Certificate) bool {
				return p.Leaf.Equal(q.TLS.PeerCertificates[0])
			})
		})
		r.certified(t, certificates)
		return r
	},
	"certificate in the handshake": func(t *testing.T) *rotating {
		r := &rotating{}
		certificates := pairs(t)
		which := func(raw []byte) int {
			return slices.IndexFunc(certificates, func(p testkit.Certificate) bool {
				return slices.Equal(p.Leaf.Raw, raw)
			})
		}
		c := &tls.Config{ClientAuth: tls.RequireAnyClientCert,
			VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
				if g := which(raw[0]); !slices.Contains(*r.takes.Load(), g) && !r.judge(g) {
					return errors.New("not this one")
				}
				return nil
			}}
		u := r.startTLS(t, c, 401, "", func(q seen) int { return which(q.TLS.PeerCertificates[0].Raw) })
		u.Config.SetKeepAlivesEnabled(false) // or there would be no more handshakes
		r.certified(t, certificates)
		return r
	},
}

const rotations = 3

func pairs(t *testing.T) []testkit.Certificate {
	all := make([]testkit.Certificate, 0, rotations+2)
	for range rotations + 2 {
		all = append(all, testkit.SelfSigned(t))
	}
	return all
}

func (r *rotating) certified(t *testing.T, certificates []testkit.Certificate) {
	r.cfg.Client = oauth.Client{
		Auth: "self_signed_tls_client_auth", ID: testID,
		CertificateFile: testkit.TempFile(t, "c.pem", certificates[0].PEM()),
		CertificateKey:  testkit.SecretFile(t, certificates[0].KeyPEM(t)),
	}
	r.write = func(g int) {
		testkit.WriteFile(t, r.cfg.Client.CertificateFile, certificates[g].PEM())
		testkit.WriteFile(t, r.cfg.Client.CertificateKey.File, certificates[g].KeyPEM(t))
	}
}

func signedBy(q seen, algs []gojose.SignatureAlgorithm, key func(int) any) int {
	signed, err := gojose.ParseSignedCompact(q.form.Get("client_assertion"), algs)
	if err != nil {
		return -1
	}
	for g := range rotations + 2 {
		if _, err := signed.Verify(key(g)); err == nil {
			return g
		}
	}
	return -1
}
