//go:build real

package realtest

import (
	"net/http"
	"net/url"
	"testing"
)

// Methods of delivery and types of events of Keycloak's Shared Signals transmitter. It has no other events, but for
// those about the stream itself.
const (
	pushDelivery = "urn:ietf:rfc:8935"
	pollDelivery = "urn:ietf:rfc:8936"

	sessionRevoked   = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	credentialChange = "https://schemas.openid.net/secevent/caep/event-type/credential-change"
	verification     = "https://schemas.openid.net/secevent/ssf/event-type/verification"
	streamUpdated    = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated"
)

// ssfReceiver is a client of a realm that may have a stream: one, and no more.
type ssfReceiver struct {
	realm  *keycloakRealm
	client oauthClient
}

// ssfStream is a stream as the transmitter describes it.
type ssfStream struct {
	ID        string   `json:"stream_id"`
	Issuer    string   `json:"iss"`
	Audience  []string `json:"aud"`
	Requested []string `json:"events_requested"`
	Delivered []string `json:"events_delivered"`
	Delivery  struct {
		Method        string `json:"method"`
		Endpoint      string `json:"endpoint_url"`
		Authorization string `json:"authorization_header"`
	} `json:"delivery"`
	MinVerificationInterval int `json:"min_verification_interval"`
}

// securityEvent is what a SET says, as far as it matters here (RFC 8417).
type securityEvent struct {
	ID       string                    `json:"jti"`
	Issuer   string                    `json:"iss"`
	Audience string                    `json:"aud"`
	IssuedAt int64                     `json:"iat"`
	Events   map[string]map[string]any `json:"events"`
	Subject  struct {
		Format  string `json:"format"`
		ID      string `json:"id"`
		Issuer  string `json:"iss"`
		Subject string `json:"sub"`
		User    struct {
			Issuer  string `json:"iss"`
			Subject string `json:"sub"`
		} `json:"user"`
		Session struct {
			ID string `json:"id"`
		} `json:"session"`
	} `json:"sub_id"`
}

// newSSFReceiver registers a client that may have events pushed to addresses below push; or elsewhere, see allowPush.
func (r *keycloakRealm) newSSFReceiver(t *testing.T, push string) ssfReceiver {
	t.Helper()
	c := r.newClient(t, "receiver-"+lowerText(), map[string]any{
		"optionalClientScopes": []string{"ssf.read", "ssf.manage"},
		"attributes": map[string]string{"ssf.enabled": "true", "ssf.validPushUrls": push + "/*",
			"ssf.defaultSubjects": "ALL"},
	})
	return ssfReceiver{r, c}
}

// allowPush says below what addresses events may be pushed to, from now on. A stream for another cannot be created.
func (s ssfReceiver) allowPush(t *testing.T, push string) {
	t.Helper()
	s.realm.change(t, s.realm.clientPath(t, s.client.id),
		map[string]any{"attributes": map[string]any{"ssf.validPushUrls": push + "/*"}})
}

// ssfMetadata are those of the transmitter (Shared Signals Framework 1.0 section 7.1).
func (r *keycloakRealm) ssfMetadata(t *testing.T) map[string]any {
	t.Helper()
	body, err := fetch(r.server.plain + "/.well-known/ssf-configuration/realms/" + r.name)
	if err != nil {
		t.Fatal(err)
	}
	return decode[map[string]any](t, body)
}

// token is good for the transmitter's API.
func (s ssfReceiver) token(t *testing.T) string {
	t.Helper()
	return s.realm.ask(s.client, "token", asItself("ssf.read ssf.manage")).tokens(t, s.realm.server.vault).access
}

// call makes a call to the transmitter's API, for a path below ssf/transmitter.
func (s ssfReceiver) call(t *testing.T, method, path string, body any, statuses ...int) []byte {
	t.Helper()
	return s.callURL(t, method, s.realm.issuer+"/ssf/transmitter"+path, body, statuses...)
}

func (s ssfReceiver) callURL(t *testing.T, method, url string, body any, statuses ...int) []byte {
	t.Helper()
	return jsonCall{s.realm.server.web, method, url, s.token(t), body}.want(t, statuses...)
}

// create makes a stream and deletes it at the end of t. authorization is sent along with each push.
func (s ssfReceiver) createPush(t *testing.T, endpoint, authorization string) ssfStream {
	t.Helper()
	return s.create(t, map[string]string{"method": pushDelivery, "endpoint_url": endpoint,
		"authorization_header": authorization})
}

// createPoll makes a stream for polling, whose address is in it.
func (s ssfReceiver) createPoll(t *testing.T) ssfStream {
	t.Helper()
	return s.create(t, map[string]string{"method": pollDelivery})
}

func (s ssfReceiver) create(t *testing.T, delivery map[string]string) ssfStream {
	t.Helper()
	stream := decode[ssfStream](t, s.call(t, http.MethodPost, "/streams", map[string]any{
		"events_requested": []string{sessionRevoked, credentialChange}, "delivery": delivery,
	}, http.StatusCreated))
	t.Cleanup(func() { s.deleteStream(t, stream.ID) })
	return stream
}

// streams are those that there are, made by whomever.
func (s ssfReceiver) streams(t *testing.T) []ssfStream {
	t.Helper()
	return decode[[]ssfStream](t, s.call(t, http.MethodGet, "/streams", nil, http.StatusOK))
}

// deleteStream deletes a stream. That it is gone already is no mistake.
func (s ssfReceiver) deleteStream(t *testing.T, id string) {
	t.Helper()
	s.call(t, http.MethodDelete, "/streams?stream_id="+url.QueryEscape(id), nil, http.StatusNoContent,
		http.StatusNotFound)
}

// status is enabled, paused or disabled.
func (s ssfReceiver) status(t *testing.T, id string) string {
	t.Helper()
	return decode[struct {
		Status string `json:"status"`
	}](t, s.call(t, http.MethodGet, "/streams/status?stream_id="+url.QueryEscape(id), nil, http.StatusOK)).Status
}

func (s ssfReceiver) setStatus(t *testing.T, id, status string) {
	t.Helper()
	s.call(t, http.MethodPost, "/streams/status", map[string]any{"stream_id": id, "status": status}, http.StatusOK)
}

// verify asks for a verification event with a state.
func (s ssfReceiver) verify(t *testing.T, id, state string) {
	t.Helper()
	s.call(t, http.MethodPost, "/verify", map[string]any{"stream_id": id, "state": state}, http.StatusNoContent)
}

// poll is what a poll stream holds now, by jti, without those that are acknowledged.
func (s ssfReceiver) poll(t *testing.T, stream ssfStream, acknowledged ...string) map[string]string {
	t.Helper()
	request := map[string]any{"maxEvents": 10, "returnImmediately": true}
	if len(acknowledged) > 0 {
		request["ack"] = acknowledged
	}
	return decode[struct {
		Sets map[string]string `json:"sets"`
	}](t, s.callURL(t, http.MethodPost, stream.Delivery.Endpoint, request, http.StatusOK)).Sets
}

// event reads a SET of the realm. Its signature is checked, and its type.
func (r *keycloakRealm) event(t *testing.T, compact string) securityEvent {
	t.Helper()
	return decode[securityEvent](t, r.verify(t, compact, "secevent+jwt"))
}
