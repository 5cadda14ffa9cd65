package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// readEnvoy reads x-forwarded-client-cert: elements joined by commas, one for each proxy that added one, of pairs
// joined by semicolons. Several elements are refused, because the field does not say which is the client's. Hash is
// the thumbprint in hex.
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
			return thumbprint{}, errAmbiguous
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
		return thumbprint{}, errAmbiguous
	}
	return found[0], nil
}

// sized returns a hex digest of the length of a thumbprint, or a text that does not decode.
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
			return nil, errAmbiguous
		case rest[0] != ';':
			return nil, errBadCertificate
		default:
			rest = rest[1:]
		}
		text = rest
	}
	return pairs, nil
}

// readValue reads one value and returns the rest.
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
