package oauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func certified(t *testing.T, u *idp, p testkit.Certificate) oauth.Config {
	cfg := u.config(t)
	cfg.Client = oauth.Client{
		Auth: "tls_client_auth", ID: testID, CertificateFile: testkit.TempFile(t, "client.pem", p.PEM()),
		CertificateKey: testkit.SecretFile(t, p.KeyPEM(t)),
	}
	return cfg
}

func TestMTLS1_TheClientIDIsAlwaysSaid(t *testing.T) {
	u := serve(t, active)
	p := testkit.SelfSigned(t)
	for _, auth := range []string{"tls_client_auth", "self_signed_tls_client_auth"} {
		cfg := certified(t, u, p)
		cfg.Client.Auth = auth
		q := u.observed(t, cfg)
		if q.form.Get("client_id") != testID || len(q.form) != 2 {
			t.Errorf("%s: form %v", auth, q.form)
		}
		if certs := q.TLS.PeerCertificates; len(certs) != 1 || !certs[0].Equal(p.Leaf) {
			t.Errorf("%s: %d certificates", auth, len(certs))
		}
	}
}

func TestMTLS1_ACertificateOfAnAuthorityTheServerDoesNotNameIsShown(t *testing.T) {
	names := x509.NewCertPool()
	names.AddCert(testkit.SelfSigned(t).Leaf)
	u := serveTLS(t, &tls.Config{ClientAuth: tls.RequestClientCert, ClientCAs: names}, active)
	if q := u.observed(t, certified(t, u, testkit.SelfSigned(t))); len(q.TLS.PeerCertificates) != 1 {
		t.Error("not shown")
	}
}

func TestMTLS1_ACertificateRefusedInTheHandshakeIsMisconfigured(t *testing.T) {
	names := x509.NewCertPool()
	names.AddCert(testkit.SelfSigned(t).Leaf)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		u := serveTLS(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: names,
			MaxVersion: version}, active)
		_, err := ask(t.Context(), open(t, certified(t, u, testkit.SelfSigned(t))))
		// Who hangs up may do so before it is read why.
		if version == tls.VersionTLS12 && authz.KindOf(err) != authz.Misconfigured || err == nil {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

// aliased is a server with metadata whose alias of the introspection endpoint is as given.
func aliased(t *testing.T, alias func(base string) string) *idp {
	var u *idp
	u = serve(t, func(w http.ResponseWriter, q seen) {
		if !strings.HasPrefix(q.URL.Path, "/.well-known/") {
			says(w, 200, `{"active":true,"access_token":"rs","token_type":"Bearer","expires_in":300}`)
			return
		}
		says(w, 200,
			fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":%q,"token_endpoint":%q,"mtls_endpoint_aliases":%s}`,
				u.URL, u.URL+"/introspect", u.URL+"/token", alias(u.URL)))
	})
	return u
}

func both(base string) string {
	return fmt.Sprintf(`{"introspection_endpoint":%q,"token_endpoint":%q}`, base+"/mtls/introspect",
		base+"/mtls/token")
}

func discovered(cfg oauth.Config) oauth.Config {
	cfg.IntrospectionEndpoint = ""
	return cfg
}

func (s *idp) last() seen { all := s.requests(); return all[len(all)-1] }

func TestMTLS2_AliasesAreForClientsWithACertificate(t *testing.T) {
	u := aliased(t, both)
	answered(t, open(t, discovered(certified(t, u, testkit.SelfSigned(t)))))
	if got := u.last().URL.Path; got != "/mtls/introspect" {
		t.Errorf("asked at %s", got)
	}
	answered(t, open(t, discovered(u.config(t))))
	if got := u.last().URL.Path; got != "/introspect" {
		t.Errorf("without a certificate at %s", got)
	}
}

func TestMTLS2_AnEndpointWithoutAliasIsTheUsualOne(t *testing.T) {
	for _, aliases := range []string{`{}`, `null`, `{"token_endpoint":"https://elsewhere.example/t"}`} {
		u := aliased(t, func(string) string { return aliases })
		answered(t, open(t, discovered(certified(t, u, testkit.SelfSigned(t)))))
		if got := u.last().URL.Path; got != "/introspect" {
			t.Errorf("%s: asked at %s", aliases, got)
		}
	}
}

func TestMTLS2_AConfiguredEndpointWins(t *testing.T) {
	u := aliased(t, both)
	if got := u.observed(t, certified(t, u, testkit.SelfSigned(t))).URL.Path; got != "/introspect" {
		t.Errorf("asked at %s", got)
	}
}

func TestMTLS2_MD4_AliasesAreBelievedNoMoreThanEndpoints(t *testing.T) {
	for name, alias := range map[string]func(string) string{
		"another host": func(string) string { return `{"introspection_endpoint":"https://evil.example/i"}` },
		"plain http": func(base string) string {
			return fmt.Sprintf(`{"introspection_endpoint":%q}`, strings.Replace(base, "https", "http", 1)+"/i")
		},
		"no URL":       func(string) string { return `{"introspection_endpoint":7}` },
		"no object":    func(string) string { return `["https://evil.example/i"]` },
		"relative URL": func(string) string { return `{"introspection_endpoint":"/i"}` },
	} {
		u := aliased(t, alias)
		cfg := discovered(certified(t, u, testkit.SelfSigned(t)))
		cfg.AllowInsecureHTTP = true
		if _, err := ask(t.Context(), open(t, cfg)); authz.KindOf(err) != authz.Misconfigured {
			t.Errorf("%s: %v", name, err)
		}
		for _, q := range u.requests() {
			if q.form.Has("token") {
				t.Errorf("%s: the token was sent", name)
			}
		}
	}
}

func TestMTLS2_EndpointHostsPermitTheHostOfAnAlias(t *testing.T) {
	elsewhere := serve(t, active)
	u := aliased(t, func(string) string { return fmt.Sprintf(`{"introspection_endpoint":%q}`, elsewhere.URL+"/i") })
	cfg := discovered(certified(t, u, testkit.SelfSigned(t)))
	cfg.EndpointHosts = []string{strings.TrimPrefix(elsewhere.URL, "https://")}
	cfg.CAFile = testkit.TempFile(t, "ca.pem", testkit.CertificatePEM(u.Certificate())+
		testkit.CertificatePEM(elsewhere.Certificate()))
	answered(t, open(t, cfg))
	if len(elsewhere.requests()) != 1 {
		t.Error("not asked there")
	}
}

func TestMTLS2_TheTokenIsGotAtTheAliasToo(t *testing.T) {
	u := aliased(t, both)
	cfg := discovered(certified(t, u, testkit.SelfSigned(t)))
	cfg.Client.Auth, cfg.Client.TokenAuth = "client_credentials", "tls_client_auth"
	answered(t, open(t, cfg))
	paths := ""
	for _, q := range u.requests()[1:] {
		paths += q.URL.Path + " "
		if len(q.TLS.PeerCertificates) != 1 {
			t.Errorf("%s without a certificate", q.URL.Path)
		}
	}
	if paths != "/mtls/token /mtls/introspect " {
		t.Errorf("asked at %s", paths)
	}
}

func TestINT4_AnUnknownCertificateIsMisconfigured(t *testing.T) {
	u := serve(t, active)
	cfg := u.config(t)
	cfg.CAFile = ""
	if _, err := ask(t.Context(), open(t, cfg)); authz.KindOf(err) != authz.Misconfigured ||
		!strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("%v", err)
	}
	if len(u.requests()) != 0 {
		t.Error("the token was sent")
	}
}

func TestINT4_ACertificateForAnotherHostIsMisconfigured(t *testing.T) {
	u := serve(t, active)
	cfg := u.config(t)
	cfg.IntrospectionEndpoint = strings.Replace(u.URL, "127.0.0.1", "localhost", 1)
	if _, err := ask(t.Context(), open(t, cfg)); authz.KindOf(err) != authz.Misconfigured ||
		!strings.Contains(err.Error(), `not valid for "localhost"`) {
		t.Errorf("%v", err)
	}
}
