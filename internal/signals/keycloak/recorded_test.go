package keycloak

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

func TestRecordedAdminMessagesEvict(t *testing.T) {
	rec := transmitter.Recorded(t, "keycloak")
	for name, c := range map[string]struct {
		client string
		at     int64
		want   []authz.Revocation
		since  int64
	}{
		"92-admin-url-push-not-before-realm": {"orders-api", 1795353845, []authz.Revocation{{All: true}},
			1795353843},
		"92-admin-url-push-not-before-realm-other-client": {"orders-cli", 1795353845, []authz.Revocation{{All: true}},
			1795353843},
		"92a-admin-url-push-not-before-client": {"orders-api", 1795353845, []authz.Revocation{{All: true}},
			1795353844},
		"92d-admin-url-logout-all": {"orders-api", 1795353850, []authz.Revocation{{All: true}},
			time.Time{}.Unix()},
		"92d-admin-url-logout-all-other-client": {"orders-cli", 1795353850, []authz.Revocation{{All: true}},
			time.Time{}.Unix()},
		"92e-admin-url-test-available": {"orders-api", 1795353850, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := rec.Posts[name]
			action := p.Path[strings.LastIndex(p.Path, "/")+1:]
			config := func(client string) func(*Config) { return func(cfg *Config) { cfg.ClientID = client } }
			rs, l := replay(t, rec, c.at, config(c.client))
			if w := post(t, rs, action, p.ContentType, p.Body); w.Code != http.StatusNoContent {
				t.Fatalf("status %d, %s", w.Code, w.Body)
			}
			for _, r := range l.All() {
				if r.At.Unix() != c.since {
					t.Errorf("in force since %v", r.At)
				}
			}
			transmitter.Wants(t, l, c.want...)

			for what, try := range map[string]func() (*Receiver, *transmitter.Ledger, string){
				"an hour later": func() (*Receiver, *transmitter.Ledger, string) {
					rs, l := replay(t, rec, c.at+3600, config(c.client))
					return rs, l, action
				},
				"for another client": func() (*Receiver, *transmitter.Ledger, string) {
					rs, l := replay(t, rec, c.at, config("other"))
					return rs, l, action
				},
				"by keys of elsewhere": func() (*Receiver, *transmitter.Ledger, string) {
					other := rec
					other.JWKS = transmitter.Recorded(t, "keycloak_ssf").JWKS
					rs, l := replay(t, other, c.at, config(c.client))
					return rs, l, action
				},
				"at the wrong path": func() (*Receiver, *transmitter.Ledger, string) {
					rs, l := replay(t, rec, c.at, config(c.client))
					if action == "k_logout" {
						return rs, l, "k_push_not_before"
					}
					return rs, l, "k_logout"
				},
			} {
				rs, l, to := try()
				if w := post(t, rs, to, p.ContentType, p.Body); w.Code != http.StatusBadRequest || len(l.All()) != 0 {
					t.Errorf("%s: status %d, evicted %v", what, w.Code, l.All())
				}
			}
		})
	}
}
