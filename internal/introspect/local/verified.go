package local

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Verified reads the claims of JWTs that need no verification, for tests of policies. Of Deps it uses Endpoint,
// Dialect, Reader and the tolerances.
type Verified struct{ v *validator }

// NewVerified returns a reader by the rules of cfg. The JWTs have the first type that is accepted.
func NewVerified(cfg Config, deps Deps) *Verified { return &Verified{newValidator(cfg, deps)} }

// Read is what a Layer says at the time now of a JWT with these claims: a JSON object.
func (r *Verified) Read(claims []byte, tok secret.Text, now time.Time) dialect.Fact {
	t := jose.Token{Claims: claims}
	if types := r.v.expect.Types; len(types) > 0 {
		t.Header.Type = types[0]
	}
	return r.v.verified(t, tok, now, now)
}
