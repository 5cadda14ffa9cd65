package oauth

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// authMethod is one way of client authentication. It says how a request proves who the client is, and answers what the
// checks of the configuration, discovery and the doctor ask about the method. Each method has a file of its own and a
// line in authMethods.
type authMethod struct {
	// name is the value of client.auth.
	name string
	// standard is set when name is a value of token_endpoint_auth_methods_supported (RFC 8414 section 2): the method
	// works at a token endpoint, and metadata says whether a server accepts it.
	standard bool
	proof    proof
	// must and may are the keys of Client that the method needs, and those that it can do without. Any other key that
	// is set is reported: the operator expects an effect of it.
	must, may []string
	// registration names what must agree with the client's registration at the server, for a message.
	registration string
	// check reports what is wrong with a configuration of this method alone; nil when nothing can be.
	check func(c Config, report func(key, cause, hint string))
	// credential says what the method reads for c; nil for client_credentials, which reads what its token_auth reads.
	credential func(c Client) credential
	// authenticate adds the proof to a request. It is called for each request anew, so that no assertion is sent
	// twice: CA-1, CA-8.
	authenticate func(c Config, i identity, header http.Header, form url.Values) error
}

// proof is the part of a request that proves who the client is.
type proof uint8

const (
	noProof     proof = iota
	headerProof       // a header field
	bearerProof       // an access token in the Authorization field (RFC 6750)
	formProof         // parameters of the form
	tlsProof          // the client certificate of the connection; the form carries client_id (RFC 8705 section 2)
)

// authMethods lists every way of client authentication, in the order in which messages list them.
func authMethods() []authMethod {
	return []authMethod{
		clientSecretBasic(),
		clientSecretPost(),
		clientSecretJWT(),
		privateKeyJWT(),
		tlsClientAuth("tls_client_auth"),
		tlsClientAuth("self_signed_tls_client_auth"),
		bearer(),
		clientCredentials(),
		none(),
	}
}

// Words lists the values of a key of Client that has a closed set of them; nil for any other key.
func (Client) Words(key string) []string {
	var words []string
	switch key {
	case "auth":
		for _, m := range authMethods() {
			words = append(words, m.name)
		}
	case "token_auth":
		for _, m := range authMethods() {
			if m.standard {
				words = append(words, m.name)
			}
		}
	case "signing_alg":
		words = signingAlgorithms()
	}
	return words
}

// methodNamed is the method of a name. Check reports a name that no method has; it is then treated like the default.
func methodNamed(name string) authMethod {
	all := authMethods()
	if i := slices.IndexFunc(all, func(m authMethod) bool { return m.name == name }); i >= 0 {
		return all[i]
	}
	return clientSecretBasic()
}

// method is the one that proves who the client is: that of token_auth where a token is got first.
func (c Client) method() authMethod {
	if c.Auth == ClientCredentials {
		return methodNamed(c.TokenAuth)
	}
	return methodNamed(c.Auth)
}

// CanGetToken reports whether the client can get an access token of its own by the client_credentials grant.
func (c Client) CanGetToken() bool { return c.method().standard }

// Authenticates reports whether requests prove who the client is.
func (c Client) Authenticates() bool { return methodNamed(c.Auth).proof != noProof }

// NeedsForm reports whether the method adds to the form of a request, so that an endpoint that takes JSON cannot be
// asked.
func (c Client) NeedsForm() bool { return methodNamed(c.Auth).needsForm() }

func (m authMethod) needsForm() bool { return m.proof == formProof || m.proof == tlsProof }

// ShowsToken reports whether requests carry an access token of the client (RFC 6750).
func (c Client) ShowsToken() bool { return methodNamed(c.Auth).proof == bearerProof }

// ShowsCertificate reports whether the client authenticates by mutual TLS (RFC 8705 section 2).
func (c Client) ShowsCertificate() bool { return c.method().proof == tlsProof }

// SignsAssertions reports whether the client authenticates by a JWT that it signs (RFC 7523).
func (c Client) SignsAssertions() bool { return slices.Contains(c.method().may, "assertion_audience") }

// SupportedBy reports whether a server whose metadata lists methods supports client.auth. It is true of a method for
// which metadata has no name.
func (c Client) SupportedBy(methods []string) bool {
	m := methodNamed(c.Auth)
	return !m.standard || slices.Contains(methods, m.name)
}

// Registration names what must agree with the client's registration at the server.
func (c Client) Registration() string { return methodNamed(c.Auth).registration }

// HasCredentials reports whether the client has an identifier or anything that proves it.
func (c Client) HasCredentials() bool {
	return c.ID != "" || !c.Secret.IsZero() || !c.Key.IsZero() || c.CertificateFile != ""
}

// credential is what a method reads, and how an identity is made of it.
type credential struct {
	parts []keyfile.Part
	parse func([]secret.Text) (identity, error)
}
