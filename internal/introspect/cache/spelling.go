package cache

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// withoutSpelling is the part of a token that its holder cannot rewrite such that a server still takes it for the
// same token: a revocation of one spelling has to find the others. Two tokens that share it are evicted together,
// which costs a question; two JWTs share it only when their issuer signed the same claims twice.
//
// A compact JWS is its header and payload, which are signed as text. Its signature is left out: ECDSA has two for each
// message, (r, s) and (r, n-s), and a lax decoder takes any bits after the last byte. A JWE is its header, which is
// authenticated as text, with the initialization vector and the ciphertext; its encrypted key and its tag are not
// authenticated as text. Anything else is the token, as base64 would read it.
func withoutSpelling(tok string) string {
	h, ok := introspect.HeaderOf(tok)
	if !ok {
		return base64Bits(tok)
	}
	parts := strings.Split(tok, ".")
	if h.Encryption == "" {
		return parts[0] + "." + parts[1]
	}
	return parts[0] + "." + base64Bits(parts[2]) + "." + base64Bits(parts[3])
}

// base64Bits is one spelling of all that a lax decoder of base64 reads alike: either alphabet, padding or none, any
// value of the bits that the last character has too many. What is not base64 stays as it is.
func base64Bits(s string) string {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "+/") {
		s = strings.NewReplacer("+", "-", "/", "_").Replace(s)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	spare := map[int]int{2: 4, 3: 2}[len(s)%4]
	if spare == 0 {
		return s
	}
	last := len(s) - 1
	at := strings.IndexByte(alphabet, s[last])
	if at < 0 {
		return s
	}
	return s[:last] + string(alphabet[at>>spare<<spare])
}
