package oauth

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const maxCertificateBytes = 256 << 10

// tlsClientAuth shows a client certificate: RFC 8705 section 2. Its two names differ only in how the server registers
// the certificate.
func tlsClientAuth(name string) authMethod {
	return authMethod{
		name: name, standard: true, proof: tlsProof,
		must: []string{"id", "certificate_file", "certificate_key"},
		registration: "the certificate's subject and its authority; an endpoint that takes certificates may have an " +
			"address of its own " +
			"(mtls_endpoint_aliases)",
		check: func(c Config, report func(key, cause, hint string)) { c.checkTLSEndpoints(name, report) },
		credential: func(c Client) credential {
			return credential{
				parts: []keyfile.Part{
					keyfile.File("client.certificate_file", c.CertificateFile, maxCertificateBytes),
					keyfile.Secret("client.certificate_key", c.CertificateKey),
				},
				parse: parseCertificate,
			}
		},
		authenticate: func(c Config, _ identity, _ http.Header, form url.Values) error {
			form.Set("client_id", c.Client.ID) // MTLS-1
			return nil
		},
	}
}

func (c Config) checkTLSEndpoints(method string, report func(key, cause, hint string)) {
	for _, e := range []Endpoint{Introspection, TokenEndpoint} {
		if u, err := url.Parse(c.endpoint(e)); err == nil && u.Scheme == "http" {
			report(string(e), fmt.Sprintf("is not https, and %s shows a certificate", method), "use https")
		}
	}
}

// parseCertificate refuses a certificate and a key that do not belong together: one of the files may be written before
// the other.
func parseCertificate(t []secret.Text) (identity, error) {
	pair, err := tls.X509KeyPair([]byte(t[0].Reveal()), []byte(t[1].Reveal()))
	if err != nil || !pemComplete(t[0].Reveal()) {
		return identity{}, errors.New("client.certificate_file: it and client.certificate_key are no PEM " +
			"certificate and its private key")
	}
	return identity{certificate: &pair}, nil
}
