package proof

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

const maxCertificateBytes = 64 << 10

// thumbprint identifies a certificate: SHA-256 of its DER form (RFC 8705 section 3.1).
type thumbprint [sha256.Size]byte

func (t thumbprint) String() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

// Why there is no thumbprint. The texts continue "it is bound to a certificate, and the request".
var (
	errNotConfigured  = errors.New("is not looked at for one: proof.mtls.from is none")
	errNotTrusted     = errors.New("came from a caller who is not one of proof.mtls.trusted_proxies")
	errNoCertificate  = errors.New("shows none")
	errAmbiguous      = errors.New("shows more than one")
	errBadCertificate = errors.New("shows none that can be read")
)

// checkCertificate compares the certificate of the client with the thumbprint that the token is bound to.
func (v *Verifier) checkCertificate(x5t string, q *authz.Query) error {
	t, err := v.certificate(q)
	switch {
	case err != nil:
		v.count(methodMTLS, OutcomeRefused)
		return refuse(CodeInvalidToken, "check token: it is bound to a certificate, and the request %w", err)
	case !equal(t.String(), x5t):
		v.count(methodMTLS, OutcomeRefused)
		return refuse(CodeInvalidToken, "check token: it is bound to another certificate")
	}
	v.count(methodMTLS, OutcomeVerified)
	return nil
}

// certificate returns the thumbprint of the client's certificate. A certificate is public, so it proves nothing by
// itself: only the proxy that terminated TLS knows that the client holds its key. What other callers send is not read
// (MTLS-5).
func (v *Verifier) certificate(q *authz.Query) (thumbprint, error) {
	from := v.cfg.MTLS.From
	switch {
	case from == FromNowhere || from == "":
		return thumbprint{}, errNotConfigured
	case !v.trusted.include(q.Caller):
		return thumbprint{}, errNotTrusted
	}
	text := q.Request.ClientCertificate
	if from != FromRequest {
		switch fields := q.Request.Headers[v.header]; len(fields) {
		case 0:
			return thumbprint{}, errNoCertificate
		case 1:
			text = fields[0]
		default:
			return thumbprint{}, errAmbiguous
		}
	}
	if text = strings.TrimSpace(text); text == "" { // nginx writes an empty field when there is none
		return thumbprint{}, errNoCertificate
	}
	if len(text) > maxCertificateBytes {
		return thumbprint{}, errBadCertificate
	}
	switch from {
	case FromEnvoy:
		return readEnvoy(text)
	case FromRFC9440:
		return readRFC9440(text)
	case FromTraefik:
		return readTraefik(text)
	}
	return readPEM(text)
}

// readPEM reads exactly one certificate in PEM, plain or URL-encoded. A plus sign is a plus sign, not a space.
func readPEM(text string) (thumbprint, error) {
	const begin = "-----BEGIN CERTIFICATE-----"
	if strings.Contains(text, "%") {
		decoded, err := url.PathUnescape(text)
		if err != nil {
			return thumbprint{}, errBadCertificate
		}
		text = strings.TrimSpace(decoded)
	}
	if strings.Count(text, begin) > 1 {
		return thumbprint{}, errAmbiguous
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || !strings.HasPrefix(text, begin) || block.Type != "CERTIFICATE" || len(block.Headers) > 0 ||
		len(strings.TrimSpace(string(rest))) > 0 {
		return thumbprint{}, errBadCertificate
	}
	return ofDER(block.Bytes)
}

// readRFC9440 reads Client-Cert, which is a byte sequence of structured fields (RFC 8941 section 3.3.5).
func readRFC9440(text string) (thumbprint, error) {
	if strings.Contains(text, ",") {
		return thumbprint{}, errAmbiguous
	}
	inner, opened := strings.CutPrefix(text, ":")
	inner, closed := strings.CutSuffix(inner, ":")
	if !opened || !closed {
		return thumbprint{}, errBadCertificate
	}
	return readBase64(inner)
}

// readTraefik reads base64 of DER, which some versions URL-encode. Of a chain it takes the leaf, which comes first.
func readTraefik(text string) (thumbprint, error) {
	decoded, err := url.PathUnescape(text)
	if err != nil {
		return thumbprint{}, errBadCertificate
	}
	leaf, _, _ := strings.Cut(decoded, ",")
	return readBase64(leaf)
}

func readBase64(text string) (thumbprint, error) {
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder skips line breaks
		return thumbprint{}, errBadCertificate
	}
	return ofDER(der)
}

// ofDER does not parse the certificate: TLS verified it, and only the thumbprint is compared.
func ofDER(der []byte) (thumbprint, error) {
	if len(der) == 0 {
		return thumbprint{}, errBadCertificate
	}
	return sha256.Sum256(der), nil
}
