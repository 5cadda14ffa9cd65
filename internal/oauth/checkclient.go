package oauth

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// uses are the members of Client that a method must have, and those that it may have. Any other one that is set is a fault:
// somebody believes that it matters.
type uses struct{ must, may []string }

func usesOf(method string) uses {
	assertion := []string{"signing_alg", "assertion_audience", "assertion_type"}
	switch method {
	case authPost:
		return uses{must: []string{"id", "secret"}}
	case authSecretJWT:
		return uses{must: []string{"id", "secret"}, may: assertion}
	case authPrivateJWT:
		return uses{must: []string{"id", "key"}, may: append(assertion, "key_id")}
	case authTLS, authSelfSigned:
		return uses{must: []string{"id", "certificate_file", "certificate_key"}}
	case authBearer:
		return uses{must: []string{"secret"}, may: []string{"id"}}
	case authNone:
		return uses{may: []string{"id"}}
	}
	return uses{must: []string{"id", "secret"}, may: []string{"basic_encoding"}}
}

// member is one member of Client: whether it is set to something else than its default, what its absence is, and what to do.
type member struct {
	key        string
	set        bool
	cause, fix string
}

func (c Client) members() []member {
	const place = "names neither a file nor an environment variable"
	other := func(value, standard string) bool { return value != "" && value != standard }
	return []member{
		{"id", c.ID != "", "is empty", "name the client that the authorization server knows this sidecar by"},
		{"secret", !c.Secret.IsZero(), place, "set client.secret.file or client.secret.env"},
		{"key", !c.Key.IsZero(), place, "set client.key.file or client.key.env"},
		{"certificate_file", c.CertificateFile != "", "is empty", "name the PEM file of the certificate that the authorization server knows"},
		{"certificate_key", !c.CertificateKey.IsZero(), place, "set client.certificate_key.file or client.certificate_key.env"},
		{"key_id", c.KeyID != "", "", ""},
		{"signing_alg", other(c.SigningAlg, autoAlg), "", ""},
		{"assertion_audience", c.AssertionAudience != "", "", ""},
		{"assertion_type", other(c.AssertionType, defaultAssertionType), "", ""},
		{"basic_encoding", other(c.BasicEncoding, "form"), "", ""},
		{"scope", len(c.Scope) > 0, "", ""},
		{"token_auth", other(c.TokenAuth, authBasic), "", ""},
	}
}

// methods that can authenticate to a token endpoint, and all.
func tokenMethods() []string {
	return []string{authBasic, authPost, authSecretJWT, authPrivateJWT, authTLS, authSelfSigned}
}

// ShowsToken reports whether a client of this configuration authenticates by an access token of its own (RFC 6750).
func (c Client) ShowsToken() bool { return c.Auth == authBearer || c.Auth == authGrant }

func allMethods() []string { return append(tokenMethods(), authBearer, authGrant, authNone) }

func (c Config) checkClient(fault func(key, cause, hint string)) {
	checkWord("client.auth", c.Client.Auth, allMethods(), fault)
	checkWord("client.token_auth", c.Client.TokenAuth, tokenMethods(), fault)
	checkWord("client.basic_encoding", c.Client.BasicEncoding, []string{"form", "raw"}, fault)
	method := c.Client.Method()
	u := usesOf(method)
	who := "auth " + method
	if c.Client.Auth == authGrant {
		u.may = append(u.may, "scope", "token_auth")
		who = "token_auth " + method
	}
	for _, m := range c.Client.members() {
		switch {
		case slices.Contains(u.must, m.key) && !m.set:
			fault("client."+m.key, m.cause, m.fix)
		case m.set && !slices.Contains(u.must, m.key) && !slices.Contains(u.may, m.key):
			fault("client."+m.key, fmt.Sprintf("is set, and %s does not use it", who), "remove it, or choose the method that uses it")
		}
	}
	for _, s := range []struct {
		key    string
		source secret.Source
	}{{"client.secret", c.Client.Secret}, {"client.key", c.Client.Key}, {"client.certificate_key", c.Client.CertificateKey}} {
		if s.source.File != "" && s.source.Env != "" {
			fault(s.key, "names both a file and an environment variable", fmt.Sprintf("keep one of %s.file and %s.env", s.key, s.key))
		}
	}
	c.checkMethod(method, fault)
}

// checkMethod looks at what one method alone demands.
func (c Config) checkMethod(method string, fault func(key, cause, hint string)) {
	alg := c.Client.SigningAlg
	signs := method == authPrivateJWT || method == authSecretJWT
	if signs {
		checkWord("client.signing_alg", alg, signingAlgs(), fault)
	}
	switch mac := strings.HasPrefix(alg, "HS"); {
	case method == authBasic && c.Client.BasicEncoding == "raw" && strings.Contains(c.Client.ID, ":"):
		fault("client.id", "holds a colon, which raw Basic credentials cannot carry", "set client.basic_encoding to form")
	case method == authPrivateJWT && mac:
		fault("client.signing_alg", fmt.Sprintf("%q needs a shared secret, and %s has a key", alg, method), "use auto, or client_secret_jwt")
	case method == authSecretJWT && alg != autoAlg && !mac && slices.Contains(signingAlgs(), alg):
		fault("client.signing_alg", fmt.Sprintf("%q needs a private key, and %s has a secret", alg, method), "use auto, HS256, HS384 or HS512, or private_key_jwt")
	}
	if signs && c.Issuer == "" && c.Client.AssertionAudience == "" {
		fault("client.assertion_audience", "neither it nor issuer is set", "set issuer, which is who assertions are for")
	}
	if c.Client.Auth == authGrant && c.Issuer == "" && c.TokenEndpoint == "" {
		fault("token_endpoint", "neither it nor issuer is set", "name the endpoint, or the issuer whose metadata names it")
	}
	for _, e := range []Endpoint{Introspection, TokenEndpoint} {
		if u, err := url.Parse(c.endpoint(e)); err == nil && u.Scheme == "http" && isMutualTLS(method) {
			fault(string(e), fmt.Sprintf("is not https, and %s shows a certificate", method), "use https")
		}
	}
}

func signingAlgs() []string {
	return []string{
		autoAlg, "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512",
	}
}
