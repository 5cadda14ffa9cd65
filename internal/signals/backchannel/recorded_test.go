package backchannel

import (
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

func TestRecordedLogoutTokensEvict(t *testing.T) {
	const alice = "a11ce000-0000-4000-8000-000000000001"
	cases := map[string]struct {
		server, client string
		at             int64
		want           []authz.Revocation
	}{
		"90-backchannel-logout-by-refresh-token": {"keycloak", "orders-cli", 1795353827,
			[]authz.Revocation{{SessionID: "9x1IKtjrFqUqt2E7TR3yNXV9"}, {Subject: alice}}},
		"90a-backchannel-logout-admin-session": {"keycloak", "orders-cli", 1795353827,
			[]authz.Revocation{{SessionID: "1iLn-78w4PvdITc5mg_7TUsL"}, {Subject: alice}}},
		"90b-backchannel-logout-admin-user": {"keycloak", "orders-cli", 1795353828,
			[]authz.Revocation{{SessionID: "9A7nQwQ6dWv5lMmg0gI0uEwm"}, {Subject: alice}}},
		"90d-backchannel-logout-rp-initiated": {"keycloak", "orders-cli", 1795353831,
			[]authz.Revocation{{SessionID: "LPCFEuIz-VQlNyTU4AzjNP2l"}, {Subject: alice}}},
		"91-backchannel-logout-no-session-required": {"keycloak", "orders-cli", 1795353841,
			[]authz.Revocation{{Subject: alice}}},
		"91a-backchannel-logout-revoke-offline": {"keycloak", "orders-cli", 1795353841,
			[]authz.Revocation{{SessionID: "ixtgsTsaq9DSPqUT8yuY3yMf"}, {Subject: alice}}},
		"91b-backchannel-logout-receiver-500": {"keycloak", "orders-cli", 1795353842,
			[]authz.Revocation{{SessionID: "HRWkOAjThR1iZTwicl29W7vY"}, {Subject: alice}}},
		"backchannel-logout-0": {"oidc_provider", "web", 1795351776,
			[]authz.Revocation{{SessionID: "qnvfdwwdZBqlPIYeG37Q6KBmQtTx6RjN7ouKynJ1y3x"}, {Subject: "alice"}}},
		"backchannel-logout-1": {"oidc_provider", "web", 1795351777,
			[]authz.Revocation{{SessionID: "N_wSb7bAhnYN5u2ysd8z0l13frkrSMXsVoEALdMT8Hd"}, {Subject: "alice"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rec := transmitter.Recorded(t, c.server)
			p := rec.Posts[name]
			rs, l := replay(t, rec, c.at, func(cfg *Config) { cfg.Audience = []string{c.client} })
			if w := post(t, rs, p.ContentType, p.Body); w.Code != http.StatusOK {
				t.Fatalf("status %d, %s", w.Code, w.Body)
			}
			if at := l.All()[0].At; at.Unix() != c.at {
				t.Errorf("in force since %v", at)
			}
			transmitter.Wants(t, l, c.want...)

			rs, l = replay(t, rec, c.at+3600, func(cfg *Config) { cfg.Audience = []string{c.client} })
			if w := post(t, rs, p.ContentType, p.Body); w.Code != http.StatusBadRequest || len(l.All()) != 0 {
				t.Errorf("an hour later: status %d, evicted %v", w.Code, l.All())
			}
			rs, l = replay(t, rec, c.at, nil)
			if w := post(t, rs, p.ContentType, p.Body); w.Code != http.StatusBadRequest || len(l.All()) != 0 {
				t.Errorf("for another client: status %d, evicted %v", w.Code, l.All())
			}
		})
	}
	for server, n := range map[string]int{"keycloak": 7, "oidc_provider": 2} {
		for name, p := range transmitter.Recorded(t, server).Posts {
			if _, known := cases[name]; strings.HasPrefix(p.Path, "/bcl") {
				n--
				if !known {
					t.Errorf("%s has no expectation", name)
				}
			}
		}
		if n != 0 {
			t.Errorf("%s: %d recordings are missing", server, n)
		}
	}
}
