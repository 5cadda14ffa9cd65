package native_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/native"
)

const question = `{"request":{"method":"GET","url":"/"}}`

const (
	callerKey = "0123456789abcdef-key-of-a-caller"
	otherKey  = "fedcba9876543210-key-of-another"
)

func withKeys(t *testing.T) native.Listener {
	t.Helper()
	cfg := listener()
	cfg.BearerKeysFile = filepath.Join(t.TempDir(), "keys")
	write(t, cfg.BearerKeysFile, "# callers\n"+callerKey+"\r\n\n  "+otherKey+"\n")
	return cfg
}

func TestCallerKeysOpenTheDoor(t *testing.T) {
	s := serve(t, withKeys(t), native.Deps{})
	for _, authorization := range []string{"Bearer " + callerKey, "bearer " + otherKey} {
		resp, body := s.do(t, "POST", "/v1/decisions", question, http.Header{"Content-Type": {"application/json"}, "Authorization": {authorization}})
		if resp.StatusCode != 200 {
			t.Errorf("answered %s %s", resp.Status, body)
		}
	}
}

func TestWithoutCallerKeyTheDoorIsShut(t *testing.T) {
	s := serve(t, withKeys(t), native.Deps{})
	for name, authorization := range map[string][]string{
		"none": nil, "empty": {""}, "no key": {"Bearer "}, "another": {"Bearer " + rawToken}, "a part": {"Bearer " + callerKey[:16]},
		"the comment": {"Bearer # callers"}, "another scheme": {"Basic " + callerKey}, "bare": {callerKey}, "too late": {"Bearer a", "Bearer " + callerKey},
	} {
		for _, place := range []string{"POST /v1/decisions", "POST /v1/decisions/batch", "GET /v1/status", "GET /nowhere", "GET /livez/"} {
			method, path, _ := strings.Cut(place, " ")
			resp, body := s.do(t, method, path, question, http.Header{"Content-Type": {"application/json"}, "Authorization": authorization})
			expectError(t, resp, body, http.StatusUnauthorized, "unauthorized", "")
			if resp.Header.Get("WWW-Authenticate") != `Bearer realm="sidecar"` {
				t.Errorf("%s at %s: WWW-Authenticate %q", name, place, resp.Header.Get("WWW-Authenticate"))
			}
		}
	}
}

func TestProbesNeedNoKey(t *testing.T) {
	s := serve(t, withKeys(t), native.Deps{})
	for _, path := range []string{"/livez", "/readyz"} {
		for _, method := range []string{"GET", "HEAD"} {
			if resp, _ := s.do(t, method, path, "", nil); resp.StatusCode != 200 {
				t.Errorf("%s %s: %s", method, path, resp.Status)
			}
		}
	}
}

func TestHandlersAreNotMadeWithoutTheirKeys(t *testing.T) {
	cfg := listener()
	cfg.BearerKeysFile = filepath.Join(t.TempDir(), "none")
	if _, err := native.API(cfg, native.Deps{}); err == nil {
		t.Error("the api listener has a handler")
	}
	if _, err := native.Admin(cfg, native.Deps{}); err == nil {
		t.Error("the admin listener has a handler")
	}
}

// identity is a self-signed certificate for 127.0.0.1 and its key, in files.
type identity struct {
	cert, key string
	pair      tls.Certificate
	pool      *x509.CertPool
}

func newIdentity(t *testing.T) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	dir := t.TempDir()
	id := identity{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), pool: x509.NewCertPool()}
	write(t, id.cert, string(certPEM))
	write(t, id.key, string(keyPEM))
	id.pool.AppendCertsFromPEM(certPEM)
	if id.pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return id
}

func (s *server) overTLS(cfg *tls.Config) {
	s.url = strings.Replace(s.url, "http://", "https://", 1)
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}
}

func TestTLS(t *testing.T) {
	id, cfg := newIdentity(t), listener()
	cfg.TLS = native.TLS{CertFile: id.cert, KeyFile: id.key}
	s := serve(t, cfg, native.Deps{})
	s.overTLS(&tls.Config{RootCAs: id.pool})
	if got := s.decided(t, "/v1/decisions", question); !got.Allow {
		t.Errorf("answered %+v", got)
	}
	t.Run("old versions are refused", func(t *testing.T) {
		_, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{RootCAs: id.pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		if err == nil {
			t.Error("TLS 1.1 was accepted")
		}
	})
}

func TestClientCertificatesAreRequired(t *testing.T) {
	id, other, cfg := newIdentity(t), newIdentity(t), listener()
	cfg.TLS = native.TLS{CertFile: id.cert, KeyFile: id.key, ClientCAFile: id.cert}
	s := serve(t, cfg, native.Deps{})
	s.overTLS(&tls.Config{RootCAs: id.pool, Certificates: []tls.Certificate{id.pair}})
	if got := s.decided(t, "/v1/decisions", question); !got.Allow {
		t.Errorf("answered %+v", got)
	}
	for name, certs := range map[string][]tls.Certificate{"none": nil, "one of another authority": {other.pair}} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: id.pool, Certificates: certs}}}
		resp, err := client.Get(s.url + "/livez")
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s: answered %s", name, resp.Status)
		}
	}
}

func TestListenRefusesWhatItCannotOpen(t *testing.T) {
	id, dir := newIdentity(t), t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for want, cfg := range map[string]native.Listener{
		"address already in use":    {Address: taken.Addr().String()},
		"load certificate":          {Address: "127.0.0.1:0", TLS: native.TLS{CertFile: id.key, KeyFile: id.cert}},
		"no such file or directory": {Address: "unix://" + dir + "/none/api.sock"},
		"is not octal":              {Address: "unix://" + dir + "/api.sock?mode=rw"},
		"invalid URL escape":        {Address: "unix://" + dir + "/%zz"},
	} {
		ln, err := native.Listen(cfg)
		if err == nil {
			ln.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", cfg.Address, err, want)
		}
	}
}

func socket(t *testing.T) (path string, cfg native.Listener) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg = listener()
	path = filepath.Join(dir, "api.sock")
	cfg.Address = "unix://" + path
	return path, cfg
}

func (s *server) overUnix(path string) {
	s.url = "http://sidecar"
	s.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
}

func TestUnixSocketHasItsMode(t *testing.T) {
	for query, want := range map[string]os.FileMode{"": 0o660, "?mode=0600": 0o600, "?mode=666": 0o666} {
		path, cfg := socket(t)
		cfg.Address += query
		s := serve(t, cfg, native.Deps{})
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q: mode %o, want %o", query, got, want)
		}
		s.overUnix(path)
		if got := s.decided(t, "/v1/decisions", question); !got.Allow {
			t.Errorf("answered %+v", got)
		}
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path, cfg := socket(t)
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	_ = old.Close()
	s := serve(t, cfg, native.Deps{})
	s.overUnix(path)
	if resp, _ := s.do(t, "GET", "/livez", "", nil); resp.StatusCode != 200 {
		t.Errorf("answered %s", resp.Status)
	}
}

func TestLiveSocketIsLeftAlone(t *testing.T) {
	path, cfg := socket(t)
	s := serve(t, cfg, native.Deps{})
	if ln, err := native.Listen(cfg); err == nil || !strings.Contains(err.Error(), "another process answers there") {
		t.Fatalf("listened on %v: %v", ln, err)
	}
	s.overUnix(path)
	if resp, _ := s.do(t, "GET", "/livez", "", nil); resp.StatusCode != 200 {
		t.Errorf("answered %s", resp.Status)
	}
}

func TestFileThatIsNoSocketIsLeftAlone(t *testing.T) {
	path, cfg := socket(t)
	write(t, path, "precious")
	if _, err := native.Listen(cfg); err == nil {
		t.Error("listened")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file holds %q: %v", b, err)
	}
}

func TestSocketIsGoneAfterTheStop(t *testing.T) {
	path, cfg := socket(t)
	s := serve(t, cfg, native.Deps{})
	s.overUnix(path)
	if resp, _ := s.do(t, "GET", "/livez", "", nil); resp.StatusCode != 200 {
		t.Errorf("answered %s", resp.Status)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is there: %v", err)
	}
}

// TestSilentConnectionDoesNotHoldUpTheStop: net/http alone waits five seconds for a connection that never asked.
func TestSilentConnectionDoesNotHoldUpTheStop(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	address := strings.TrimPrefix(s.url, "http://")
	for range 3 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if resp, _ := s.do(t, "GET", "/livez", "", nil); resp.StatusCode != 200 { // all before it are accepted
		t.Errorf("answered %s", resp.Status)
	}
	begun := time.Now()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took >= 4*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

func TestCallUnderWayIsAnsweredAtTheStop(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s := serve(t, listener(), native.Deps{Point: point{func(context.Context, authz.Query) authz.Decision {
		close(arrived)
		<-release
		return authz.Decision{ID: "under way", Kind: authz.Deny, Status: 403}
	}}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(question), question)
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	for { // the door is shut
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break
		}
		c.Close()
	}
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil || !strings.Contains(body.String(), "under way") {
		t.Errorf("answered %s: %v", body.String(), err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
