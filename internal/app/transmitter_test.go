package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"

	"github.com/authz-sidecar/sidecar/internal/signals/backchannel"
	"github.com/authz-sidecar/sidecar/internal/signals/receivers"
	"github.com/authz-sidecar/sidecar/internal/signals/ssf"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

const (
	streamHeader = "Bearer the-header-of-the-stream-91d2"
	streamToken  = "the-access-token-of-the-stream-5e07"
)

// transmitter signals that tokens are over, by every delivery. Its key set has the keys of the authorization
// server too.
type transmitter struct {
	*httptest.Server
	key   *jose.Signer
	sets  chan map[string]string // answers of the next polls
	acked chan string
}

// newTransmitter is the transmitter of the authorization server whose key set is at the URL that keys returns.
func newTransmitter(t *testing.T, keys func() string) *transmitter {
	t.Helper()
	tr := &transmitter{key: jwks.NewSigner(t, "k"), sets: make(chan map[string]string, 10),
		acked: make(chan string, 100)}
	mux := http.NewServeMux()
	says := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/ssf-configuration", func(w http.ResponseWriter, _ *http.Request) {
		says(w, map[string]any{"issuer": tr.URL, "jwks_uri": tr.URL + "/jwks"})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if from := keys(); from != "" {
			if resp, err := http.Get(from); err == nil {
				_ = json.NewDecoder(resp.Body).Decode(&set)
				_ = resp.Body.Close()
			}
		}
		set.Keys = append(set.Keys, json.RawMessage(tr.key.Public()))
		says(w, set)
	})
	mux.HandleFunc("POST /poll", func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			ReturnImmediately bool     `json:"returnImmediately"`
			Ack               []string `json:"ack"`
		}
		if json.NewDecoder(r.Body).Decode(&q) != nil || r.Header.Get("Authorization") != "Bearer "+streamToken {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		for _, a := range q.Ack {
			tr.acked <- a
		}
		sets := map[string]string{}
		if !q.ReturnImmediately {
			select {
			case sets = <-tr.sets:
			case <-r.Context().Done():
				return
			}
		}
		says(w, map[string]any{"sets": sets})
	})
	tr.Server = httptest.NewServer(mux)
	t.Cleanup(tr.Close)
	return tr
}

// receivedFrom has a sidecar take logout tokens and security events of tr: delivery is push or poll.
func receivedFrom(t *testing.T, tr *transmitter, delivery string, c *config.Config) {
	t.Helper()
	one := conf.Default[receivers.Config]()
	one.Issuer = "dev"
	one.BackChannelLogout = backchannel.Config{Audience: []string{"web"}, Algorithms: []string{"ES256"}}
	one.SharedSignals = ssf.Config{
		Delivery: delivery, Manage: "off", Transmitter: tr.URL, Audience: []string{"sidecar/1"},
		Algorithms: []string{"ES256"},
		PollWait:   30 * time.Second, PollEvery: 100 * time.Millisecond, DownAfter: 3 * time.Minute,
		DownTTL: 5 * time.Second,
	}
	one.SharedSignals.AccessToken = testkit.SecretFile(t, streamToken+"\n")
	if delivery == "push" {
		one.SharedSignals.Authorization = testkit.SecretFile(t, streamHeader+"\n")
	} else {
		one.SharedSignals.PollURL = tr.URL + "/poll"
	}
	c.Events = []receivers.Config{one}
	c.Issuers[0].Endpoint.JWKSURI = tr.URL + "/jwks"
}

// revoked is a security event token: a session of alice's is over.
func (tr *transmitter) revoked(t *testing.T, jti, sid, issuer string) string {
	t.Helper()
	return jwks.Sign(t, tr.key, "secevent+jwt", map[string]any{
		"iss": tr.URL, "aud": "sidecar/1", "iat": time.Now().Unix(), "jti": jti,
		"sub_id": map[string]any{
			"format": "complex", "session": map[string]any{"format": "opaque", "id": sid},
			"user": map[string]any{"format": "iss_sub", "iss": issuer, "sub": "alice"},
		},
		"events": map[string]any{"https://schemas.openid.net/secevent/caep/event-type/session-revoked": map[string]any{
			"event_timestamp": time.Now().Unix()}},
	})
}

// loggedOut is a logout token: a session of alice's is over.
func (tr *transmitter) loggedOut(t *testing.T, jti, sid, issuer string) string {
	t.Helper()
	now := time.Now().Unix()
	return jwks.Sign(t, tr.key, "logout+jwt", map[string]any{
		"iss": issuer, "aud": "web", "iat": now, "exp": now + 60, "jti": jti, "sub": "alice", "sid": sid,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	})
}

// pushed posts a security event token, and returns the status and the body of the answer.
func (w *world) pushed(t *testing.T, path, set, header string) (int, string) {
	t.Helper()
	return w.post(t, w.admin+path, set, http.Header{"Content-Type": {"application/secevent+jwt"},
		"Authorization": {header}})
}

// post sends a body with a header, and returns the status and the body of the answer.
func (w *world) post(t *testing.T, to, body string, header http.Header) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	return w.do(t, r)
}

// deliver is how the end of a session is signaled; each returns when the event was answered.
var deliver = map[string]func(t *testing.T, w *world, tr *transmitter, sid string){
	"session-revoked, pushed": func(t *testing.T, w *world, tr *transmitter, sid string) {
		if code, body := w.pushed(t, "/v1/events/dev/shared-signals", tr.revoked(t, "of-"+sid, sid, w.issuer.Issuer()),
			streamHeader); code != http.StatusAccepted {
			t.Fatalf("status %d: %s", code, body)
		}
	},
	"session-revoked, polled": func(t *testing.T, w *world, tr *transmitter, sid string) {
		tr.sets <- map[string]string{"of-" + sid: tr.revoked(t, "of-"+sid, sid, w.issuer.Issuer())}
		select {
		case <-tr.acked:
		case <-time.After(time.Minute):
			t.Fatal("the event is not acknowledged")
		}
	},
	"back-channel logout": func(t *testing.T, w *world, tr *transmitter, sid string) {
		code := w.form(t, "/v1/events/dev/backchannel-logout",
			url.Values{"logout_token": {tr.loggedOut(t, "of-"+sid, sid, w.issuer.Issuer())}})
		if code != http.StatusOK {
			t.Fatalf("status %d: %s", code, w.logger)
		}
	},
}

// methodOf is how the stream has to be configured for a delivery.
func methodOf(delivery string) string {
	if strings.HasSuffix(delivery, "polled") {
		return "poll"
	}
	return "push"
}

// streamIsUp waits until the stream of events works.
func (w *world) streamIsUp(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, "the stream is up", func() bool {
		s := w.get(t, "/v1/status")
		return strings.Contains(s, fmt.Sprintf("%q: %q", "state", "up")) ||
			strings.Contains(s, fmt.Sprintf("%q: %q", "state", "unwatched"))
	})
}
