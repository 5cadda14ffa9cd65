//go:build real

package realtest

import (
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func (k *keycloak) checkPush(t *testing.T) {
	to, app, u := newReceiver(t, http.StatusAccepted), k.newApp(t), k.newUser(t)
	s := k.newSSFReceiver(t, nowhere)
	refused := map[string]string{"method": pushDelivery, "endpoint_url": to.URL + "/events"}
	s.call(t, http.MethodPost, "/streams",
		map[string]any{"events_requested": []string{sessionRevoked}, "delivery": refused}, http.StatusBadRequest)
	s.allowPush(t, to.URL)
	stream := s.createPush(t, to.URL+"/events", "Bearer of the receiver")
	if stream.Issuer != k.issuer || len(stream.Audience) != 1 || stream.Audience[0] != s.client.id+"/"+stream.ID ||
		s.status(t, stream.ID) != "enabled" || len(s.streams(t)) != 1 {
		t.Errorf("the stream is %+v", stream)
	}
	next := func(kind string) (securityEvent, time.Time) {
		t.Helper()
		got := to.await(t, "/events")
		e := k.event(t, string(got.body))
		if got.authorization != "Bearer of the receiver" || got.contentType != "application/secevent+jwt" ||
			e.Issuer != k.issuer || e.Audience != stream.Audience[0] || e.Events[kind] == nil {
			t.Errorf("the event is %+v, as %s", e, got.contentType)
		}
		return e, got.at
	}
	s.verify(t, stream.ID, "some state")
	if e, _ := next(verification); e.Subject.ID != stream.ID || e.Events[verification]["state"] != "some state" {
		t.Errorf("the verification says %+v", e)
	}
	tokens := k.userTokens(t, app, u, toRead)
	begun := time.Now()
	k.logout(t, app, tokens)
	e, at := next(sessionRevoked)
	if e.Subject.User.Subject != u.id || e.Subject.User.Issuer != k.issuer ||
		e.Subject.Session.ID != k.sid(t, tokens) {
		t.Errorf("the logout says %+v", e)
	}
	t.Logf("a logout is pushed after %v", at.Sub(begun).Round(time.Millisecond))
	// There are no events of these: what comes next is the change of the password.
	k.revoke(t, app, k.userTokens(t, app, u, toRead).refresh)
	k.deleteSession(t, k.sid(t, k.userTokens(t, app, u, toRead)))
	k.disableUser(t, u)
	k.enableUser(t, u)
	k.changePassword(t, u)
	if e, _ := next(credentialChange); e.Subject.Subject != u.id || e.Subject.Issuer != k.issuer {
		t.Errorf("the change of a password says %+v", e)
	}
	k.userTokens(t, app, k.alice, toRead)
	k.logoutUser(t, k.alice)
	if e, _ := next(sessionRevoked); e.Subject.User.Subject != k.alice.id || e.Subject.Session.ID != "ALL" {
		t.Errorf("the logout of a user says %+v", e)
	}
	s.setStatus(t, stream.ID, "paused")
	next(streamUpdated)
	// The receiver may have one stream alone.
	s.call(t, http.MethodPost, "/streams",
		map[string]any{"events_requested": []string{sessionRevoked},
			"delivery": map[string]string{"method": pollDelivery}}, http.StatusConflict)
}

func (k *keycloak) checkPoll(t *testing.T) {
	r := k.newRealm(t)
	s, u := r.newSSFReceiver(t, nowhere), r.newUser(t)
	stream := s.createPoll(t)
	r.userTokens(t, r.app, u, toRead)
	// There are no events of these: what there is to poll is about the user's own logout.
	r.setNotBefore(t, 1)
	r.pushNotBefore(t)
	r.logoutAll(t)
	r.deleteUser(t, r.alice)
	r.setNotBefore(t, 0)
	tokens := r.userTokens(t, r.app, u, toRead)
	r.logout(t, r.app, tokens)
	var sets map[string]string
	testkit.Within(t, 10*time.Second, "poll an event", func() bool {
		sets = s.poll(t, stream)
		return len(sets) > 0
	})
	for id, compact := range sets {
		e := r.event(t, compact)
		if e.ID != id || e.Events[sessionRevoked] == nil || e.Subject.Session.ID != r.sid(t, tokens) {
			t.Errorf("the event is %+v", e)
		}
		if more := s.poll(t, stream, id); len(more) > 0 {
			t.Errorf("%d events are left", len(more))
		}
	}
	if m := r.ssfMetadata(t); m["issuer"] != r.issuer ||
		m["configuration_endpoint"] != r.issuer+"/ssf/transmitter/streams" {
		t.Errorf("the metadata are %v", m)
	}
}
