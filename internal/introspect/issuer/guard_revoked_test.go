package issuer

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// Answers are kept for an hour; then all users are logged out, and all tokens are asked about at once. Most are over.
// That is no guessing, and must not keep the others out.
func TestINT12_ALogoutOfManyIsNoGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := false
		i, _ := guarded(t, func(c *Config) { limits(1, 1)(c); c.Cache.TTL = time.Hour },
			func(r *http.Request) (*http.Response, error) {
				if err := r.ParseForm(); err != nil {
					return nil, err
				}
				return replies(200, fmt.Sprintf(`{"active":%t}`, !over || r.PostForm.Get("token") == "good-49"))
			})
		for n := range 50 {
			from(t, i, "192.0.2.1", fmt.Sprint("good-", n))
		}
		time.Sleep(50 * time.Minute)
		over = true
		evict(t, i, authz.Revocation{All: true})
		for n := range 50 {
			c, e := from(t, i, "192.0.2.1", fmt.Sprint("good-", n))
			if c == nil || c.Active != (n == 49) {
				t.Fatalf("token %d: %v", n, e)
			}
		}
	})
}

func TestINT12_AJWTWhoseSignatureWasVerifiedIsNoGuess(t *testing.T) {
	k := newKeyed(t)
	for _, mode := range []authz.Mode{authz.ModeJWTThenIntrospect, authz.ModeJWT} {
		t.Run(string(mode), func(t *testing.T) {
			i, _ := open(t, "", k.in(mode, limits(1, 0), func(c *Config) { c.Cache.RevocationMemory = time.Hour }))
			evict(t, i, authz.Revocation{All: true}) // in mode jwt they are asked about after that
			k.says(testkit.ReplyJSON(`{"active":false}`))
			for n := range 20 {
				if c := look(t, i, k.token(t, change{"jti": fmt.Sprint(n)})); c.Active {
					t.Fatal("active")
				}
			}
			k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"aud":%q}`, api)))
			if c := look(t, i, k.token(t, change{"jti": "good"})); !c.Active {
				t.Error(c.Inactive.Text)
			}
		})
	}
}
