package source_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/bundleserver"
)

// demanding is a server that gives its archive to requests with a header.
func demanding(t *testing.T, header string) *bundleserver.Server {
	t.Helper()
	srv, raw := bundleserver.Start(t), orders(t, "1", "one")
	srv.Fail(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != header {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(raw)
	})
	return srv
}

func TestClient_AuthenticatesByBasicAndBearer(t *testing.T) {
	for _, c := range []struct{ auth, secret, header string }{
		{oauth.ClientSecretBasic, "the-secret", "Basic c2lkZWNhcjp0aGUtc2VjcmV0"},
		{"bearer", "the-secret", "Bearer the-secret"},
	} {
		srv := demanding(t, c.header)
		s := open(t, configured(srv.URL, func(cfg *source.Config) {
			cfg.Client.Auth, cfg.Client.Secret = c.auth, secret.Source{File: testkit.TempFile(t, "secret", c.secret)}
			if c.auth != "bearer" {
				cfg.Client.ID = "sidecar"
			}
		}))
		s.becomes(t, "one")
		refused := open(t, configured(srv.URL, nil))
		if got := refused.holds(); !strings.Contains(got, "status 401, it does not let the sidecar read the archive") {
			t.Errorf("problems %s", got)
		}
	}
}

func TestClient_RotatesItsSecret(t *testing.T) {
	srv, file := bundleserver.Start(t), testkit.TempFile(t, "secret", "first")
	var want atomic.Value
	want.Store("Bearer first")
	raw := orders(t, "1", "one")
	srv.Fail(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != want.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(raw)
	})
	s := open(t, configured(srv.URL, func(c *source.Config) {
		c.Client.Auth, c.Client.Secret = "bearer", secret.Source{File: file}
	})).run(t)
	want.Store("Bearer second")
	testkit.WriteFile(t, file, "second")
	before := time.Now()
	testkit.Eventually(t, "it is confirmed with the new secret", func() bool {
		return s.Status()[0].Confirmed.After(before) && s.Status()[0].Healthy
	})
	if s.log.Has("second") {
		t.Errorf("log:\n%s", s.log)
	}
}

func TestClient_GetsATokenFirst(t *testing.T) {
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token": "t1", "token_type": "Bearer", "expires_in": 600}`))
	}))
	t.Cleanup(tokens.Close)
	srv := demanding(t, "Bearer t1")
	open(t, configured(srv.URL, func(c *source.Config) {
		c.Client.Auth, c.Client.ID, c.TokenEndpoint = oauth.ClientCredentials, "sidecar", tokens.URL+"/token"
		c.Client.Secret = secret.Source{File: testkit.TempFile(t, "secret", "s")}
	})).becomes(t, "one")
}

func TestClient_TrustsTheAuthoritiesOfTheSourceAndShowsItsCertificate(t *testing.T) {
	authority := testkit.NewAuthority(t)
	srv := bundleserver.StartTLS(t, authority.Server(t), authority.Pool())
	srv.Serve(orders(t, "1", "one"))
	ca := testkit.TempFile(t, "ca.pem", authority.PEM())
	certificate, key := authority.Client(t, "sidecar").Files(t)
	open(t, configured(srv.URL, func(c *source.Config) {
		c.AllowInsecureHTTP, c.CAFile = false, ca
		c.Client.Auth, c.Client.ID = "tls_client_auth", "sidecar"
		c.Client.CertificateFile, c.Client.CertificateKey = certificate, secret.Source{File: key}
	})).becomes(t, "one")
	s := open(t, configured(srv.URL, func(c *source.Config) { c.AllowInsecureHTTP = false }))
	if got := s.holds(); !strings.Contains(got, "certificate") {
		t.Errorf("problems %s", got)
	}
}

func TestCloud_SignsRequestsForObjectStores(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")
	t.Setenv("AWS_REGION", "eu-central-1")
	srv, raw := bundleserver.Start(t), orders(t, "1", "one")
	srv.Fail(func(w http.ResponseWriter, r *http.Request) {
		by := r.Header.Get("Authorization")
		if !strings.HasPrefix(by, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") ||
			!strings.Contains(by, "/eu-central-1/s3/aws4_request") || r.Header.Get("X-Amz-Date") == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write(raw)
	})
	cfg := configured(srv.URL+"/bucket/orders.tar.gz", func(c *source.Config) { c.Cloud.Vendor = "aws" })
	open(t, cfg).becomes(t, "one")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	if got := open(t, cfg).holds(); !strings.Contains(got, "no credentials of aws were found: set AWS_ACCESS_KEY_ID") {
		t.Errorf("problems %s", got)
	}
}
