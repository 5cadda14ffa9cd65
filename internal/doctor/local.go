package doctor

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// What is said here is about tokens that are validated without asking the server about them.

// dataProtection is how tokens of ASP.NET Core Data Protection begin.
const dataProtection = "CfDJ8"

// unreadable says why a token can never be validated locally, whatever is in it; "" where it can. Tokens of the same
// server will be alike, so it is the mode that is at fault.
func unreadable(cfg issuer.Config, tok secret.Text) (says, do string) {
	if cfg.Mode != authz.ModeJWT && cfg.Mode != authz.ModeJWTThenIntrospect {
		return "", ""
	}
	advice := cfg.Dialect.Advice("")
	h, err := jose.Peek(tok.Reveal())
	switch {
	case err == nil && h.Encryption != "" || strings.Count(tok.Reveal(), ".") == 4:
		says, do = "is encrypted (JWE), and mode "+string(cfg.Mode)+
			" reads signed tokens only", cmp.Or(advice.Encrypted,
			"let the server sign access tokens and leave them readable")
	case strings.HasPrefix(tok.Reveal(), dataProtection):
		says, do = "is a Data Protection token, which only its server can read, and mode "+string(cfg.Mode)+
			" reads JWTs", cmp.Or(advice.Reference, "let the server issue JWTs")
	case err != nil:
		says, do = "is opaque (a reference token), and mode "+string(cfg.Mode)+
			" reads JWTs", cmp.Or(advice.Reference, "let the server issue JWTs")
	default:
		return "", ""
	}
	if cfg.Dialect.Encoding() != dialect.Unasked {
		do += "; or set mode: introspect"
	}
	return says, do
}

// refusedHere says what to do about a token that did not pass the validation here, for the cause why.
func refusedHere(cfg issuer.Config, tok secret.Text, why string) (says, do string) {
	if says, do = unverified(cfg, tok, why); do != "" {
		return says, do
	}
	if p, ok := payload(tok.Reveal()); ok {
		return foreign(cfg, p)
	}
	return "", compareAll
}

// unverified is refusedHere for a cause in the header or the signature, which all tokens of a server have in common;
// do is "" for other causes.
func unverified(cfg issuer.Config, tok secret.Text, why string) (says, do string) {
	h, err := jose.Peek(tok.Reveal())
	switch {
	case err != nil:
	case strings.HasPrefix(why, "names a key that is ignored"):
		return "", "replace that key at the server: until then all tokens that it signed are refused"
	case why == jose.ErrType.Error():
		return fmt.Sprintf(": %s, and not one of %q", quoted(h.Type), types(cfg)),
			"set dialect to the kind of this server, or list that typ in jwt.types if it is that of access tokens"
	case why == jose.ErrAlgorithm.Error():
		return fmt.Sprintf(": %s, and not one of %q", quoted(h.Algorithm), cfg.JWT.Algorithms),
			"list it in jwt.algorithms, if the server really signs with that key; none and shared secrets are never " +
				"taken"
	case why == jose.ErrNoKey.Error():
		return ": kid " + quoted(h.KeyID), "look for that kid at the server's jwks_uri: the token may be another " +
			"server's, or jwks_uri lead to other keys"
	case why == jose.ErrSignature.Error():
		return ": kid " + quoted(h.KeyID), "the key is there and did not sign this: the token was changed on its " +
			"way, or is of another server that uses the same kid"
	}
	return "", ""
}

// types are the accepted values of typ: the configured ones, else those of the dialect.
func types(cfg issuer.Config) []string {
	if len(cfg.JWT.Types) > 0 {
		return cfg.JWT.Types
	}
	return dialect.New(cfg.Dialect, "").JWTTypes()
}
