package dialect

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// JWTTypes are the values of "typ" that this server's access tokens have; an empty one means that they may have none.
func (n *Reader) JWTTypes() []string { return []string{"at+jwt"} }

// OptionalClaims are the claims of RFC 9068 section 2.2 that this server leaves out.
func (n *Reader) OptionalClaims() []string { return nil }

// ReadJWT returns what the verified claims of tok, a JWT access token, say. See Read.
func (n *Reader) ReadJWT(claims jsontext.Value, tok secret.Text, fetched time.Time) (Fact, error) {
	raw := jsontext.Value(redact(claims, tok, n.dialect.credentials))
	var m members
	if err := json.Unmarshal(raw, &m); err != nil || raw.Kind() != '{' {
		return Fact{}, errors.New("the claims are not one JSON object of valid UTF-8 without duplicate members")
	}
	jwt := *n
	jwt.dialect.withoutTokenType = authz.UnknownToken // token_type is a member of answers, and never one of a JWT
	c, err := jwt.claims(m, raw)
	if err != nil {
		return Fact{}, err
	}
	c.Fetched = fetched
	if why := n.foreign(m, c); why != "" {
		return Dead(why, fetched), nil
	}
	return Fact{Claims: c, Keep: Active}, nil
}
