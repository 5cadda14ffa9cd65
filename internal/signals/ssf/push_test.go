package ssf

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

func TestPUSH1_TheHeaderOfTheStreamAndTheContentTypeAreAskedFor(t *testing.T) {
	p := transmitter.New(t)
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
		w := post(t, rs, c.contentType, c.authorization, good)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"err":"`+c.code+`"`) {
			t.Errorf("%s: status %d, %s", name, w.Code, w.Body)
		}
	}
	transmitter.Wants(t, l)
	if w := post(t, rs, typ+"; charset=utf-8", testHeader, good); w.Code != http.StatusAccepted {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
}

func TestPUSH2_ASuccessIs202AndEmptyAndInForce(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	w := postSet(t, rs, signSet(t, p, nil))
	if w.Code != http.StatusAccepted || w.Body.Len() != 0 {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	transmitter.Wants(t, l, authz.Revocation{Subject: "alice"})
	if at, now := l.All()[0].At, time.Now(); at.After(now.Add(-4*time.Second)) || at.Before(now.Add(-7*time.Second)) {
		t.Errorf("in force since %v, and the event says five seconds ago", at)
	}
}

func TestPUSH2_ARepetitionIsAnsweredAlikeAndDoesNothing(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	for range 3 {
		if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusAccepted || w.Body.Len() != 0 {
			t.Errorf("status %d, %s", w.Code, w.Body)
		}
	}
	if len(l.All()) != 1 || l.Of(signals.Duplicate) != 2 {
		t.Errorf("evicted %v, outcomes %v", l.All(), l.Outcomes())
	}
}

func TestPUSH2_WhatIsNotInForceIsNotAccepted(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	l.FailEvictions()
	w := postSet(t, rs, signSet(t, p, nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
	l.AllowEvictions()
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusAccepted || len(l.All()) != 1 {
		t.Errorf("status %d, evicted %v", w.Code, l.All())
	}
}

func TestPUSH2_ATransmitterThatCannotBeAskedForItsKeysIsToSendAgain(t *testing.T) {
	p := transmitter.New(t)
	p.Override["GET /.well-known/ssf-configuration"] =
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	rs, l := openFor(t, p, nil)
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
	transmitter.Wants(t, l)
}

func TestPUSH3_AFailureIsJSONInALanguage(t *testing.T) {
	p := transmitter.New(t)
	rs, _ := openFor(t, p, nil)
	w := postSet(t, rs, "garbage")
	h := w.Header()
	if w.Code != http.StatusBadRequest || h.Get("Content-Type") != "application/json" ||
		h.Get("Content-Language") != "en" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, header %v", w.Code, h)
	}
	if strings.Contains(w.Body.String(), "garbage") {
		t.Errorf("the answer repeats what was sent: %s", w.Body)
	}
}

func TestPUSH3_ALargeBodyIsNotRead(t *testing.T) {
	rs, _ := openFor(t, transmitter.New(t), nil)
	if w := postSet(t, rs, strings.Repeat("a", signals.MaxTokenBytes+1)); w.Code != http.StatusBadRequest ||
		!strings.Contains(w.Body.String(), "too large") {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
}

func TestPUSH3_AStateThatWasNotSentIsInvalid(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	w := postSet(t, rs, about(t, p, verificationEvent, map[string]any{"state": "never sent"}, opaque("stream-1")))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), codeState) {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	w = postSet(t, rs, about(t, p, verificationEvent, nil, opaque("stream-1"))) // the transmitter's own initiative
	if w.Code != http.StatusAccepted || rs.Status().Verified.IsZero() {
		t.Errorf("status %d, %s, %+v", w.Code, w.Body, rs.Status())
	}
	transmitter.Wants(t, l)
}

func TestEV2_AnEventThatIsNotInForceDoesNotShowThatPushesWork(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, func(cfg *Config) {
		pushing(receiverURL)(cfg)
		cfg.Audience = []string{transmitter.StreamAudience}
	})
	l.FailEvictions()
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusServiceUnavailable ||
		rs.Status().State != stateDown {
		t.Errorf("status %d, %+v", w.Code, rs.Status())
	}
	l.AllowEvictions()
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusAccepted || rs.Status().State != stateUp {
		t.Errorf("status %d, %+v", w.Code, rs.Status())
	}
}

func TestSSF_ALateVerificationIsAccepted(t *testing.T) {
	p := transmitter.New(t)
	rs, _ := openFor(t, p, pushing(receiverURL))
	var states []string
	p.Verify = func(state string) { states = append(states, state) }
	s := rs
	if err := s.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.requestVerification(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, state := range []string{states[1], states[0], states[0]} {
		w := postSet(t, rs, signSet(t, p, map[string]any{
			"jti": fmt.Sprint("v", i), "events": map[string]any{verificationEvent: map[string]any{"state": state}},
			"sub_id": opaque("stream-1"),
		}))
		if want := []int{202, 202, 400}[i]; w.Code != want {
			t.Errorf("answer %d: status %d, %s", i, w.Code, w.Body)
		}
	}
}
