package events

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// recording is what a real server sent, its keys, and what it answered to the calls of a receiver.
type recording struct {
	Issuer  string
	JWKS    json.RawMessage
	SSF     json.RawMessage `json:"ssf_configuration"`
	Push    json.RawMessage `json:"create_push"`
	PollNew json.RawMessage `json:"create_poll"`
	Status  json.RawMessage
	Poll    json.RawMessage
	PollAck json.RawMessage `json:"poll_ack"`
	Posts   map[string]recordedPost
}

type recordedPost struct {
	Path          string
	ContentType   string `json:"content_type"`
	Authorization string
	Body          string
}

func recorded(t testing.TB, server string) recording {
	t.Helper()
	raw, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]recording
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	r, ok := all[server]
	if !ok {
		t.Fatalf("no recording of %q", server)
	}
	return r
}

// wire is a transport that is a function.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func answer(status int, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json;charset=UTF-8"}}, Body: io.NopCloser(strings.NewReader(string(body)))}
}

// network answers as the recorded server did: its keys and its configuration.
func (r recording) network(req *http.Request) (*http.Response, error) {
	switch {
	case strings.HasPrefix(req.URL.Path, "/.well-known/ssf-configuration"):
		return answer(200, r.SSF), nil
	case strings.HasSuffix(req.URL.Path, "/certs"), strings.HasSuffix(req.URL.Path, "/jwks"):
		return answer(200, r.JWKS), nil
	}
	return answer(404, []byte("{}")), nil
}

// replay opens receivers at the time of a recording.
func replay(t testing.TB, r recording, at int64, change func(*Config)) (*Receivers, *ledger) {
	t.Helper()
	issuer := issuerConfig(t, r.Issuer)
	issuer.JWKSURI = r.Issuer + "/jwks"
	return openAt(t, issuer, change, Deps{Now: func() time.Time { return time.Unix(at, 0) }, Transport: wire(r.network)})
}

func TestRecordedLogoutTokensEvict(t *testing.T) {
	const alice = "a11ce000-0000-4000-8000-000000000001"
	cases := map[string]struct {
		server, client string
		at             int64
		want           []authz.Revocation
	}{
		"90-backchannel-logout-by-refresh-token":    {"keycloak", "orders-cli", 1795353827, []authz.Revocation{{SessionID: "9x1IKtjrFqUqt2E7TR3yNXV9"}, {Subject: alice}}},
		"90a-backchannel-logout-admin-session":      {"keycloak", "orders-cli", 1795353827, []authz.Revocation{{SessionID: "1iLn-78w4PvdITc5mg_7TUsL"}, {Subject: alice}}},
		"90b-backchannel-logout-admin-user":         {"keycloak", "orders-cli", 1795353828, []authz.Revocation{{SessionID: "9A7nQwQ6dWv5lMmg0gI0uEwm"}, {Subject: alice}}},
		"90d-backchannel-logout-rp-initiated":       {"keycloak", "orders-cli", 1795353831, []authz.Revocation{{SessionID: "LPCFEuIz-VQlNyTU4AzjNP2l"}, {Subject: alice}}},
		"91-backchannel-logout-no-session-required": {"keycloak", "orders-cli", 1795353841, []authz.Revocation{{Subject: alice}}},
		"91a-backchannel-logout-revoke-offline":     {"keycloak", "orders-cli", 1795353841, []authz.Revocation{{SessionID: "ixtgsTsaq9DSPqUT8yuY3yMf"}, {Subject: alice}}},
		"91b-backchannel-logout-receiver-500":       {"keycloak", "orders-cli", 1795353842, []authz.Revocation{{SessionID: "HRWkOAjThR1iZTwicl29W7vY"}, {Subject: alice}}},
		"backchannel-logout-0":                      {"oidc_provider", "web", 1795351776, []authz.Revocation{{SessionID: "qnvfdwwdZBqlPIYeG37Q6KBmQtTx6RjN7ouKynJ1y3x"}, {Subject: "alice"}}},
		"backchannel-logout-1":                      {"oidc_provider", "web", 1795351777, []authz.Revocation{{SessionID: "N_wSb7bAhnYN5u2ysd8z0l13frkrSMXsVoEALdMT8Hd"}, {Subject: "alice"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rec := recorded(t, c.server)
			p := rec.Posts[name]
			rs, l := replay(t, rec, c.at, func(cfg *Config) { cfg.BackChannelLogout.Audience = []string{c.client} })
			if w := post(t, rs, "backchannel-logout", p.ContentType, "", p.Body); w.Code != http.StatusOK {
				t.Fatalf("status %d, %s", w.Code, w.Body)
			}
			if at := l.all()[0].At; at.Unix() != c.at {
				t.Errorf("in force since %v", at)
			}
			wants(t, l, c.want...)

			rs, l = replay(t, rec, c.at+3600, func(cfg *Config) { cfg.BackChannelLogout.Audience = []string{c.client} })
			if w := post(t, rs, "backchannel-logout", p.ContentType, "", p.Body); w.Code != http.StatusBadRequest || len(l.all()) != 0 {
				t.Errorf("an hour later: status %d, evicted %v", w.Code, l.all())
			}
			rs, l = replay(t, rec, c.at, nil)
			if w := post(t, rs, "backchannel-logout", p.ContentType, "", p.Body); w.Code != http.StatusBadRequest || len(l.all()) != 0 {
				t.Errorf("for another client: status %d, evicted %v", w.Code, l.all())
			}
		})
	}
	for server, n := range map[string]int{"keycloak": 7, "oidc_provider": 2} {
		for name, p := range recorded(t, server).Posts {
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

func TestRecordedAdminMessagesEvict(t *testing.T) {
	rec := recorded(t, "keycloak")
	for name, c := range map[string]struct {
		client string
		at     int64
		want   []authz.Revocation
		since  int64
	}{
		"92-admin-url-push-not-before-realm":              {"orders-api", 1795353845, []authz.Revocation{{All: true}}, 1795353843},
		"92-admin-url-push-not-before-realm-other-client": {"orders-cli", 1795353845, []authz.Revocation{{All: true}}, 1795353843},
		"92a-admin-url-push-not-before-client":            {"orders-api", 1795353845, []authz.Revocation{{All: true}}, 1795353844},
		"92d-admin-url-logout-all":                        {"orders-api", 1795353850, []authz.Revocation{{All: true}}, time.Time{}.Unix()},
		"92d-admin-url-logout-all-other-client":           {"orders-cli", 1795353850, []authz.Revocation{{All: true}}, time.Time{}.Unix()},
		"92e-admin-url-test-available":                    {"orders-api", 1795353850, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := rec.Posts[name]
			action := p.Path[strings.LastIndex(p.Path, "/")+1:]
			config := func(client string) func(*Config) { return func(cfg *Config) { cfg.KeycloakAdmin.ClientID = client } }
			rs, l := replay(t, rec, c.at, config(c.client))
			if w := post(t, rs, "keycloak/"+action, p.ContentType, "", p.Body); w.Code != http.StatusNoContent {
				t.Fatalf("status %d, %s", w.Code, w.Body)
			}
			for _, r := range l.all() {
				if r.At.Unix() != c.since {
					t.Errorf("in force since %v", r.At)
				}
			}
			wants(t, l, c.want...)

			for what, try := range map[string]func() (*Receivers, *ledger, string){
				"an hour later": func() (*Receivers, *ledger, string) {
					rs, l := replay(t, rec, c.at+3600, config(c.client))
					return rs, l, action
				},
				"for another client": func() (*Receivers, *ledger, string) {
					rs, l := replay(t, rec, c.at, config("other"))
					return rs, l, action
				},
				"by keys of elsewhere": func() (*Receivers, *ledger, string) {
					other := rec
					other.JWKS = recorded(t, "keycloak_ssf").JWKS
					rs, l := replay(t, other, c.at, config(c.client))
					return rs, l, action
				},
				"at the wrong path": func() (*Receivers, *ledger, string) {
					rs, l := replay(t, rec, c.at, config(c.client))
					if action == "k_logout" {
						return rs, l, "k_push_not_before"
					}
					return rs, l, "k_logout"
				},
			} {
				rs, l, to := try()
				if w := post(t, rs, "keycloak/"+to, p.ContentType, "", p.Body); w.Code != http.StatusBadRequest || len(l.all()) != 0 {
					t.Errorf("%s: status %d, evicted %v", what, w.Code, l.all())
				}
			}
		})
	}
}

func TestRecordedSecurityEventsEvict(t *testing.T) {
	const alice = "a11ce000-0000-4000-8000-000000000001"
	rec := recorded(t, "keycloak_ssf")
	cases := map[string]struct {
		at   int64
		want []authz.Revocation
	}{
		"98d-ssf-session-revoked-logout":     {1795352847, []authz.Revocation{{SessionID: "BE0WYuGjuWGwIVr57RYqpdZi"}, {Subject: alice}}},
		"98e-ssf-session-revoked-admin-user": {1795352850, []authz.Revocation{{Subject: alice}}},
		"98g-ssf-credential-change":          {1795352859, []authz.Revocation{{Subject: alice}}},
		"98m-ssf-receiver-500":               {1795352901, []authz.Revocation{{SessionID: "_IATM7YdVP_RKtjiboRuwCxm"}, {Subject: alice}}},
		"98l-ssf-verification-event":         {1795352901, nil},
	}
	if len(cases) != len(rec.Posts) {
		t.Errorf("%d recordings, %d expectations", len(rec.Posts), len(cases))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := rec.Posts[name]
			config := func(cfg *Config) {
				cfg.SharedSignals.Audience = []string{"rs-ssf/61eb8297-b29c-4d61-ade8-8cca49bb3d57"}
				cfg.SharedSignals.Authorization = secretFile(t, "Bearer push-secret")
			}
			rs, l := replay(t, rec, c.at, config)
			rs.sources[0].stream.states = []string{"state-1234"} // what the recorded receiver had asked with
			if w := post(t, rs, "shared-signals", p.ContentType, p.Authorization, p.Body); w.Code != http.StatusAccepted {
				t.Fatalf("status %d, %s", w.Code, w.Body)
			}
			for _, r := range l.all() {
				if r.At.Unix() != c.at {
					t.Errorf("in force since %v", r.At)
				}
			}
			wants(t, l, c.want...)

			rs, l = replay(t, rec, c.at, func(cfg *Config) { config(cfg); cfg.SharedSignals.Audience = []string{"rs-ssf"} })
			if w := post(t, rs, "shared-signals", p.ContentType, p.Authorization, p.Body); w.Code != http.StatusBadRequest || len(l.all()) != 0 {
				t.Errorf("for another stream: status %d, evicted %v", w.Code, l.all())
			}
		})
	}
}

// TestRecordedStreamsAreUnderstood replays what Keycloak answered when a receiver made its streams.
func TestRecordedStreamsAreUnderstood(t *testing.T) {
	rec := recorded(t, "keycloak_ssf")
	var calls []string
	polls := 0
	network := func(req *http.Request) (*http.Response, error) {
		created := rec.Push
		const api = "/realms/acme/ssf/transmitter"
		calls = append(calls, req.Method+" "+req.URL.Path)
		switch req.Method + " " + req.URL.Path {
		case "GET " + api + "/streams":
			return answer(200, []byte("[]")), nil
		case "POST " + api + "/streams":
			body, _ := io.ReadAll(req.Body)
			if strings.Contains(string(body), methodPoll) {
				created = rec.PollNew
			}
			return answer(201, created), nil
		case "GET " + api + "/streams/status":
			return answer(200, rec.Status), nil
		case "POST " + api + "/receivers/rs-poll/streams/9e1bc613-62d5-42e5-98b7-4366bb8f7a38/poll":
			if polls++; polls == 1 {
				return answer(200, rec.Poll), nil
			}
			return answer(200, rec.PollAck), nil
		}
		return rec.network(req)
	}
	issuer := issuerConfig(t, rec.Issuer)
	issuer.JWKSURI = rec.Issuer + "/jwks"
	open := func(change func(*Config)) (*Receivers, *ledger) {
		return openAt(t, issuer, func(cfg *Config) {
			cfg.SharedSignals.Manage, cfg.SharedSignals.Audience = "create", nil
			cfg.SharedSignals.AccessToken = secretFile(t, "an-access-token")
			change(cfg)
		}, Deps{Transport: wire(network), Now: func() time.Time { return time.Unix(1795352930, 0) }})
	}
	push, _ := open(func(cfg *Config) { cfg.SharedSignals.EndpointURL = "http://127.0.0.1:18999/ssf" })
	if err := push.sources[0].stream.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := streamState(push)
	if st.StreamID != "61eb8297-b29c-4d61-ade8-8cca49bb3d57" || st.StreamStatus != "enabled" {
		t.Errorf("%+v", st)
	}
	if got := push.sources[0].stream.audience(); len(got) != 1 || got[0] != "rs-ssf/61eb8297-b29c-4d61-ade8-8cca49bb3d57" {
		t.Errorf("audience %v", got)
	}

	poll, l := open(func(cfg *Config) {
		cfg.SharedSignals.Delivery, cfg.SharedSignals.Authorization.File = deliveryPoll, ""
	})
	s := poll.sources[0].stream
	if err := s.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, err := s.ask(t.Context(), pollRequest{MaxEvents: 10, ReturnImmediately: true})
	if err != nil {
		t.Fatal(err)
	}
	q, fresh := s.takeAll(t.Context(), a)
	if fresh != 1 || len(q.Ack) != 1 || q.Ack[0] != "3b6c5103-aaad-efa8-e54a-7a5cd5549e85" || len(q.SetErrs) != 0 {
		t.Errorf("%d new, %+v", fresh, q)
	}
	wants(t, l, authz.Revocation{SessionID: "CblDXYQYtTaBEVup0tm0fU--"}, authz.Revocation{Subject: "a11ce000-0000-4000-8000-000000000001"})
	if a, err = s.ask(t.Context(), q.pollRequest); err != nil || len(a.Sets) != 0 {
		t.Errorf("%v, %v", a, err)
	}
}
