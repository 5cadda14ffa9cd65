package local

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// validator finds out, without asking about it, whether a JWT is an access token of this issuer and for this API: RFC
// 9068 section 4, RFC 8725. It cannot see that a token has been revoked.
type validator struct {
	timeout time.Duration // of a fetch of keys
	expect  jose.Expect
	keys    jose.KeySource
	reader  *dialect.Reader
	rules   claimRules
}

func newValidator(cfg Config, deps Deps) *validator {
	types := cfg.Types
	if len(types) == 0 {
		types = deps.Reader.JWTTypes()
	}
	return &validator{
		timeout: deps.Endpoint.Timeout,
		expect:  jose.Expect{Types: slices.DeleteFunc(slices.Clone(types), foreignType), Algorithms: cfg.Algorithms},
		keys:    deps.Keys,
		reader:  deps.Reader,
		rules: claimRules{
			issuer: deps.Endpoint.Issuer, audience: slices.Clone(deps.Dialect.Audience),
			absentAudience: deps.Dialect.AbsentAudience,
			optional:       slices.Concat(cfg.OptionalClaims, deps.Reader.OptionalClaims()),
			leeway:         cfg.Leeway, notBefore: deps.NotBeforeAhead, ahead: deps.IssuedAhead,
		},
	}
}

// validate returns what the claims of tok say, or why it is refused: any failure makes it inactive (JAT-5). An error
// means that the keys could not be fetched.
//
// Few refusals are cached. A key that is unknown now may be known in a moment, and tokens without a signature of the
// issuer can be made by anyone, and must not fill the cache. A token that the issuer did sign, and that is not for
// this API, stays so.
func (v *validator) validate(ctx context.Context, tok secret.Text) (dialect.Fact, error) {
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	start := time.Now()
	t, err := jose.Verify(ctx, tok.Reveal(), v.expect, v.keys)
	if e, ok := errors.AsType[*authz.Error](err); ok {
		return dialect.Fact{}, &authz.Error{Kind: e.Kind, Code: e.Code, RetryAfter: e.RetryAfter,
			Err: introspect.KeysUnavailable{Err: e.Err}}
	}
	if err != nil {
		return dialect.Unusable(whyBad(tok, err), start), nil
	}
	return v.verified(t, tok, start, time.Now()), nil
}

// verified is what the claims of a token of good signature say, which began to be verified at start.
func (v *validator) verified(t jose.Token, tok secret.Text, start, now time.Time) dialect.Fact {
	if why := v.rules.signed(t); !why.OK() {
		return permanentlyInvalid(why, start)
	}
	f, err := v.reader.ReadJWT(t.Claims, tok, start)
	switch {
	case err != nil:
		return permanentlyInvalid(unreadable(err), start)
	case !f.Claims.Active:
		return permanentlyInvalid(f.Claims.Inactive, start)
	}
	if why := v.rules.early(f.Claims, now); !why.OK() {
		return dialect.Unusable(why, start)
	}
	f.Claims.Source, f.Claims.Fetched = authz.LocalJWT, start
	f.Claims.NotBeforeSkew, f.Claims.ExpirySkew = v.rules.notBefore, v.rules.leeway
	if why := v.rules.read(f.Claims, t, now); !why.OK() {
		return permanentlyInvalid(why, start)
	}
	return f
}

// permanentlyInvalid is a refusal that asking again does not change.
func permanentlyInvalid(why authz.Unusable, fetched time.Time) dialect.Fact {
	f := dialect.Unusable(why, fetched)
	f.Keep = dialect.Inactive
	return f
}

// whyBad says why a token did not verify, in words that quote nothing of it.
func whyBad(tok secret.Text, err error) authz.Unusable {
	if h, err := jose.Peek(tok.Reveal()); err == nil && h.Encryption != "" {
		return authz.NotUsable(authz.Unreadable,
			"is encrypted, which is not read here") // JAT-2: no encryption has been agreed upon
	}
	if e, ok := errors.AsType[*jose.IgnoredKeyError](err); ok {
		return authz.NotUsable(authz.BadSignature, e.Why())
	}
	if errors.Is(err, jose.ErrType) {
		return authz.NotUsable(authz.WrongType, jose.ErrType.Error())
	}
	for _, known := range []error{jose.ErrAlgorithm, jose.ErrNoKey, jose.ErrSignature} {
		if errors.Is(err, known) {
			return authz.NotUsable(authz.BadSignature, known.Error())
		}
	}
	return authz.NotUsable(authz.Unreadable, "is no JWT that could be verified")
}

// foreignType reports whether typ is that of another kind of JWT, which is never an access token (RFC 8725bis section
// 3.12).
func foreignType(typ string) bool {
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "token-introspection+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt",
		"client-authentication+jwt", "id_token+jwt":
		return true
	}
	return false
}
