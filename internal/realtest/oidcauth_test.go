//go:build real

package realtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// authenticated asks by each method that the server knows, rightly and wrongly, and names those that worked.
func (p *oidcProvider) authenticated(t *testing.T) string {
	dir := t.TempDir()
	key := func(name string, k *ecdsa.PrivateKey) string {
		text := testkit.KeyPEM(t, k)
		return testkit.WriteFile(t, filepath.Join(dir, name), text)
	}
	secret := credential{client: "secret: {env: CLIENT_SECRET}"}
	keyed := func(k *ecdsa.PrivateKey, name string) credential {
		return credential{client: fmt.Sprintf("key: {file: %q}", key(name, k))}
	}
	var worked []string
	for _, c := range []struct {
		method, id, secret string
		right, wrong       credential
	}{
		{"client_secret_basic", p.api.id, p.api.secret, secret, credential{}},
		{"client_secret_post", p.api.id, p.api.secret, secret, credential{}},
		{"client_secret_jwt", p.secretJWT.id, p.secretJWT.secret, secret, credential{}},
		{"private_key_jwt", p.keyJWT.id, "", keyed(p.keyJWT.key, "right"), keyed(testkit.NewKey(t), "wrong")},
		{
			"tls_client_auth", p.tls.id, "", p.showingFiles(t, dir, p.tls.certificate),
			p.showingFiles(t, filepath.Join(dir, "other"), p.ca.Client(t, "other.acme.example")),
		},
		{
			"self_signed_tls_client_auth", p.selfSigned.id, "",
			p.showingFiles(t, filepath.Join(dir, "self"), p.selfSigned.certificate),
			p.showingFiles(t, filepath.Join(dir, "self-other"),
				testkit.SelfSignedAs(t, testkit.ClientTemplate("sidecar"))),
		},
	} {
		s := setup{issuer: p.clientWith(c.method, c.id, c.right), secret: c.secret}
		if a := startSidecar(t, p.vault, s).decide(t, get(p.service(t, ours))); a.String() != "allow 200" {
			t.Errorf("%s: %s, want allow 200", c.method, a)
			continue
		}
		worked = append(worked, c.method)
		if c.wrong == (credential{}) {
			s.secret = p.vault.secret("wrong secret")
		} else {
			s.issuer = p.clientWith(c.method, c.id, c.wrong)
		}
		if a := startSidecar(t, p.vault, s).decide(t,
			get(p.service(t, ours))); a.String() != "misconfigured 503 misconfigured" {
			t.Errorf("%s, wrong: %s, want misconfigured 503", c.method, a)
		}
	}
	return strings.Join(worked, ", ")
}

// credential is what proves who the sidecar is, in the words of the configuration: of client, and of the issuer around
// it.
type credential struct{ client, issuer string }

// clientWith is an issuer who is asked by a method. Nothing is kept, so that each decision asks.
func (p *oidcProvider) clientWith(method, id string, c credential) string {
	with := p.issuerWith(fmt.Sprintf("    client: {id: %q, auth: %s, %s}\n%s", id, method, c.client, c.issuer))
	return strings.Replace(with, "ttl: 1s", "ttl: 0s", 1)
}

// showingFiles writes a certificate and its key to dir, for the secure listener, which the metadata name. Its port is
// not the issuer's.
func (p *oidcProvider) showingFiles(t *testing.T, dir string, c testkit.Certificate) credential {
	t.Helper()
	u, err := url.Parse(p.secure)
	if err != nil {
		t.Fatal(err)
	}
	root := p.ca.PEM()
	certificate, key := c.PEM(), c.KeyPEM(t)
	return credential{
		client: fmt.Sprintf("certificate_file: %q, certificate_key: {file: %q}",
			testkit.WriteFile(t, filepath.Join(dir, "client.crt"), certificate),
			testkit.WriteFile(t, filepath.Join(dir, "client.key"), key)),
		issuer: fmt.Sprintf("    ca_file: %q\n    endpoint_hosts: [%q]",
			testkit.WriteFile(t, filepath.Join(dir, "ca.crt"), root), u.Host),
	}
}

// rotatedKey replaces the file of a private key while it is in use, by one that the server knows and by one that it
// does not. No request feels either.
func (p *oidcProvider) rotatedKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "client.pem")
	replace := func(k *ecdsa.PrivateKey) {
		text := testkit.KeyPEM(t, k)
		move(t, file, text)
	}
	replace(p.keyJWT.key)
	sc := startSidecar(t, p.vault, setup{issuer: p.clientWith("private_key_jwt", p.keyJWT.id,
		credential{client: fmt.Sprintf("key: {file: %q}", file)})})
	l := p.load(t, sc)
	replace(p.keyJWT.next)
	sc.awaitLogged(t, "credential rotated")
	replace(testkit.NewKey(t))
	sc.awaitLogged(t, "new credential refused, the former one is used")
	l.finish(t)
}

// rotatedCertificate replaces a certificate and its key, one file after the other, by another pair of the same name.
func (p *oidcProvider) rotatedCertificate(t *testing.T) {
	dir := t.TempDir()
	sc := startSidecar(t, p.vault, setup{issuer: p.clientWith("tls_client_auth", p.tls.id,
		p.showingFiles(t, dir, p.tls.certificate))})
	l := p.load(t, sc)
	pair := p.ca.Client(t, p.tls.certificate.Leaf.DNSNames[0])
	certificate, key := pair.PEM(), pair.KeyPEM(t)
	move(t, filepath.Join(dir, "client.crt"), certificate)
	move(t, filepath.Join(dir, "client.key"), key)
	sc.awaitLogged(t, "credential rotated")
	l.finish(t)
}

// rotatedAuthority replaces the authority that vouches for the server, first in the file and then at a gateway before
// the server, which begins each connection anew.
func (p *oidcProvider) rotatedAuthority(t *testing.T) {
	former, next := testkit.NewAuthority(t), testkit.NewAuthority(t)
	var shown atomic.Pointer[testkit.Certificate]
	show := func(a testkit.Authority) { c := a.Server(t); shown.Store(&c) }
	show(former)
	target, err := url.Parse(p.issuer)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(r *httputil.ProxyRequest) { r.SetURL(target) }
	gateway := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: rewrite})
	gateway.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{shown.Load().Certificate}}, nil
	}}
	gateway.Config.SetKeepAlivesEnabled(false)
	gateway.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that the sidecar gave up are no news
	gateway.StartTLS()
	t.Cleanup(gateway.Close)

	file := filepath.Join(t.TempDir(), "ca.crt")
	trust := func(a testkit.Authority) { move(t, file, a.PEM()) }
	trust(former)
	sc := startSidecar(t, p.vault, setup{secret: p.api.secret,
		issuer: p.clientWith("client_secret_basic", p.api.id, credential{
			client: "secret: {env: CLIENT_SECRET}",
			issuer: fmt.Sprintf("    introspection_endpoint: %q\n    ca_file: %q", gateway.URL+"/token/introspection",
				file),
		})})
	l := p.load(t, sc)
	trust(next)
	sc.awaitLogged(t, "new credential refused, the former one is used")
	show(next)
	sc.awaitLogged(t, "credential rotated")
	l.finish(t)
}

// move puts a file in place as a whole, as those do who rotate.
func move(t *testing.T, file, text string) {
	t.Helper()
	if err := os.Rename(testkit.WriteFile(t, file+".new", text), file); err != nil {
		t.Fatal(err)
	}
}

// awaitLogged waits until the sidecar has logged a message.
func (sc *sidecar) awaitLogged(t *testing.T, message string) {
	t.Helper()
	testkit.Within(t, 10*time.Second, "see "+message+" in the log",
		func() bool { return bytes.Contains([]byte(testkit.ReadFile(t, sc.stderr)), []byte(message)) })
}

// load asks about good tokens all the time.
type load struct {
	stop    chan struct{}
	done    sync.WaitGroup
	allowed atomic.Int64
}

func (p *oidcProvider) load(t *testing.T, sc *sidecar) *load {
	t.Helper()
	l := &load{stop: make(chan struct{})}
	for range 2 {
		token := p.service(t, ours)
		l.done.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				if a := sc.decide(t, get(token)); a.String() != "allow 200" {
					t.Errorf("under load: %s, want allow 200", a)
				}
				l.allowed.Add(1)
			}
		})
	}
	t.Cleanup(l.end)
	testkit.Within(t, 10*time.Second, "see the load begin", func() bool { return l.allowed.Load() > 20 })
	return l
}

func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.done.Wait()
}

// finish lets some more requests pass, and ends.
func (l *load) finish(t *testing.T) {
	t.Helper()
	so := l.allowed.Load()
	testkit.Within(t, 10*time.Second, "see the load go on", func() bool { return l.allowed.Load() > so+20 })
	l.end()
	t.Logf("%d requests under load", l.allowed.Load())
}
