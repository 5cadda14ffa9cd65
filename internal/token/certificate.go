package token

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

const maxCertificateBytes = 64 << 10

// thumbprint names a certificate: SHA-256 of its DER form.
type thumbprint [sha256.Size]byte

func (t thumbprint) String() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

// Why there is no thumbprint. The texts go on "it is bound to a certificate, and the request".
var (
	errNotConfigured  = errors.New("is not looked at for one: proof.mtls.from is none")
	errNotTrusted     = errors.New("came from a caller who is not one of proof.mtls.trusted_hops")
	errNoCertificate  = errors.New("shows none")
	errTwice          = errors.New("shows more than one")
	errBadCertificate = errors.New("shows none that can be read")
)

// certificate returns the thumbprint of the client's certificate. Certificates are public: all that is proven is what the
// hop that terminated TLS saw, so what any other caller says of one is not even read (MTLS-5).
func (p *Proofs) certificate(q *authz.Query) (thumbprint, error) {
	from := p.cfg.MTLS.From
	switch {
	case from == FromNowhere || from == "":
		return thumbprint{}, errNotConfigured
	case !p.hops.trusts(q.Caller):
		return thumbprint{}, errNotTrusted
	}
	text := q.Request.ClientCertificate
	if from != FromRequest {
		switch fields := q.Request.Headers[p.header]; len(fields) {
		case 0:
			return thumbprint{}, errNoCertificate
		case 1:
			text = fields[0]
		default:
			return thumbprint{}, errTwice
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

// readPEM reads exactly one certificate in PEM, as it is or URL-encoded. Plus signs stand for themselves.
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
		return thumbprint{}, errTwice
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || !strings.HasPrefix(text, begin) || block.Type != "CERTIFICATE" || len(block.Headers) > 0 || len(strings.TrimSpace(string(rest))) > 0 {
		return thumbprint{}, errBadCertificate
	}
	return ofDER(block.Bytes)
}

// readRFC9440 reads a byte sequence of structured fields (RFC 8941 section 3.3.5), which is all that Client-Cert is.
func readRFC9440(text string) (thumbprint, error) {
	if strings.Contains(text, ",") {
		return thumbprint{}, errTwice
	}
	inner, opened := strings.CutPrefix(text, ":")
	inner, closed := strings.CutSuffix(inner, ":")
	if !opened || !closed {
		return thumbprint{}, errBadCertificate
	}
	return readBase64(inner)
}

// readTraefik reads base64 of DER, URL-encoded by some versions, and of a chain the leaf, which is the first.
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
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder skips
		return thumbprint{}, errBadCertificate
	}
	return ofDER(der)
}

// ofDER does not look into the certificate: TLS verified it, and nothing but the thumbprint is compared.
func ofDER(der []byte) (thumbprint, error) {
	if len(der) == 0 {
		return thumbprint{}, errBadCertificate
	}
	return sha256.Sum256(der), nil
}

// readEnvoy reads x-forwarded-client-cert: elements joined by commas, one for each proxy that added one, of pairs joined by
// semicolons. Of several elements nobody can say which is the client's, so there is one. Hash is the thumbprint in hex.
func readEnvoy(text string) (thumbprint, error) {
	pairs, err := readPairs(text)
	if err != nil {
		return thumbprint{}, err
	}
	var found []thumbprint
	for _, key := range []string{"hash", "cert"} {
		values := pairs[key]
		switch {
		case len(values) > 1:
			return thumbprint{}, errTwice
		case len(values) == 0 || values[0] == "":
			continue
		}
		var t thumbprint
		if key == "cert" {
			t, err = readPEM(values[0])
		} else if n, bad := hex.Decode(t[:], sized(values[0])); bad != nil || n != len(t) {
			err = errBadCertificate
		}
		if err != nil {
			return thumbprint{}, err
		}
		found = append(found, t)
	}
	switch {
	case len(found) == 0:
		return thumbprint{}, errNoCertificate
	case len(found) == 2 && found[0] != found[1]:
		return thumbprint{}, errTwice
	}
	return found[0], nil
}

// sized is a hex digest that fits a thumbprint, or something that is none.
func sized(text string) []byte {
	if len(text) != hex.EncodedLen(sha256.Size) {
		return []byte("?")
	}
	return []byte(text)
}

// readPairs reads one element. Values may be quoted; a backslash in quotes escapes.
func readPairs(text string) (map[string][]string, error) {
	pairs := map[string][]string{}
	for text != "" {
		key, rest, ok := strings.Cut(text, "=")
		if !ok || strings.ContainsAny(key, `,;"`) {
			return nil, errBadCertificate
		}
		value, rest, ok := readValue(rest)
		if !ok {
			return nil, errBadCertificate
		}
		key = strings.ToLower(strings.TrimSpace(key))
		pairs[key] = append(pairs[key], value)
		switch {
		case rest == "":
		case rest[0] == ',':
			return nil, errTwice
		case rest[0] != ';':
			return nil, errBadCertificate
		default:
			rest = rest[1:]
		}
		text = rest
	}
	return pairs, nil
}

// readValue reads a value and returns what comes after it.
func readValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, `,;"`)
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
