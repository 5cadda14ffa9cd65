package introspect

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// validator tells, without asking anybody about it, whether a JWT is an access token of this issuer and for us: RFC 9068
// section 4, RFC 8725. It cannot see that a token has been revoked.
type validator struct {
	timeout time.Duration // of a fetch of keys
	expect  jose.Expect
	keys    jose.KeySource
	reader  *dialect.Reader
	rules   claimRules
}

// newValidator is given a configuration that localFaults finds nothing in.
func newValidator(cfg Config, reader *dialect.Reader, keys jose.KeySource) *validator {
	types := cfg.JWT.Types
	if len(types) == 0 {
		types = reader.JWTTypes()
	}
	return &validator{
		timeout: cfg.Endpoint.Timeout,
		expect:  jose.Expect{Types: ownTypes(types), Algorithms: algorithms(cfg.JWT.Algorithms)},
		keys:    keys,
		reader:  reader,
		rules: claimRules{
			issuer: cfg.Endpoint.Issuer, audience: slices.Clone(cfg.Dialect.Audience), absentAudience: cfg.Dialect.AbsentAudience,
			optional: slices.Concat(cfg.JWT.OptionalClaims, reader.OptionalClaims()),
			leeway:   cfg.JWT.Leeway, notBefore: cfg.issuerAhead(), ahead: cfg.issuedAhead(),
		},
	}
}

// validate returns what the claims of tok say, or why it is no good: any failure makes it inactive (JAT-5). An error means
// that the keys could not be had.
//
// Few refusals are kept. A key that is unknown now may be known in a moment, and what is not signed by the issuer is made by
// strangers, who are not to fill the cache. What the issuer did sign, and is not good for us, will not become so.
func (v *validator) validate(ctx context.Context, tok secret.Text) (dialect.Fact, error) {
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	start := time.Now()
	t, err := jose.Verify(ctx, tok.Reveal(), v.expect, v.keys)
	if e, ok := errors.AsType[*authz.Error](err); ok {
		return dialect.Fact{}, &authz.Error{Kind: e.Kind, Code: e.Code, RetryAfter: e.RetryAfter, Err: keysUnavailable{e.Err}}
	}
	if err != nil {
		return dialect.Unusable(whyBad(tok, err), start), nil
	}
	if why := v.rules.signed(t); why != "" {
		return permanentlyInvalid(why, start), nil
	}
	f, err := v.reader.ReadJWT(t.Claims, tok, start)
	switch {
	case err != nil:
		return permanentlyInvalid(unreadable(err), start), nil
	case !f.Claims.Active:
		return permanentlyInvalid(f.Claims.InactiveReason, start), nil
	}
	now := time.Now()
	if why := v.rules.early(f.Claims, now); why != "" {
		return dialect.Unusable(why, start), nil
	}
	f.Claims.Source, f.Claims.Fetched = authz.LocalJWT, start
	f.Claims.NotBeforeSkew, f.Claims.ExpirySkew = v.rules.notBefore, v.rules.leeway
	if why := v.rules.read(f.Claims, t, now); why != "" {
		return permanentlyInvalid(why, start), nil
	}
	return f, nil
}

// keysUnavailable is why no key was found for a token, and it cannot be told whether there is one. Keys that are known stay in use
// while their server is down: so the one that once verified the token has been withdrawn.
type keysUnavailable struct{ error }

func (k keysUnavailable) Unwrap() error { return k.error }

// permanentlyInvalid is a refusal that asking again does not change.
func permanentlyInvalid(why string, fetched time.Time) dialect.Fact {
	f := dialect.Unusable(why, fetched)
	f.Keep = dialect.Inactive
	return f
}

// whyBad says why a token did not verify, in words that quote nothing of it.
func whyBad(tok secret.Text, err error) string {
	if h, err := jose.Peek(tok.Reveal()); err == nil && h.Encryption != "" {
		return "is encrypted, which is not read here" // JAT-2: no encryption has been agreed upon
	}
	if e, ok := errors.AsType[*jose.IgnoredKeyError](err); ok {
		return e.Why()
	}
	for _, known := range []error{jose.ErrType, jose.ErrAlgorithm, jose.ErrNoKey, jose.ErrSignature} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "is no JWT that could be verified"
}

// ownTypes leaves out what other kinds of JWT call themselves: Check has refused those, and a dialect has none.
func ownTypes(types []string) []string {
	return slices.DeleteFunc(slices.Clone(types), foreignType)
}

// foreignType reports whether typ is that of a JWT which is no access token, whatever it says (RFC 8725bis section 3.12).
func foreignType(typ string) bool {
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "token-introspection+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "client-authentication+jwt", "id_token+jwt":
		return true
	}
	return false
}

// algorithms adds to EdDSA its other name: RFC 9864 names the curve, and servers are changing over.
func algorithms(allowed []string) []string {
	if slices.Contains(allowed, "EdDSA") && !slices.Contains(allowed, "Ed25519") {
		return append(slices.Clone(allowed), "Ed25519")
	}
	return slices.Clone(allowed)
}

// newKeySet follows the keys of a server.
func newKeySet(cfg Config, server *oauth.Server, log *slog.Logger) *jose.KeySet {
	return jose.NewKeySet(jose.KeySetConfig{
		Name: cfg.Endpoint.Name, Log: log, MostWaiting: max(1, cfg.MaxInFlight/2), Fetch: server.FetchKeys,
	})
}
