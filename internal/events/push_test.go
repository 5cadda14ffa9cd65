package events

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

func TestPUSH1_TheHeaderOfTheStreamAndTheContentTypeAreAskedFor(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, nil)
	good := signSet(t, p, nil)
	const typ = "application/secevent+jwt"
	for name, c := range map[string]struct{ contentType, authorization, code string }{
		"no header":            {typ, "", codeAuthentication},
		"another header":       {typ, "Bearer another", codeAuthentication},
		"a longer header":      {typ, testHeader + "x", codeAuthentication},
		"a header of the case": {typ, strings.ToLower(testHeader), codeAuthentication},
		"JSON":                 {"application/json", testHeader, codeRequest},
		"no content type":      {"", testHeader, codeRequest},
	} {
		w := post(t, rs, "shared-signals", c.contentType, c.authorization, good)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"err":"`+c.code+`"`) {
			t.Errorf("%s: status %d, %s", name, w.Code, w.Body)
		}
	}
	wants(t, l)
	if w := post(t, rs, "shared-signals", typ+"; charset=utf-8", testHeader, good); w.Code != http.StatusAccepted {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
}

func TestPUSH1_OnlyPostIsTaken(t *testing.T) {
	rs, _ := openFor(t, newProvider(t), nil)
	w := httptest.NewRecorder()
	rs.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/events/acme/shared-signals", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("status %d", w.Code)
	}
}

func TestPUSH1_PathsOfOtherIssuersLeadNowhere(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, nil)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events/other/shared-signals", strings.NewReader(signSet(t, p, nil)))
	r.Header.Set("Authorization", testHeader)
	r.Header.Set("Content-Type", "application/secevent+jwt")
	w := httptest.NewRecorder()
	rs.ServeHTTP(w, r)
	if w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
	wants(t, l)
}

func TestPUSH2_ASuccessIs202AndEmptyAndInForce(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, nil)
	w := postSet(t, rs, signSet(t, p, nil))
	if w.Code != http.StatusAccepted || w.Body.Len() != 0 {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	wants(t, l, authz.Revocation{Subject: "alice"})
	if at, now := l.all()[0].At, time.Now(); at.After(now.Add(-4*time.Second)) || at.Before(now.Add(-7*time.Second)) {
		t.Errorf("in force since %v, and the event says five seconds ago", at)
	}
}

func TestPUSH2_ARepetitionIsAnsweredAlikeAndDoesNothing(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, nil)
	for range 3 {
		if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusAccepted || w.Body.Len() != 0 {
			t.Errorf("status %d, %s", w.Code, w.Body)
		}
	}
	if len(l.all()) != 1 || l.of(outcomeDuplicate) != 2 {
		t.Errorf("evicted %v, outcomes %v", l.all(), l.outcomes)
	}
}

func TestPUSH2_WhatIsNotInForceIsNotAccepted(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, nil)
	l.failing = true
	w := postSet(t, rs, signSet(t, p, nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
	l.failing = false
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusAccepted || len(l.all()) != 1 {
		t.Errorf("status %d, evicted %v", w.Code, l.all())
	}
}

func TestPUSH2_ATransmitterThatCannotBeAskedForItsKeysIsToSendAgain(t *testing.T) {
	p := newProvider(t)
	p.override["GET /.well-known/ssf-configuration"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	rs, l := openFor(t, p, nil)
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
	wants(t, l)
}

func TestPUSH3_AFailureIsJSONInALanguage(t *testing.T) {
	p := newProvider(t)
	rs, _ := openFor(t, p, nil)
	w := postSet(t, rs, "garbage")
	h := w.Header()
	if w.Code != http.StatusBadRequest || h.Get("Content-Type") != "application/json" || h.Get("Content-Language") != "en" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, header %v", w.Code, h)
	}
	if strings.Contains(w.Body.String(), "garbage") {
		t.Errorf("the answer repeats what was sent: %s", w.Body)
	}
}

func TestPUSH3_ALargeBodyIsNotRead(t *testing.T) {
	rs, _ := openFor(t, newProvider(t), nil)
	if w := postSet(t, rs, strings.Repeat("a", maxTokenBytes+1)); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "too large") {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
}

func TestPUSH3_AStateThatNobodySentIsInvalid(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, nil)
	w := postSet(t, rs, about(t, p, verificationEvent, map[string]any{"state": "from a stranger"}, opaque("stream-1")))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), codeState) {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	w = postSet(t, rs, about(t, p, verificationEvent, nil, opaque("stream-1"))) // the transmitter's own initiative
	if w.Code != http.StatusAccepted || streamState(rs).Verified.IsZero() {
		t.Errorf("status %d, %s, %+v", w.Code, w.Body, streamState(rs))
	}
	wants(t, l)
}

func TestMemoryIsBoundedAndForgetsTheOldest(t *testing.T) {
	m := newMemory(3)
	for _, id := range []string{"a", "b", "b", "c", "d"} {
		m.add(id)
	}
	if m.has("a") || !m.has("b") || !m.has("c") || !m.has("d") || len(m.known) > 4 {
		t.Errorf("%v", m.known)
	}
	for i := range 100 {
		m.add(strings.Repeat("x", i+1))
	}
	if len(m.known) > 3 {
		t.Errorf("%d are remembered", len(m.known))
	}
}

func TestEV2_AnEventThatIsNotInForceDoesNotShowThatPushesWork(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, func(cfg *Config) {
		pushing(receiverURL)(cfg)
		cfg.SharedSignals.Audience = []string{streamAud}
	})
	l.failing = true
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusServiceUnavailable || streamState(rs).State != stateDown {
		t.Errorf("status %d, %+v", w.Code, streamState(rs))
	}
	l.failing = false
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusAccepted || streamState(rs).State != stateUp {
		t.Errorf("status %d, %+v", w.Code, streamState(rs))
	}
}

func TestSSF_AVerificationThatComesLateIsNotOneThatNobodyAskedFor(t *testing.T) {
	p := newProvider(t)
	rs, _ := openFor(t, p, pushing(receiverURL))
	var states []string
	p.verify = func(state string) { states = append(states, state) }
	s := rs.sources[0].stream
	if err := s.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.askVerification(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, state := range []string{states[1], states[0], states[0]} {
		w := postSet(t, rs, signSet(t, p, map[string]any{
			"jti": fmt.Sprint("v", i), "events": map[string]any{verificationEvent: map[string]any{"state": state}}, "sub_id": opaque("stream-1"),
		}))
		if want := []int{202, 202, 400}[i]; w.Code != want {
			t.Errorf("answer %d: status %d, %s", i, w.Code, w.Body)
		}
	}
}
