package issuer

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/local"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestOneToleranceForWhatIsNotYetValid: a server whose clock is a little ahead says nbf and iat of a moment to come,
// in answers, in JWTs and in signed responses. exp is not touched by it.
func TestOneToleranceForWhatIsNotYetValid(t *testing.T) {
	k := newKeyed(t)
	now := time.Now()
	for ahead, good := range map[time.Duration]bool{8 * time.Second: true, 28 * time.Second: true,
		40 * time.Second: false} {
		at := now.Add(ahead).Unix()
		for name, c := range map[string]Config{
			"not_before_leeway": {Dialect: dialect.Config{NotBeforeLeeway: 30 * time.Second}},
			"jwt.leeway":        {JWT: local.Config{Leeway: 30 * time.Second}},
		} {
			set := func(to *Config) {
				to.Dialect.NotBeforeLeeway, to.JWT.Leeway = c.Dialect.NotBeforeLeeway,
					c.JWT.Leeway
			}
			local, _ := open(t, "", k.in(authz.ModeJWT, set))
			for _, claim := range []string{"nbf", "iat"} {
				if got := look(t, local, k.token(t, change{claim: at})); got.Usable(now).OK() != good {
					t.Errorf("%s: a JWT, %s in %s: %q", name, claim, ahead, got.Usable(now))
				}
			}
			both, _ := open(t, "", k.in(authz.ModeJWTThenIntrospect, set))
			k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"aud":%q,"nbf":%d}`, api, at)))
			if got := look(t, both, k.token(t, change{"nbf": at})); got.Usable(now).OK() != good {
				t.Errorf("%s: both, in %s: %q", name, ahead, got.Usable(now))
			}
			asked, _ := open(t, "", k.in(authz.ModeIntrospect, set))
			if got := ask(t, asked); got.Usable(now).OK() != good {
				t.Errorf("%s: an answer, in %s: %q", name, ahead, got.Usable(now))
			}
			signed, _ := open(t, "", signedOnly(k, set))
			k.says(testkit.Reply(http.StatusOK, signedContent, k.response(t, change{"iat": at})))
			if _, err := signed.Introspect(t.Context(),
				introspect.Question{Token: secret.New(testToken)}); (err == nil) != good {
				t.Errorf("%s: a signed response, in %s: %v", name, ahead, err)
			}
		}
	}
}
