package issuer

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestEV1_TheEndOfASessionEndsItsTokensInEveryMode: answers are kept for an hour. The first request after the event
// denies the token of the session, and the token of another session is good before and after. Where the JWT is
// validated locally, the event ends it although the server goes on calling it active.
func TestEV1_TheEndOfASessionEndsItsTokensInEveryMode(t *testing.T) {
	for name, c := range map[string]struct {
		mode           authz.Mode
		opaque, noCall bool // noCall: the server has no introspection endpoint
		endedByEvent   bool
	}{
		"introspect, opaque":            {mode: authz.ModeIntrospect, opaque: true},
		"introspect, JWT":               {mode: authz.ModeIntrospect},
		"introspect_opaque, opaque":     {mode: authz.ModeIntrospectOpaque, opaque: true},
		"introspect_opaque, JWT":        {mode: authz.ModeIntrospectOpaque, endedByEvent: true},
		"jwt_then_introspect":           {mode: authz.ModeJWTThenIntrospect, endedByEvent: true},
		"jwt":                           {mode: authz.ModeJWT, endedByEvent: true},
		"jwt, no introspection at hand": {mode: authz.ModeJWT, noCall: true, endedByEvent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKeyed(t)
			i, _ := open(t, "", k.in(c.mode, func(cfg *Config) {
				cfg.Cache.TTL, cfg.Cache.RevocationMemory = time.Hour, time.Hour
				if c.noCall {
					cfg.Endpoint.IntrospectionEndpoint, cfg.Endpoint.Client.Auth = "", "none"
					cfg.Endpoint.Client.Secret = secret.Source{}
				}
			}))
			var sessions, revoked sync.Map // sessions by token; tokens
			k.says(func(w http.ResponseWriter, r *http.Request) {
				token := r.PostFormValue("token")
				sid, _ := sessions.Load(token)
				_, inactive := revoked.Load(token)
				testkit.ReplyJSON(
					fmt.Sprintf(`{"active":%t,"iss":%q,"aud":%q,"sub":"alice","sid":%q,"client_id":"web"}`, !inactive,
						k.URL, api, sid))(w, r)
			})
			token := func(sid string) secret.Text {
				tok := secret.New("an-opaque-token-of-" + sid)
				if !c.opaque {
					tok = k.token(t, change{"sid": sid, "jti": sid, "iat": time.Now().Unix() - 5})
				}
				sessions.Store(tok.Reveal(), sid)
				return tok
			}
			expect := func(when, sid string, tok secret.Text, active bool) {
				t.Helper()
				if got := look(t, i, tok); got.Active != active {
					t.Errorf("%s: the token of %s: active %t, want %t: %s", when, sid, got.Active, active,
						got.Inactive.Text)
				}
			}
			over, live, unheard := token("s1"), token("s2"), token("s3")
			for sid, tok := range map[string]secret.Text{"s1": over, "s2": live, "s3": unheard} {
				expect("before", sid, tok, true)
			}
			revoked.Store(over.Reveal(), true)
			expect("revoked, without an event", "s1", over, true)
			evict(t, i, authz.Revocation{SessionID: "s1", At: time.Now(), Event: true})
			evict(t, i, authz.Revocation{SessionID: "s3", At: time.Now(), Event: true})
			for range 2 {
				expect("after the event", "s1", over, false)
				expect("after the event", "s2", live, true)
				expect("after the event that the server knows nothing of", "s3", unheard, !c.endedByEvent)
			}
		})
	}
}
