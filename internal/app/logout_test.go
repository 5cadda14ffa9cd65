package app

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"

	"github.com/authz-sidecar/sidecar/internal/signals/backchannel"
	"github.com/authz-sidecar/sidecar/internal/signals/receivers"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

// form posts a form to the admin listener with a caller key that is not there.
func (w *world) form(t *testing.T, path string, values url.Values) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.admin+path,
		strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestALogoutIsInForceAtOnceAlthoughAnswersAreCached(t *testing.T) {
	key := jwks.NewSigner(t, "k")
	keys, _ := jwks.Serve(t, key)
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Endpoint.JWKSURI, c.Issuers[0].Cache.TTL = keys, time.Hour
		c.Listen.Admin.BearerKeysFile = testkit.TempFile(t, "keys", callerKey+"\n")
		one := conf.Default[receivers.Config]()
		one.Issuer = "dev"
		one.BackChannelLogout = backchannel.Config{Audience: []string{"web"}, Algorithms: []string{"ES256"}}
		c.Events = []receivers.Config{one}
	})
	over, live := w.token(t, good()), w.token(t, good())
	for _, tok := range []string{over, live} {
		if a := w.ask(t, tok); !a.is("allow", 200, "") {
			t.Fatal(a)
		}
	}
	w.issuer.Revoke(over)
	if a := w.ask(t, over); !a.is("allow", 200, "") {
		t.Fatalf("the answer is not cached, so this proves nothing: %s", a)
	}
	now := time.Now().Unix()
	tok := jwks.Sign(t, key, "logout+jwt", map[string]any{
		"iss": w.issuer.Issuer(), "aud": "web", "iat": now, "exp": now + 60, "jti": "1", "sub": "alice",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	})
	if code := w.form(t, "/v1/events/dev/backchannel-logout",
		url.Values{"logout_token": {tok}}); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, w.logger)
	}
	if a := w.ask(t, over); !a.is("unauthenticated", 401, "invalid_token") {
		t.Errorf("the token that is over: %s", a)
	}
	if a := w.ask(t, live); !a.is("allow", 200, "") { // the event proves nothing: the issuer was asked again
		t.Errorf("the token that lives on: %s", a)
	}
}
