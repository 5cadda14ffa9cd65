package events

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// pushing makes the stream one that is pushed to receiver and managed.
func pushing(receiver string) func(*Config) {
	return func(cfg *Config) {
		cfg.SharedSignals.Manage, cfg.SharedSignals.Audience, cfg.SharedSignals.EndpointURL = "create", nil, receiver
	}
}

const receiverURL = "https://sidecar.example/v1/events/acme/shared-signals"

// pushVerification makes the provider send the verification events that it is asked for.
func (p *provider) pushVerification(t *testing.T, rs http.Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verify = func(state string) {
		tok := sign(t, p.signer, "secevent+jwt", with(setClaimsOf(p), map[string]any{
			"jti": "verification-" + state, "events": map[string]any{verificationEvent: map[string]any{"state": state}}, "sub_id": opaque("stream-1"),
		}))
		go func() {
			if w := postSet(t, rs, tok); w.Code != http.StatusAccepted {
				t.Errorf("status %d, %s", w.Code, w.Body)
			}
		}()
	}
}

func TestSSF_AStreamIsMadeAndVerified(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, pushing(receiverURL))
	p.pushVerification(t, rs)
	run(t, rs)
	eventually(t, "the stream is verified", func() bool { st := streamState(rs); return !st.Verified.IsZero() && st.State == stateUp })
	var made streamRequest
	if err := json.Unmarshal([]byte(p.last("POST /streams")), &made); err != nil {
		t.Fatal(err)
	}
	if made.Delivery != (delivery{methodPush, receiverURL, testHeader}) || made.Description != "sidecar" || len(made.Requested) != len(wanted()) {
		t.Errorf("%+v", made)
	}
	st := streamState(rs)
	if st.StreamID != "stream-1" || st.StreamStatus != "enabled" || st.Problem != "" {
		t.Errorf("%+v", st)
	}
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusAccepted || len(l.all()) != 1 {
		t.Errorf("status %d, evicted %v", w.Code, l.all())
	}
	if strings.Contains(l.log(), testHeader) || strings.Contains(l.log(), "at-1") {
		t.Errorf("a secret is in the log:\n%s", l.log())
	}
}

func TestSSF_ARestartFindsTheStreamAndMakesNoSecondOne(t *testing.T) {
	for name, change := range map[string]func(*Config){"push": pushing(receiverURL), "poll": polling} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			for range 3 {
				rs, _ := openFor(t, p, change)
				if err := rs.sources[0].stream.setUp(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n := p.count("POST /streams"); n != 1 {
				t.Errorf("%d streams are made", n)
			}
			updates := map[string]int{"push": 2, "poll": 0}[name] // nobody knows which header a push has
			if n := p.count("PATCH /streams"); n != updates {
				t.Errorf("%d updates", n)
			}
		})
	}
}

func TestSSF_AStreamOfSomebodyElseIsLeftAlone(t *testing.T) {
	p := newProvider(t)
	other := map[string]any{"stream_id": "theirs", "iss": p.URL, "aud": "x", "delivery": map[string]any{"method": methodPush, "endpoint_url": "https://other.example/"}, "description": "theirs"}
	p.streams = []map[string]any{other}
	rs, _ := openFor(t, p, pushing(receiverURL))
	if err := rs.sources[0].stream.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.count("POST /streams") != 1 || p.count("PATCH /streams") != 0 {
		t.Errorf("%v", p.requests)
	}

	p = newProvider(t)
	p.streams, p.conflict = []map[string]any{other}, true
	rs, _ = openFor(t, p, pushing(receiverURL))
	if err := rs.sources[0].stream.setUp(t.Context()); err == nil || !strings.Contains(err.Error(), "not ours") {
		t.Errorf("error %v", err)
	}
	if p.count("PATCH /streams") != 0 {
		t.Errorf("%v", p.requests)
	}
}

func TestSSF_TheOnlyStreamThatATransmitterAllowsMovesWithUs(t *testing.T) {
	p := newProvider(t)
	p.conflict = true
	p.streams = []map[string]any{{"stream_id": "stream-1", "iss": p.URL, "aud": streamAud, "delivery": map[string]any{"method": methodPush, "endpoint_url": "https://old.example/"}, "description": "sidecar"}}
	rs, _ := openFor(t, p, pushing(receiverURL))
	if err := rs.sources[0].stream.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.last("PATCH /streams"), receiverURL) {
		t.Errorf("changed %s", p.last("PATCH /streams"))
	}
}

func TestSSF_AServerThatCannotChangeAStreamReplacesIt(t *testing.T) {
	p := newProvider(t)
	p.override["PATCH /streams"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }
	for range 2 {
		rs, _ := openFor(t, p, pushing(receiverURL))
		if err := rs.sources[0].stream.setUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if p.count("PUT /streams") != 1 {
		t.Errorf("%v", p.requests)
	}
}

func TestSSF_AStreamThatVanishesIsMadeAgain(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	rs, _ := openFor(t, p, polling)
	run(t, rs)
	eventually(t, "the stream is up", func() bool { return streamState(rs).State == stateUp })
	gone := true
	p.mu.Lock()
	p.streams = nil
	p.override["POST /poll"] = func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if gone {
			gone = false
			delete(p.override, "POST /poll")
			w.WriteHeader(http.StatusNotFound)
		}
	}
	p.mu.Unlock()
	eventually(t, "it is made again", func() bool { return p.count("POST /streams") == 2 })
}

func TestSSF_WhatTheTransmitterSaysMustFit(t *testing.T) {
	for name, spoil := range map[string]func(*provider){
		"configuration of another transmitter": func(p *provider) { p.metadata["issuer"] = "https://other.example" },
		"no keys":                              func(p *provider) { p.metadata["jwks_uri"] = nil },
		"keys on another host":                 func(p *provider) { p.metadata["jwks_uri"] = "https://other.example/jwks" },
		"streams on another host":              func(p *provider) { p.metadata["configuration_endpoint"] = "https://other.example/streams" },
		"verification on another host":         func(p *provider) { p.metadata["verification_endpoint"] = "https://other.example/verify" },
		"no streams":                           func(p *provider) { p.metadata["configuration_endpoint"] = nil },
		"no delivery by push":                  func(p *provider) { p.metadata["delivery_methods_supported"] = []string{methodPoll} },
		"switched off": func(p *provider) {
			p.override["GET /.well-known/ssf-configuration"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }
		},
		"a stream of another issuer": func(p *provider) {
			p.override["POST /streams"] = says(`{"stream_id":"s","iss":"https://other.example","aud":"x","delivery":{"method":"urn:ietf:rfc:8935"}}`)
		},
		"a stream to another address": func(p *provider) {
			p.override["POST /streams"] = says(`{"stream_id":"s","iss":"` + p.URL + `","aud":"x","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://other.example/"}}`)
		},
		"a stream without audience": func(p *provider) {
			p.override["POST /streams"] = says(`{"stream_id":"s","iss":"` + p.URL + `","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"` + receiverURL + `"}}`)
		},
		"a stream of another delivery": func(p *provider) {
			p.override["POST /streams"] = says(`{"stream_id":"s","iss":"` + p.URL + `","aud":"x","delivery":{"method":"urn:ietf:rfc:8936","endpoint_url":"` + receiverURL + `"}}`)
		},
		"a stream without a name": func(p *provider) {
			p.override["POST /streams"] = says(`{"iss":"` + p.URL + `","aud":"x","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"` + receiverURL + `"}}`)
		},
		"no access token": func(p *provider) {
			p.override["POST /token"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }
		},
		"an access token of another type": func(p *provider) { p.override["POST /token"] = says(`{"access_token":"x","token_type":"DPoP"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			spoil(p)
			rs, _ := openFor(t, p, pushing(receiverURL))
			if err := rs.sources[0].stream.setUp(t.Context()); err == nil {
				t.Error("no error")
			}
			if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusServiceUnavailable {
				t.Errorf("a stream that is not set up takes events: status %d", w.Code)
			}
		})
	}
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	}
}

func TestSSF_APollAddressOnAnotherHostIsNotUsed(t *testing.T) {
	p := newProvider(t)
	p.override["POST /streams"] = says(`{"stream_id":"s","iss":"` + p.URL + `","aud":"x","delivery":{"method":"urn:ietf:rfc:8936","endpoint_url":"https://other.example/poll"}}`)
	rs, _ := openFor(t, p, polling)
	if err := rs.sources[0].stream.setUp(t.Context()); err == nil {
		t.Error("the access token would go there")
	}
}

func TestSSF_StreamUpdatedTellsTheStatus(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, pushing(receiverURL))
	p.pushVerification(t, rs)
	run(t, rs)
	eventually(t, "the stream is up", func() bool { return streamState(rs).State == stateUp })
	s := rs.sources[0].stream
	p.mu.Lock()
	p.override["GET /status"] = says(`{"status":"paused"}`)
	p.mu.Unlock()
	w := postSet(t, rs, signSet(t, p, map[string]any{"jti": "u1", "events": map[string]any{streamUpdatedEvent: map[string]any{"status": "paused", "reason": "maintenance"}}, "sub_id": opaque("stream-1")}))
	if w.Code != http.StatusAccepted {
		t.Fatalf("status %d, %s", w.Code, w.Body)
	}
	if st := streamState(rs); st.State != stateDown || st.StreamStatus != "paused" {
		t.Errorf("%+v", st)
	}
	if d, _ := l.limit(); d != s.cfg.DownTTL {
		t.Errorf("limit %v", d)
	}
	for name, changes := range map[string]map[string]any{
		"a status nobody knows": {"jti": "u2", "events": map[string]any{streamUpdatedEvent: map[string]any{"status": "x"}}, "sub_id": opaque("stream-1")},
		"another stream":        {"jti": "u3", "events": map[string]any{streamUpdatedEvent: map[string]any{"status": "enabled"}}, "sub_id": opaque("stream-2")},
		"no stream":             {"jti": "u4", "events": map[string]any{streamUpdatedEvent: map[string]any{"status": "enabled"}}, "sub_id": nil},
	} {
		if w := postSet(t, rs, signSet(t, p, changes)); w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
}

func TestSSF_ATransmitterMayHaveAnotherNameThanTheIssuer(t *testing.T) {
	p, idp := newProvider(t), newProvider(t)
	issuer := issuerConfig(t, idp.URL)
	rs, l := openAt(t, issuer, func(cfg *Config) {
		polling(cfg)
		cfg.SharedSignals.Transmitter = p.URL
	}, Deps{})
	p.put("set-1", signSet(t, p, map[string]any{"sub_id": issSub(idp.URL, "alice")}))
	run(t, rs)
	eventually(t, "the event is acknowledged", func() bool { return p.acked("set-1") })
	if len(l.all()) != 1 || p.count("POST /token") != 0 || idp.count("POST /token") != 1 {
		t.Errorf("evicted %v, %v, %v", l.all(), p.requests, idp.requests)
	}
}

func TestEV2_AStreamThatFallsSilentIsDownAndShortensLifetimes(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	rs, l := openFor(t, p, func(cfg *Config) {
		polling(cfg)
		cfg.SharedSignals.PollWait, cfg.SharedSignals.DownAfter = 100*time.Millisecond, 1500*time.Millisecond
	})
	run(t, rs)
	eventually(t, "the stream is up", func() bool { d, n := l.limit(); return streamState(rs).State == stateUp && d == 0 && n == 2 })
	l.mu.Lock()
	first := l.limits[0]
	l.mu.Unlock()
	if first != 5*time.Second {
		t.Errorf("before it was up the limit was %v", first)
	}
	p.mu.Lock()
	p.override["POST /poll"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	p.mu.Unlock()
	eventually(t, "the stream is down", func() bool { d, _ := l.limit(); return streamState(rs).State == stateDown && d == 5*time.Second })
	if streamState(rs).LastOK.IsZero() || !strings.Contains(l.log(), "stream of events is down") {
		t.Errorf("%+v\n%s", streamState(rs), l.log())
	}
	p.mu.Lock()
	delete(p.override, "POST /poll")
	p.mu.Unlock()
	eventually(t, "the stream is up again", func() bool { d, _ := l.limit(); return streamState(rs).State == stateUp && d == 0 })
}

func TestEV2_APushThatIsNotVerifiedIsDown(t *testing.T) {
	p := newProvider(t) // it sends no verification events
	rs, l := openFor(t, p, pushing(receiverURL))
	run(t, rs)
	eventually(t, "verification is asked for", func() bool { return p.count("POST /verify") > 0 })
	if st := streamState(rs); st.State != stateDown || !st.LastOK.IsZero() {
		t.Errorf("%+v", st)
	}
	if d, _ := l.limit(); d != 5*time.Second {
		t.Errorf("limit %v", d)
	}
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusAccepted || streamState(rs).State != stateUp {
		t.Errorf("an event shows that it works: status %d, %+v", w.Code, streamState(rs))
	}
}

func TestEV2_WhereNothingWouldTellTheStreamIsUnwatched(t *testing.T) {
	rs, l := openFor(t, newProvider(t), nil)
	run(t, rs)
	eventually(t, "it is judged", func() bool { _, n := l.limit(); return n == 1 })
	if d, _ := l.limit(); d != 0 || streamState(rs).State != stateUnwatched {
		t.Errorf("limit %v, %+v", d, streamState(rs))
	}
}
