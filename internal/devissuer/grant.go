package devissuer

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Grant is what a token stands for. Empty members are left out of the introspection answer.
type Grant struct {
	ClientID string
	Subject  string
	Username string
	Scopes   []string
	Audience []string
	Tenant   string
	Roles    []string
	// TTL is how long the token lives, rounded up to a whole second of the clock; 0 is Config.TokenTTL. A negative
	// TTL makes a token that has already expired.
	TTL time.Duration
	// NotBefore, when set, is when the token begins to be active, rounded up to a second.
	NotBefore time.Time
	// Claims are merged over the others in the answer and in a JWT; a nil value leaves the member out. They change
	// what is said about the token, not how long it lives. "active" in an answer is always the server's own.
	Claims map[string]any
	// TokenFormat is the form of the token; empty is Opaque.
	TokenFormat Format
}

// Issue makes a token directly, past all rules for clients. It is an error when Claims cannot be written as JSON, when
// the format is unknown, and when a JWT lacks the client, the subject or the audience that RFC 9068 section 2.2 wants.
func (s *Server) Issue(g Grant) (token string, err error) {
	now := time.Now()
	if g.TTL == 0 {
		g.TTL = s.ttl
	}
	expires := ceil(now.Add(g.TTL))
	if g.TTL < 0 {
		expires = now.Add(g.TTL).Truncate(time.Second)
	}
	claims := s.claims(g, now, expires)
	switch g.TokenFormat {
	case "", Opaque:
		token = opaque()
	case JWT:
		if token, err = s.jwt(g, claims); err != nil {
			return "", err
		}
	default:
		return "", fmt.Errorf("issue token: format %q is not known", g.TokenFormat)
	}
	answer, err := answerOf(g, claims)
	if err != nil {
		return "", err
	}
	s.tokens.put(&entry{
		key: digestOf(token), clientID: g.ClientID, audience: slices.Clone(g.Audience), answer: answer,
		notBefore: ceil(g.NotBefore), expires: expires,
	}, now)
	return token, nil
}

// Revoke makes token inactive; a token that is not known stays so.
func (s *Server) Revoke(token string) {
	if e := s.tokens.find(digestOf(token), time.Now()); e != nil {
		s.tokens.remove(e)
	}
}

// claims are the members that an introspection answer and a JWT have in common.
func (s *Server) claims(g Grant, now, expires time.Time) map[string]any {
	claims := map[string]any{"iss": s.issuer, "iat": now.Unix(), "exp": expires.Unix(), "jti": rand.Text()}
	if !g.NotBefore.IsZero() {
		claims["nbf"] = ceil(g.NotBefore).Unix()
	}
	for name, value := range map[string]string{
		"client_id": g.ClientID, "sub": g.Subject, "tenant": g.Tenant, "scope": strings.Join(g.Scopes, " "),
	} {
		if value != "" {
			claims[name] = value
		}
	}
	for name, values := range map[string][]string{"aud": g.Audience, "roles": g.Roles} {
		if len(values) > 0 {
			claims[name] = values
		}
	}
	return claims
}

// jwt makes an access token after RFC 9068.
func (s *Server) jwt(g Grant, claims map[string]any) (string, error) {
	if g.ClientID == "" || g.Subject == "" || len(g.Audience) == 0 {
		return "", fmt.Errorf("issue token: a JWT needs a client, a subject and an audience")
	}
	payload, err := encode(merge(claims, g.Claims))
	if err != nil {
		return "", fmt.Errorf("issue token: %v", err)
	}
	return s.keys.sign(payload)
}

// answerOf is the introspection answer while the token is active: RFC 7662 section 2.2.
func answerOf(g Grant, claims map[string]any) ([]byte, error) {
	all := maps.Clone(claims)
	all["token_type"] = "Bearer"
	if g.Username != "" {
		all["username"] = g.Username
	}
	all = merge(all, g.Claims)
	all["active"] = true
	answer, err := encode(all)
	if err != nil {
		return nil, fmt.Errorf("issue token: %v", err)
	}
	return answer, nil
}

// merge returns base with the members of over; nil ones are left out.
func merge(base, over map[string]any) map[string]any {
	all := maps.Clone(base)
	for name, value := range over {
		if value == nil {
			delete(all, name)
			continue
		}
		all[name] = value
	}
	return all
}

// encode writes members in a fixed order, so that equal facts are equal bytes.
func encode(v any) ([]byte, error) { return json.Marshal(v, json.Deterministic(true)) }

// opaque is a token that means nothing: 32 random bytes.
func opaque() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, by its own documentation
	return base64.RawURLEncoding.EncodeToString(b)
}

// ceil rounds t up to a whole second of Unix time; the zero time stays zero.
func ceil(t time.Time) time.Time {
	down := t.Truncate(time.Second)
	if down.Before(t) {
		return down.Add(time.Second)
	}
	return down
}
