//go:build real

package realtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

const identityPolicy = `package authz

# METADATA
# entrypoint: true
decision := {"allow": true, "upstream_token": {"sub": input.token.subject.id}} if input.token.active

else := true if input.request.path == "/open"

else := false
`

// keyFile is the file of a new private key.
func keyFile(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return testkit.TempFile(t, "identity.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// signingSidecar is one behind nginx that signs identities, and how applications reach its public paths.
type signingSidecar struct {
	*sidecar
	issuer string // of the identities
	bearer string // of a client
}

func startSigning(t *testing.T, door string) *signingSidecar {
	t.Helper()
	var api atomic.Pointer[url.URL]
	public := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(api.Load()) }})
	t.Cleanup(public.Close)
	s := &signingSidecar{sidecar: &sidecar{}, issuer: public.URL + "/identity"}
	as := authserver.Start(t, devissuer.Config{
		ResourceServers: []devissuer.ResourceServer{{ID: "orders-api", Secret: secret.New("password")}}})
	s.bearer = authserver.Issue(t, as, devissuer.Grant{ClientID: "web", Subject: gatewaySubject,
		Audience: []string{"orders-api"}, Scopes: []string{"things:read"}})
	policies := filepath.Dir(testkit.TempFile(t, "decision.rego", identityPolicy))
	files := pageFiles(t, "nginx.md")
	configuration := strings.ReplaceAll(files["sidecar.yaml"], "/run/secrets/introspection",
		testkit.TempFile(t, "secret", "password"))
	cmd := exec.Command(binary, "serve", "--config", testkit.TempFile(t, "sidecar.yaml", configuration))
	for name, value := range map[string]string{
		"LISTEN_API_ADDRESS": "127.0.0.1:0", "LISTEN_ADMIN_ADDRESS": "127.0.0.1:0",
		"LISTEN_FORWARD_AUTH_0_ADDRESS": door, "ISSUERS_0_ISSUER": as.Issuer(),
		"ISSUERS_0_ALLOW_INSECURE_HTTP": "true", "POLICIES_PATHS": policies, "DECISION_TOKEN": "optional",
		"UPSTREAM_TOKEN_KEY_FILES": keyFile(t), "UPSTREAM_TOKEN_ISSUER": s.issuer, "UPSTREAM_TOKEN_AUDIENCE": "orders",
		"TELEMETRY_LOG_FORMAT": "json",
	} {
		cmd.Env = append(cmd.Env, "SIDECAR_"+name+"="+value)
	}
	s.process = start(t, "sidecar", cmd)
	s.await(t, 30*time.Second, s.findAddresses)
	s.await(t, 30*time.Second, func() bool { return responds(s.api + "/readyz") })
	address, err := url.Parse(s.api)
	if err != nil {
		t.Fatal(err)
	}
	api.Store(address)
	return s
}

// verifyByThePage runs what the page shows for Python with the metadata of an issuer. It returns the subject of a
// token, or the name of the exception.
func verifyByThePage(t *testing.T, issuer, token, audience string) string {
	t.Helper()
	block := regexp.MustCompile("(?ms)^```python\n(import json.*?)^```$").
		FindStringSubmatch(testkit.ReadFile(t, "../../docs/upstream-token.md"))
	if block == nil {
		t.Fatal("the page shows no program that reads the metadata")
	}
	program := strings.Replace(block[1], "http://127.0.0.1:8181/identity", issuer, 1) + `
import sys
try:
    print(identity(sys.argv[1], sys.argv[2])["sub"])
except jwt.PyJWTError as e:
    print(type(e).__name__)
`
	out, err := exec.Command(filepath.Join(pythonEnvironment(t, "mcp-python"), "bin", "python"), "-c", program, token,
		audience).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestAnApplicationVerifiesTheIdentityByTheIssuerAlone(t *testing.T) {
	at := places{listen: testkit.HoldPort(t).Addr(), sidecar: testkit.HoldPort(t).Addr()}
	app := startApplication(t)
	at.application = app.address()
	s := startSigning(t, at.sidecar)
	other := startSigning(t, testkit.HoldPort(t).Addr())
	at.api = strings.TrimPrefix(s.api, "http://")
	nginx := startNginx(t, pageFiles(t, "nginx.md"), at)
	nginx.await(t, 30*time.Second, func() bool { return listens(at.listen) })
	// seen is the identity that comes to the application with a request whose client writes one of its own.
	seen := func(target, bearer string) string {
		t.Helper()
		q := wireRequest{target: target, header: []field{{"X-Identity-Token", "mallory"},
			{"x-identity-token", "mallory-2"}}}
		if bearer != "" {
			q.header = append(q.header, field{"Authorization", "Bearer " + bearer})
		}
		before := len(app.requests())
		a := q.exchange(t, at.listen)
		got := app.requests()[before:]
		if a.status != http.StatusOK || len(got) != 1 || len(got[0].values("X-Identity-Token")) > 1 {
			t.Fatalf("the client gets %d, the application %v", a.status, got)
		}
		return got[0].value("X-Identity-Token")
	}
	if got := seen("/open", ""); got != "" {
		t.Errorf("without a token of the client, the application gets %q", got)
	}
	token := seen("/things", s.bearer)
	if got := verifyByThePage(t, s.issuer, token, "orders"); got != gatewaySubject {
		t.Errorf("the application reads %q", got)
	}
	if got := verifyByThePage(t, s.issuer, token, "billing"); got != "InvalidAudienceError" {
		t.Errorf("another application reads %q", got)
	}
	if got := verifyByThePage(t, other.issuer, token, "orders"); got != "PyJWKClientError" {
		t.Errorf("by the keys of another sidecar, the application reads %q", got)
	}
}
