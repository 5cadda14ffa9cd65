package ssf

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

// pushing makes the stream one that is pushed to receiver and managed.
func pushing(receiver string) func(*Config) {
	return func(cfg *Config) {
		cfg.Manage, cfg.Audience, cfg.EndpointURL = "create", nil, receiver
	}
}

// pushVerification makes the provider send the verification events that it is asked for.
func pushVerification(p *transmitter.Server, t *testing.T, rs http.Handler) {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	p.Verify = func(state string) {
		tok := jwks.Sign(t, p.Signer, "secevent+jwt", transmitter.With(setClaimsOf(p), map[string]any{
			"jti": "verification-" + state, "events": map[string]any{
				verificationEvent: map[string]any{"state": state}}, "sub_id": opaque("stream-1"),
		}))
		go func() {
			if w := postSet(t, rs, tok); w.Code != http.StatusAccepted {
				t.Errorf("status %d, %s", w.Code, w.Body)
			}
		}()
	}
}

func TestSSF_AStreamIsMadeAndVerified(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, pushing(receiverURL))
	pushVerification(p, t, rs)
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the stream is verified", func() bool {
		st := rs.Status()
		return !st.Verified.IsZero() &&
			st.State == stateUp
	})
	var made streamRequest
	if err := json.Unmarshal([]byte(p.Last("POST /streams")), &made); err != nil {
		t.Fatal(err)
	}
	if made.Delivery != (delivery{methodPush, receiverURL, testHeader}) || made.Description != "sidecar" ||
		len(made.Requested) != len(evicting()) {
		t.Errorf("%+v", made)
	}
	st := rs.Status()
	if st.StreamID != "stream-1" || st.StreamStatus != "enabled" || st.Problem != "" {
		t.Errorf("%+v", st)
	}
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusAccepted || len(l.All()) != 1 {
		t.Errorf("status %d, evicted %v", w.Code, l.All())
	}
	if strings.Contains(l.Log(), testHeader) || strings.Contains(l.Log(), "at-1") {
		t.Errorf("a secret is in the log:\n%s", l.Log())
	}
}

func TestSSF_ARestartFindsTheStreamAndMakesNoSecondOne(t *testing.T) {
	for name, change := range map[string]func(*Config){"push": pushing(receiverURL), "poll": polling} {
		t.Run(name, func(t *testing.T) {
			p := transmitter.New(t)
			for range 3 {
				rs, _ := openFor(t, p, change)
				if err := rs.setUp(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n := p.Count("POST /streams"); n != 1 {
				t.Errorf("%d streams are made", n)
			}
			updates := map[string]int{"push": 2, "poll": 0}[name] // the header of a push cannot be read back
			if n := p.Count("PATCH /streams"); n != updates {
				t.Errorf("%d updates", n)
			}
		})
	}
}

func TestSSF_AStreamOfAnotherReceiverIsLeftAlone(t *testing.T) {
	p := transmitter.New(t)
	other := map[string]any{"stream_id": "theirs", "iss": p.URL, "aud": "x",
		"delivery": map[string]any{"method": methodPush,
			"endpoint_url": "https://other.example/"}, "description": "theirs"}
	p.Streams = []map[string]any{other}
	rs, _ := openFor(t, p, pushing(receiverURL))
	if err := rs.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.Count("POST /streams") != 1 || p.Count("PATCH /streams") != 0 {
		t.Errorf("%v", p.Requests())
	}

	p = transmitter.New(t)
	p.Streams, p.OneStream = []map[string]any{other}, true
	rs, _ = openFor(t, p, pushing(receiverURL))
	if err := rs.setUp(t.Context()); err == nil || !strings.Contains(err.Error(), "of another receiver") {
		t.Errorf("error %v", err)
	}
	if p.Count("PATCH /streams") != 0 {
		t.Errorf("%v", p.Requests())
	}
}

func TestSSF_TheOnlyStreamThatATransmitterAllowsIsMoved(t *testing.T) {
	p := transmitter.New(t)
	p.OneStream = true
	p.Streams = []map[string]any{{"stream_id": "stream-1", "iss": p.URL, "aud": transmitter.StreamAudience,
		"delivery": map[string]any{"method": methodPush,
			"endpoint_url": "https://old.example/"}, "description": "sidecar"}}
	rs, _ := openFor(t, p, pushing(receiverURL))
	if err := rs.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.Last("PATCH /streams"), receiverURL) {
		t.Errorf("changed %s", p.Last("PATCH /streams"))
	}
}

func TestSSF_AServerThatCannotChangeAStreamReplacesIt(t *testing.T) {
	p := transmitter.New(t)
	p.Override["PATCH /streams"] = func(w http.ResponseWriter,
		_ *http.Request) {
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
	for range 2 {
		rs, _ := openFor(t, p, pushing(receiverURL))
		if err := rs.setUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if p.Count("PUT /streams") != 1 {
		t.Errorf("%v", p.Requests())
	}
}

func TestSSF_AStreamThatVanishesIsMadeAgain(t *testing.T) {
	t.Parallel()
	p := transmitter.New(t)
	rs, _ := openFor(t, p, polling)
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the stream is up", func() bool { return rs.Status().State == stateUp })
	gone := true
	p.Mu.Lock()
	p.Streams = nil
	p.Override["POST /poll"] = func(w http.ResponseWriter, _ *http.Request) {
		p.Mu.Lock()
		defer p.Mu.Unlock()
		if gone {
			gone = false
			delete(p.Override, "POST /poll")
			w.WriteHeader(http.StatusNotFound)
		}
	}
	p.Mu.Unlock()
	testkit.Eventually(t, "it is made again", func() bool { return p.Count("POST /streams") == 2 })
}

func TestSSF_WhatTheTransmitterSaysMustFit(t *testing.T) {
	for name, spoil := range map[string]func(*transmitter.Server){
		"configuration of another transmitter": func(p *transmitter.Server) {
			p.Metadata["issuer"] = "https://other.example"
		},
		"no keys": func(p *transmitter.Server) { p.Metadata["jwks_uri"] = nil },
		"keys on another host": func(p *transmitter.Server) {
			p.Metadata["jwks_uri"] = "https://other.example/jwks"
		},
		"streams on another host": func(p *transmitter.Server) {
			p.Metadata["configuration_endpoint"] = "https://other.example/streams"
		},
		"verification on another host": func(p *transmitter.Server) {
			p.Metadata["verification_endpoint"] = "https://other.example/verify"
		},
		"no streams": func(p *transmitter.Server) {
			p.Metadata["configuration_endpoint"] = nil
		},
		"no delivery by push": func(p *transmitter.Server) {
			p.Metadata["delivery_methods_supported"] = []string{methodPoll}
		},
		"switched off": func(p *transmitter.Server) {
			p.Override["GET /.well-known/ssf-configuration"] =
				func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }
		},
		"a stream of another issuer": func(p *transmitter.Server) {
			p.Override["POST /streams"] = testkit.ReplyJSON(
				`{"stream_id":"s","iss":"https://other.example","aud":"x","delivery":{"method":"urn:ietf:rfc:8935"}}`)
		},
		"a stream to another address": func(p *transmitter.Server) {
			p.Override["POST /streams"] = testkit.ReplyJSON(`{"stream_id":"s","iss":"` + p.URL +
				`","aud":"x","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://other.example/"}}`)
		},
		"a stream without audience": func(p *transmitter.Server) {
			p.Override["POST /streams"] = testkit.ReplyJSON(`{"stream_id":"s","iss":"` + p.URL +
				`","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"` + receiverURL + `"}}`)
		},
		"a stream of another delivery": func(p *transmitter.Server) {
			p.Override["POST /streams"] = testkit.ReplyJSON(`{"stream_id":"s","iss":"` + p.URL +
				`","aud":"x","delivery":{"method":"urn:ietf:rfc:8936","endpoint_url":"` + receiverURL + `"}}`)
		},
		"a stream without a name": func(p *transmitter.Server) {
			p.Override["POST /streams"] = testkit.ReplyJSON(`{"iss":"` + p.URL +
				`","aud":"x","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"` + receiverURL + `"}}`)
		},
		"no access token": func(p *transmitter.Server) {
			p.Override["POST /token"] = func(w http.ResponseWriter,
				_ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
			}
		},
		"an access token of another type": func(p *transmitter.Server) {
			p.Override["POST /token"] = testkit.ReplyJSON(`{"access_token":"x","token_type":"DPoP"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := transmitter.New(t)
			spoil(p)
			rs, _ := openFor(t, p, pushing(receiverURL))
			if err := rs.setUp(t.Context()); err == nil {
				t.Error("no error")
			}
			if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusServiceUnavailable {
				t.Errorf("a stream that is not set up takes events: status %d", w.Code)
			}
		})
	}
}

func TestSSF_APollAddressOnAnotherHostIsNotUsed(t *testing.T) {
	p := transmitter.New(t)
	p.Override["POST /streams"] = testkit.ReplyJSON(`{"stream_id":"s","iss":"` + p.URL +
		`","aud":"x","delivery":{"method":"urn:ietf:rfc:8936","endpoint_url":"https://other.example/poll"}}`)
	rs, _ := openFor(t, p, polling)
	if err := rs.setUp(t.Context()); err == nil {
		t.Error("the access token would go there")
	}
}

func TestSSF_StreamUpdatedTellsTheStatus(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, pushing(receiverURL))
	pushVerification(p, t, rs)
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the stream is up", func() bool { return rs.Status().State == stateUp })
	s := rs
	p.Mu.Lock()
	p.Override["GET /status"] = testkit.ReplyJSON(`{"status":"paused"}`)
	p.Mu.Unlock()
	w := postSet(t, rs, signSet(t, p, map[string]any{"jti": "u1",
		"events": map[string]any{streamUpdatedEvent: map[string]any{"status": "paused",
			"reason": "maintenance"}}, "sub_id": opaque("stream-1")}))
	if w.Code != http.StatusAccepted {
		t.Fatalf("status %d, %s", w.Code, w.Body)
	}
	if st := rs.Status(); st.State != stateDown || st.StreamStatus != "paused" {
		t.Errorf("%+v", st)
	}
	if d := last(l.Lifetimes()); d != s.cfg.DownTTL {
		t.Errorf("limit %v", d)
	}
	for name, changes := range map[string]map[string]any{
		"an unknown status": {"jti": "u2", "events": map[string]any{streamUpdatedEvent: map[string]any{"status": "x"}},
			"sub_id": opaque("stream-1")},
		"another stream": {"jti": "u3", "events": map[string]any{
			streamUpdatedEvent: map[string]any{"status": "enabled"}}, "sub_id": opaque("stream-2")},
		"no stream": {"jti": "u4", "events": map[string]any{
			streamUpdatedEvent: map[string]any{"status": "enabled"}}, "sub_id": nil},
	} {
		if w := postSet(t, rs, signSet(t, p, changes)); w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
}

func TestSSF_ATransmitterMayHaveAnotherNameThanTheIssuer(t *testing.T) {
	p, idp := transmitter.New(t), transmitter.New(t)
	issuer := transmitter.Issuer(t, idp.URL)
	rs, l := openAt(t, issuer, func(cfg *Config) {
		polling(cfg)
		cfg.Transmitter = p.URL
	}, signals.Deps{})
	put(p, "set-1", signSet(t, p, map[string]any{"sub_id": issSub(idp.URL, "alice")}))
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the event is acknowledged", func() bool { return acked(p, "set-1") })
	if len(l.All()) != 1 || p.Count("POST /token") != 0 || idp.Count("POST /token") != 1 {
		t.Errorf("evicted %v, %v, %v", l.All(), p.Requests(), idp.Requests())
	}
}

func TestEV2_AStreamThatFallsSilentIsDownAndShortensLifetimes(t *testing.T) {
	t.Parallel()
	p := transmitter.New(t)
	rs, l := openFor(t, p, func(cfg *Config) {
		polling(cfg)
		cfg.PollWait, cfg.DownAfter = 100*time.Millisecond, 1500*time.Millisecond
	})
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the stream is up", func() bool {
		return rs.Status().State == stateUp && slices.Equal(l.Lifetimes(), []time.Duration{5 * time.Second, 0})
	})
	if first := l.Lifetimes()[0]; first != 5*time.Second {
		t.Errorf("before it was up the limit was %v", first)
	}
	p.Mu.Lock()
	p.Override["POST /poll"] = func(w http.ResponseWriter,
		_ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	p.Mu.Unlock()
	testkit.Eventually(t, "the stream is down", func() bool {
		return rs.Status().State == stateDown &&
			last(l.Lifetimes()) == 5*time.Second
	})
	if rs.Status().LastOK.IsZero() || !strings.Contains(l.Log(), "stream of events is down") {
		t.Errorf("%+v\n%s", rs.Status(), l.Log())
	}
	p.Mu.Lock()
	delete(p.Override, "POST /poll")
	p.Mu.Unlock()
	testkit.Eventually(t, "the stream is up again", func() bool {
		return rs.Status().State == stateUp &&
			last(l.Lifetimes()) == 0
	})
}

func TestEV2_APushThatIsNotVerifiedIsDown(t *testing.T) {
	p := transmitter.New(t) // it sends no verification events
	rs, l := openFor(t, p, pushing(receiverURL))
	transmitter.Run(t, rs)
	testkit.Eventually(t, "verification is asked for", func() bool { return p.Count("POST /verify") > 0 })
	if st := rs.Status(); st.State != stateDown || !st.LastOK.IsZero() {
		t.Errorf("%+v", st)
	}
	if d := last(l.Lifetimes()); d != 5*time.Second {
		t.Errorf("limit %v", d)
	}
	if w := postSet(t, rs, signSet(t, p, nil)); w.Code != http.StatusAccepted || rs.Status().State != stateUp {
		t.Errorf("an event shows that it works: status %d, %+v", w.Code, rs.Status())
	}
}

func TestEV2_AStreamWhoseSilenceMeansNothingIsUnwatched(t *testing.T) {
	rs, l := openFor(t, transmitter.New(t), nil)
	transmitter.Run(t, rs)
	testkit.Eventually(t, "it is judged", func() bool { return len(l.Lifetimes()) == 1 })
	if d := last(l.Lifetimes()); d != 0 || rs.Status().State != stateUnwatched {
		t.Errorf("limit %v, %+v", d, rs.Status())
	}
}
