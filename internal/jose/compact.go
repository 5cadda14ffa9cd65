package jose

import (
	"encoding/base64"
	"strings"
	"unicode"
)

const (
	maxHeaderBytes = 16 << 10 // a chain of certificates fits, although it is ignored
	maxIssuerBytes = 64 << 10 // of a payload in which Issuer looks
	maxNameBytes   = 256      // of "typ", "alg", "enc" and "kid"
)

// Numbers of parts: RFC 7515 section 7.1, RFC 7516 section 7.1.
const (
	partsOfJWS = 3
	partsOfJWE = 5
)

// Header is what a compact token says of itself. Nothing in it is verified. Its texts are bounded and hold no control
// characters.
type Header struct {
	Type       string // "typ"
	Algorithm  string // "alg"
	Encryption string // "enc": empty for a JWS
	KeyID      string // "kid"
}

// Peek reads the header of a compact JWS or JWE. The error says why s is neither and never quotes s.
func Peek(s string) (Header, error) {
	c, err := split(s)
	return c.header, err
}

// compact is a token in its parts, the header read, the others still encoded.
type compact struct {
	header  Header
	members Claims
	parts   []string
}

// split splits s into its parts. It accepts only what RFC 8725bis section 3.10 allows: the compact form in its
// alphabet, without white space, padding or a JSON serialization.
func split(s string) (compact, error) {
	dots := dotsOf(s)
	if dots < 0 {
		return compact{}, malformed("it has a character that no compact token has")
	}
	if dots != partsOfJWS-1 && dots != partsOfJWE-1 {
		return compact{}, malformed("it has neither three nor five parts")
	}
	c := compact{parts: strings.Split(s, ".")}
	if len(c.parts[0]) > base64.RawURLEncoding.EncodedLen(maxHeaderBytes) {
		return compact{}, malformed("its header is too large")
	}
	raw, err := decode(c.parts[0])
	if err != nil {
		return compact{}, err
	}
	if err := c.read(raw); err != nil {
		return compact{}, err
	}
	return c, nil
}

// dotsOf counts the dots of a text in the alphabet of compact tokens; -1 when it holds anything else.
func dotsOf(s string) int {
	dots, strange := 0, 0
	for i := range len(s) {
		k := alphabet[s[i]]
		dots += int(k & dot)
		strange |= int(^k & known)
	}
	if strange != 0 {
		return -1
	}
	return dots
}

const (
	dot uint8 = 1 << iota
	known
)

var alphabet = func() (kinds [256]uint8) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") {
		kinds[c] = known
	}
	kinds['.'] |= dot
	return kinds
}()

// isName reports whether s may be a typ, alg, enc or kid.
func isName(s string) bool {
	return len(s) <= maxNameBytes && !strings.ContainsFunc(s, unicode.IsControl)
}

// read fills in the header.
func (c *compact) read(raw []byte) error {
	var ok bool
	if c.members, ok = ReadClaims(raw); !ok {
		return malformed("its header is no JSON object with unique names")
	}
	for name, to := range map[string]*string{"typ": &c.header.Type, "alg": &c.header.Algorithm,
		"enc": &c.header.Encryption, "kid": &c.header.KeyID} {
		if !c.members.Has(name) {
			continue
		}
		s, err := c.members.Text(name)
		if err != nil || !isName(s) {
			return malformed("its " + name + " is no short text")
		}
		if s == "" && name != "kid" {
			return malformed("its " + name + " is empty")
		}
		*to = s
	}
	encrypted := c.members.Has("enc")
	switch {
	case c.header.Algorithm == "":
		return malformed("its header names no alg")
	case encrypted != (len(c.parts) == partsOfJWE): // RFC 7516 section 9: how a JWE is told from a JWS
		return malformed("its parts and its header contradict each other")
	}
	return nil
}

// rejectCritical refuses what changes the meaning of a token in a way that is not understood here: any "crit" (RFC
// 7515 section 4.1.11) and "b64" (RFC 7797), which go-jose obeys even where "crit" does not name it.
func (c *compact) rejectCritical() error {
	for _, name := range []string{"crit", "b64"} {
		if _, said := c.members[name]; said {
			return malformed("its header has the member " + name)
		}
	}
	return nil
}

// decode reads base64url without padding whose unused bits are zero: one value has one text. split has refused line
// breaks, which package base64 skips.
func decode(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, malformed("a part is not base64url")
	}
	return b, nil
}
