package oauth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// faults returns what Check complains about, "key: cause", in order.
func faults(c oauth.Config) []string {
	var all []string
	conf.Check(c, func(key, cause, _ string) { all = append(all, key+": "+cause) })
	return all
}

func checked(client oauth.Client) oauth.Config {
	return oauth.Config{
		Name: "test", Issuer: "https://as.example", IntrospectionEndpoint: "https://as.example/i", Client: client,
		Timeout: time.Second, MaxResponseBytes: 1 << 20,
	}
}

// everything is a client with all members that are not words of a mode.
func everything() oauth.Client {
	f := secret.Source{File: "f"}
	return oauth.Client{
		ID: "rs", Secret: f, Key: f, KeyID: "k", AssertionAudience: "a", CertificateFile: "c", CertificateKey: f,
		Scope:         []string{"s"},
		BasicEncoding: "raw", SigningAlg: "auto", AssertionType: "JWT", TokenAuth: "client_secret_post",
	}
}

// usesBy lists the members that a method must have, and after the bar those that it may have.
func usesBy() map[string]string {
	return map[string]string{
		"":                                       "id secret|basic_encoding",
		"client_secret_basic":                    "id secret|basic_encoding",
		"client_secret_post":                     "id secret|",
		"client_secret_jwt":                      "id secret|assertion_audience assertion_type",
		"private_key_jwt":                        "id key|key_id assertion_audience assertion_type",
		"tls_client_auth":                        "id certificate_file certificate_key|",
		"self_signed_tls_client_auth":            "id certificate_file certificate_key|",
		"bearer":                                 "secret|id",
		"none":                                   "|id",
		"client_credentials":                     "id secret|basic_encoding scope token_auth",
		"client_credentials client_secret_post":  "id secret|scope token_auth",
		"client_credentials private_key_jwt":     "id key|key_id assertion_audience assertion_type scope token_auth",
		"client_credentials tls_client_auth":     "id certificate_file certificate_key|scope token_auth",
		"client_credentials client_secret_basic": "id secret|basic_encoding scope token_auth",
	}
}

func withMethod(c oauth.Client, method string) oauth.Client {
	c.Auth, c.TokenAuth, _ = strings.Cut(method, " ")
	return c
}

func TestAMethodWantsWhatItNeedsAndNothingElse(t *testing.T) {
	for method, uses := range usesBy() {
		must, may, _ := strings.Cut(uses, "|")
		missing := faults(checked(withMethod(oauth.Client{}, method)))
		for _, m := range strings.Fields(must) {
			if !slices.ContainsFunc(missing, func(f string) bool { return strings.HasPrefix(f, "client."+m+": ") }) {
				t.Errorf("%q does not want %s: %q", method, m, missing)
			}
		}
		if len(missing) != len(strings.Fields(must)) {
			t.Errorf("%q wants more: %q", method, missing)
		}
		surplus := faults(checked(withMethod(everything(), method)))
		var refused []string
		for _, f := range surplus {
			key, cause, _ := strings.Cut(strings.TrimPrefix(f, "client."), ": ")
			if !strings.HasPrefix(cause, "is set, and ") {
				t.Errorf("%q: %s", method, f)
			}
			refused = append(refused, key)
		}
		for _, m := range []string{
			"id", "secret", "key", "key_id", "certificate_file", "certificate_key", "assertion_audience",
			"assertion_type", "basic_encoding", "scope",
		} {
			if taken := slices.Contains(strings.Fields(must+" "+may), m); taken == slices.Contains(refused, m) {
				t.Errorf("%q: %s is taken %t: %q", method, m, !taken, surplus)
			}
		}
	}
}

func TestFaultsOfTheClient(t *testing.T) {
	f := secret.Source{File: "f"}
	two := secret.Source{File: "f", Env: "E"}
	jwt := func(c oauth.Client) oauth.Client { c.ID = "rs"; return c }
	for name, c := range map[string]struct {
		client oauth.Client
		change func(*oauth.Config)
		want   string
	}{
		"an unknown method": {oauth.Client{Auth: "magic", ID: "rs", Secret: f}, nil,
			`client.auth: "magic" is not one of`},
		"an unknown token method": {oauth.Client{Auth: "client_credentials", TokenAuth: "bearer", ID: "rs",
			Secret: f}, nil, `client.token_auth: "bearer" is not one of`},
		"an unknown encoding": {oauth.Client{ID: "rs", Secret: f, BasicEncoding: "rot13"}, nil,
			`client.basic_encoding: "rot13" is not one of`},
		"a colon that Basic cannot carry": {oauth.Client{ID: "rs:1", Secret: f, BasicEncoding: "raw"}, nil,
			"client.id: holds a colon"},
		"a secret in two places": {oauth.Client{ID: "rs", Secret: two}, nil, "client.secret: names both"},
		"a key in two places": {jwt(oauth.Client{Auth: "private_key_jwt", Key: two}), nil,
			"client.key: names both"},
		"a certificate key in two places": {jwt(oauth.Client{Auth: "tls_client_auth", CertificateFile: "c",
			CertificateKey: two}), nil, "client.certificate_key: names both"},
		"a certificate without its key": {jwt(oauth.Client{Auth: "tls_client_auth", CertificateFile: "c"}), nil,
			"client.certificate_key: names neither"},
		"a certificate key without it": {jwt(oauth.Client{Auth: "tls_client_auth", CertificateKey: f}), nil,
			"client.certificate_file: is empty"},
		"an HMAC of a key": {jwt(oauth.Client{Auth: "private_key_jwt", Key: f, SigningAlg: "HS256"}),
			nil, `client.signing_alg: "HS256" needs a shared secret`},
		"a signature of a secret": {jwt(oauth.Client{Auth: "client_secret_jwt", Secret: f,
			SigningAlg: "RS256"}), nil, `client.signing_alg: "RS256" needs a private key`},
		"no algorithm": {jwt(oauth.Client{Auth: "client_secret_jwt", Secret: f,
			SigningAlg: "none"}), nil, `client.signing_alg: "none" is not one of`},
		"a key_id without a key": {jwt(oauth.Client{Secret: f, KeyID: "k"}), nil,
			"client.key_id: is set, and auth client_secret_basic does not use it"},
		"a scope of no grant": {jwt(oauth.Client{Secret: f, Scope: []string{"s"}}), nil,
			"client.scope: is set"},
		"an assertion without audience": {jwt(oauth.Client{Auth: "private_key_jwt", Key: f}),
			func(c *oauth.Config) { c.Issuer = "" }, "client.assertion_audience: neither it nor issuer"},
		"a grant without token endpoint": {jwt(oauth.Client{Auth: "client_credentials", Secret: f}),
			func(c *oauth.Config) { c.Issuer = "" }, "token_endpoint: neither it nor issuer"},
		"a certificate over http": {jwt(oauth.Client{Auth: "tls_client_auth", CertificateFile: "c",
			CertificateKey: f}), func(c *oauth.Config) {
			c.AllowInsecureHTTP, c.IntrospectionEndpoint = true,
				"http://127.0.0.1/i"
		}, "introspection_endpoint: is not https, and"},
		"a token endpoint over http": {jwt(oauth.Client{Auth: "client_credentials", Secret: f}),
			func(c *oauth.Config) { c.TokenEndpoint = "http://as.example/t" }, "token_endpoint: is not https"},
		"keys over http": {jwt(oauth.Client{Secret: f}),
			func(c *oauth.Config) { c.JWKSURI = "http://as.example/keys" }, "jwks_uri: is not https"},
		"a grant discovered at plain http": {jwt(oauth.Client{Auth: "client_credentials", Secret: f}),
			func(c *oauth.Config) { c.Issuer = "http://as.example" }, "issuer: is not https"},
		"a grant known, an issuer compared": {jwt(oauth.Client{Auth: "client_credentials", Secret: f}),
			func(c *oauth.Config) { c.Issuer, c.TokenEndpoint = "http://as.example", "https://as.example/t" }, ""},
	} {
		cfg := checked(c.client)
		if c.change != nil {
			c.change(&cfg)
		}
		got := faults(cfg)
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestNewRefusesWhatItCannotUse(t *testing.T) {
	p, other := testkit.SelfSigned(t), testkit.SelfSigned(t)
	certificate := func(certificate, key string) func(*oauth.Config) {
		return func(c *oauth.Config) {
			c.Client = oauth.Client{Auth: "tls_client_auth", ID: "rs",
				CertificateFile: testkit.TempFile(t, "c.pem", certificate), CertificateKey: testkit.SecretFile(t, key)}
		}
	}
	for name, change := range map[string]func(*oauth.Config){
		"a secret that is not there": func(c *oauth.Config) { c.Client.Secret.File = "/nowhere/at/all" },
		"an empty secret":            func(c *oauth.Config) { c.Client.Secret = testkit.SecretFile(t, "") },
		"a bearer token with a space": func(c *oauth.Config) {
			c.Client = oauth.Client{Auth: "bearer", Secret: testkit.SecretFile(t, "a b")}
		},
		"a key that is none": func(c *oauth.Config) {
			c.Client = oauth.Client{Auth: "private_key_jwt", ID: "rs", Key: testkit.SecretFile(t, "x")}
		},
		"a key of another algorithm": func(c *oauth.Config) {
			c.Client = oauth.Client{Auth: "private_key_jwt", ID: "rs", Key: testkit.SecretFile(t, p.KeyPEM(t)),
				SigningAlg: "RS256"}
		},
		"a certificate and another key":  certificate(p.PEM(), other.KeyPEM(t)),
		"a certificate without a key":    certificate(p.PEM(), "x"),
		"no certificate":                 certificate("x", p.KeyPEM(t)),
		"a certificate chain cut off":    certificate(p.PEM()+other.PEM()[:100], p.KeyPEM(t)),
		"authorities that are not there": func(c *oauth.Config) { c.CAFile = "/nowhere/at/all" },
		"authorities that are none": func(c *oauth.Config) {
			c.CAFile = testkit.TempFile(t, "ca.pem", "no certificate")
		},
		"authorities cut off": func(c *oauth.Config) {
			c.CAFile = testkit.TempFile(t, "ca.pem", p.PEM()+other.PEM()[:100])
		},
		"authorities without end": func(c *oauth.Config) {
			c.CAFile = testkit.TempFile(t, "ca.pem", strings.Repeat("a", 4<<20+1))
		},
		"a folder of authorities": func(c *oauth.Config) { c.CAFile = t.TempDir() },
	} {
		cfg := checked(oauth.Client{ID: "rs", Secret: testkit.SecretFile(t, "s")})
		change(&cfg)
		s, err := oauth.New(cfg, oauth.Deps{})
		if err == nil {
			s.Close()
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "no certificate\n") ||
			strings.Contains(err.Error(), p.KeyPEM(t)[40:60]) {
			t.Errorf("%s is quoted: %v", name, err)
		}
	}
}
