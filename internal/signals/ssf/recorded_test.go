package ssf

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

// replay opens receivers at the time of a transmitter.Recording.
func replay(t testing.TB, r transmitter.Recording, at int64, change func(*Config)) (*Stream, *transmitter.Ledger) {
	t.Helper()
	issuer := transmitter.Issuer(t, r.Issuer)
	issuer.JWKSURI = r.Issuer + "/jwks"
	return openAt(t, issuer, change, signals.Deps{Now: func() time.Time { return time.Unix(at, 0) },
		Transport: transmitter.Transport(r.Network)})
}

func TestRecordedSecurityEventsEvict(t *testing.T) {
	const alice = "a11ce000-0000-4000-8000-000000000001"
	rec := transmitter.Recorded(t, "keycloak_ssf")
	cases := map[string]struct {
		at   int64
		want []authz.Revocation
	}{
		"98d-ssf-session-revoked-logout": {1795352847,
			[]authz.Revocation{{SessionID: "BE0WYuGjuWGwIVr57RYqpdZi"}, {Subject: alice}}},
		"98e-ssf-session-revoked-admin-user": {1795352850, []authz.Revocation{{Subject: alice}}},
		"98g-ssf-credential-change":          {1795352859, []authz.Revocation{{Subject: alice}}},
		"98m-ssf-receiver-500": {1795352901,
			[]authz.Revocation{{SessionID: "_IATM7YdVP_RKtjiboRuwCxm"}, {Subject: alice}}},
		"98l-ssf-verification-event": {1795352901, nil},
	}
	if len(cases) != len(rec.Posts) {
		t.Errorf("%d recordings, %d expectations", len(rec.Posts), len(cases))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := rec.Posts[name]
			config := func(cfg *Config) {
				cfg.Audience = []string{"rs-ssf/61eb8297-b29c-4d61-ade8-8cca49bb3d57"}
				cfg.Authorization = testkit.SecretFile(t, "Bearer push-secret")
			}
			rs, l := replay(t, rec, c.at, config)
			rs.states = []string{"state-1234"} // what the recorded receiver had asked with
			if w := post(t, rs, p.ContentType, p.Authorization, p.Body); w.Code != http.StatusAccepted {
				t.Fatalf("status %d, %s", w.Code, w.Body)
			}
			for _, r := range l.All() {
				if r.At.Unix() != c.at {
					t.Errorf("in force since %v", r.At)
				}
			}
			transmitter.Wants(t, l, c.want...)

			rs, l = replay(t, rec, c.at, func(cfg *Config) { config(cfg); cfg.Audience = []string{"rs-ssf"} })
			if w := post(t, rs, p.ContentType, p.Authorization, p.Body); w.Code != http.StatusBadRequest ||
				len(l.All()) != 0 {
				t.Errorf("for another stream: status %d, evicted %v", w.Code, l.All())
			}
		})
	}
}

// TestRecordedStreamsAreUnderstood replays what Keycloak answered when a receiver made its streams.
func TestRecordedStreamsAreUnderstood(t *testing.T) {
	rec := transmitter.Recorded(t, "keycloak_ssf")
	var calls []string
	polls := 0
	network := func(req *http.Request) (*http.Response, error) {
		created := rec.Push
		const api = "/realms/acme/ssf/transmitter"
		calls = append(calls, req.Method+" "+req.URL.Path)
		switch req.Method + " " + req.URL.Path {
		case "GET " + api + "/streams":
			return transmitter.Answer(200, []byte("[]")), nil
		case "POST " + api + "/streams":
			body, _ := io.ReadAll(req.Body)
			if strings.Contains(string(body), methodPoll) {
				created = rec.PollNew
			}
			return transmitter.Answer(201, created), nil
		case "GET " + api + "/streams/status":
			return transmitter.Answer(200, rec.Status), nil
		case "POST " + api + "/receivers/rs-poll/streams/9e1bc613-62d5-42e5-98b7-4366bb8f7a38/poll":
			if polls++; polls == 1 {
				return transmitter.Answer(200, rec.Poll), nil
			}
			return transmitter.Answer(200, rec.PollAck), nil
		}
		return rec.Network(req)
	}
	issuer := transmitter.Issuer(t, rec.Issuer)
	issuer.JWKSURI = rec.Issuer + "/jwks"
	open := func(change func(*Config)) (*Stream, *transmitter.Ledger) {
		return openAt(t, issuer, func(cfg *Config) {
			cfg.Manage, cfg.Audience = "create", nil
			cfg.AccessToken = testkit.SecretFile(t, "an-access-token")
			change(cfg)
		}, signals.Deps{Transport: transmitter.Transport(network), Now: func() time.Time {
			return time.Unix(1795352930, 0)
		}})
	}
	push, _ := open(func(cfg *Config) { cfg.EndpointURL = "http://127.0.0.1:18999/ssf" })
	if err := push.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := push.Status()
	if st.StreamID != "61eb8297-b29c-4d61-ade8-8cca49bb3d57" || st.StreamStatus != "enabled" {
		t.Errorf("%+v", st)
	}
	if got := push.audience(); len(got) != 1 || got[0] != "rs-ssf/61eb8297-b29c-4d61-ade8-8cca49bb3d57" {
		t.Errorf("audience %v", got)
	}

	poll, l := open(func(cfg *Config) {
		cfg.Delivery, cfg.Authorization.File = deliveryPoll, ""
	})
	s := poll
	if err := s.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, err := s.pollOnce(t.Context(), pollRequest{MaxEvents: 10, ReturnImmediately: true})
	if err != nil {
		t.Fatal(err)
	}
	q, received := s.receiveAll(t.Context(), a)
	if received != 1 || len(q.Ack) != 1 || q.Ack[0] != "3b6c5103-aaad-efa8-e54a-7a5cd5549e85" || len(q.SetErrs) != 0 {
		t.Errorf("%d new, %+v", received, q)
	}
	transmitter.Wants(t, l, authz.Revocation{SessionID: "CblDXYQYtTaBEVup0tm0fU--"},
		authz.Revocation{Subject: "a11ce000-0000-4000-8000-000000000001"})
	if a, err = s.pollOnce(t.Context(), q.pollRequest); err != nil || len(a.Sets) != 0 {
		t.Errorf("%v, %v", a, err)
	}
}
