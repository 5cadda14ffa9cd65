package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// polling makes the stream one that is polled and managed.
func polling(cfg *Config) {
	cfg.SharedSignals.Delivery, cfg.SharedSignals.Manage = deliveryPoll, "create"
	cfg.SharedSignals.Authorization.File, cfg.SharedSignals.Audience = "", nil
}

func (p *provider) put(id, tok string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue[id] = tok
}

func (p *provider) acked(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.acks, id)
}

func (p *provider) refusedAs(id string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.setErrs[id]
}

func TestPOLL1_EventsAreFetchedPutInForceAndAcknowledged(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, polling)
	run(t, rs)
	eventually(t, "the stream is up", func() bool { return streamState(rs).State == stateUp })
	p.put("set-1", signSet(t, p, nil))
	eventually(t, "the event is acknowledged", func() bool { return p.acked("set-1") })
	wants(t, l, authz.Revocation{Subject: "alice"})
	if !strings.Contains(p.last("POST /streams"), methodPoll) {
		t.Errorf("made %s", p.last("POST /streams"))
	}
}

func TestPOLL1_AnEventIsAcknowledgedOnlyWhenItIsInForce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	rs, l := openFor(t, p, polling)
	l.failing = true
	p.put("set-1", signSet(t, p, nil))
	run(t, rs)
	eventually(t, "the event is tried", func() bool { return l.of(outcomeUnavailable) > 0 })
	if p.acked("set-1") || p.refusedAs("set-1") != "" {
		t.Error("acknowledged, or refused, and not in force")
	}
	l.mu.Lock()
	l.failing = false
	l.mu.Unlock()
	eventually(t, "the event came again", func() bool { return p.acked("set-1") })
	wants(t, l, authz.Revocation{Subject: "alice"})
}

func TestPOLL1_BadEventsAreReportedWithTheirCode(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, polling)
	p.put("garbage", "garbage")
	p.put("other-audience", signSet(t, p, map[string]any{"jti": "other-audience", "aud": "x"}))
	p.put("stranger", sign(t, signerOf(t, rsaKeys()[1], "RS256"), "secevent+jwt", setClaimsOf(p)))
	p.put("misnamed", signSet(t, p, map[string]any{"jti": "set-9", "sub_id": opaque("")}))
	p.put("good", signSet(t, p, map[string]any{"jti": "good"}))
	run(t, rs)
	for id, code := range map[string]string{"garbage": codeRequest, "other-audience": codeAudience, "stranger": codeKey, "misnamed": codeRequest} {
		eventually(t, id+" is refused", func() bool { return p.refusedAs(id) == code })
	}
	eventually(t, "the good one is acknowledged", func() bool { return p.acked("good") })
	wants(t, l, authz.Revocation{Subject: "alice"})
}

func TestPOLL1_MoreThanOneAnswerHoldsIsFetchedAtOnce(t *testing.T) {
	p := newProvider(t)
	for i := range 2*mostEvents + 5 {
		id := fmt.Sprintf("set-%d", i)
		p.put(id, signSet(t, p, map[string]any{"jti": id, "sub_id": issSub(p.URL, id)}))
	}
	rs, l := openFor(t, p, polling)
	run(t, rs)
	eventually(t, "all are in force", func() bool { return len(l.all()) == 2*mostEvents+5 })
}

func TestPOLL1_AnEventThatComesAgainIsAcknowledgedAgain(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, polling)
	run(t, rs)
	for n := range 2 {
		p.put("set-1", signSet(t, p, nil))
		eventually(t, "it is acknowledged", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.queue) == 0 && len(p.acks) > n
		})
	}
	wants(t, l, authz.Revocation{Subject: "alice"})
}

func TestPOLL1_TheFirstPollReturnsAtOnceAndTheLaterOnesWait(t *testing.T) {
	p := newProvider(t)
	rs, _ := openFor(t, p, polling)
	run(t, rs)
	eventually(t, "polls wait", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.longPolls > 2
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.requests {
		if body, ok := strings.CutPrefix(r, "POST /poll "); ok {
			if !strings.Contains(body, `"returnImmediately":true`) || !strings.Contains(body, `"maxEvents":50`) {
				t.Errorf("first poll %s", body)
			}
			return
		}
	}
}

func TestPOLL1_AnAnswerThatIsTooLargeIsAskedForInSmallerParts(t *testing.T) {
	p := newProvider(t)
	p.override["POST /poll"] = func(w http.ResponseWriter, r *http.Request) {
		var q pollRequest
		_ = json.NewDecoder(r.Body).Decode(&q)
		w.Header().Set("Content-Type", "application/json")
		if q.MaxEvents > 10 {
			_, _ = io.WriteString(w, `{"sets":{"x":"`+strings.Repeat("a", maxPollBytes)+`"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"sets":{}}`)
	}
	rs, _ := openFor(t, p, polling)
	run(t, rs)
	eventually(t, "the stream is up", func() bool { return streamState(rs).State == stateUp })
}

func TestPOLL1_ATransmitterThatFailsIsLeftAloneForAWhile(t *testing.T) {
	p := newProvider(t)
	p.override["POST /poll"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	rs, l := openFor(t, p, polling)
	run(t, rs)
	eventually(t, "it failed", func() bool { return streamState(rs).Errors > 0 })
	if n := p.count("POST /poll"); n > 2 {
		t.Errorf("%d polls", n)
	}
	if st := streamState(rs); st.State != stateDown || st.Problem == "" {
		t.Errorf("%+v", st)
	}
	if !strings.Contains(l.log(), "stream of events does not work") {
		t.Errorf("log:\n%s", l.log())
	}
}

func TestPOLL1_AStreamThatWasMadeByHandIsPolledToo(t *testing.T) {
	p := newProvider(t)
	rs, l := openFor(t, p, func(cfg *Config) {
		polling(cfg)
		cfg.SharedSignals.Manage, cfg.SharedSignals.PollURL, cfg.SharedSignals.Audience = manageOff, p.URL+"/poll", []string{streamAud}
	})
	p.put("set-1", signSet(t, p, nil))
	run(t, rs)
	eventually(t, "the event is acknowledged", func() bool { return p.acked("set-1") })
	wants(t, l, authz.Revocation{Subject: "alice"})
	if p.count("GET /streams")+p.count("POST /streams")+p.count("POST /verify") != 0 {
		t.Error("a stream that is not ours was managed")
	}
}

func TestPOLL1_AnAccessTokenThatIsRefusedIsReplaced(t *testing.T) {
	p := newProvider(t)
	refuse := true
	p.override["POST /poll"] = func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if refuse {
			refuse = false
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"sets":{},"moreAvailable":false}`)
	}
	rs, _ := openFor(t, p, polling)
	run(t, rs)
	eventually(t, "the stream is up", func() bool { return streamState(rs).State == stateUp })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.grants != 2 {
		t.Errorf("%d access tokens", p.grants)
	}
}

func TestBackoffGrowsJittersAndObeysTheServer(t *testing.T) {
	var b backoff
	for i, least := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
		least *= time.Second
		if d := b.next(nil); d < least || d > least*3/2 {
			t.Errorf("pause %d is %v", i, d)
		}
	}
	if d := b.next(&authz.Error{Kind: authz.Unavailable, RetryAfter: time.Minute, Err: io.EOF}); d < time.Minute {
		t.Errorf("pause %v although a minute was asked for", d)
	}
}

func TestPOLL1_AServerThatHangsIsToldFromOneThatHasNoEvents(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	p.override["POST /poll"] = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}
	issuer := issuerConfig(t, p.URL)
	issuer.Timeout = 300 * time.Millisecond
	rs, _ := openAt(t, issuer, func(cfg *Config) {
		polling(cfg)
		cfg.SharedSignals.PollWait = 100 * time.Millisecond
	}, Deps{})
	s := rs.sources[0].stream
	if err := s.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ask(t.Context(), pollRequest{MaxEvents: 1}); !errors.Is(err, errQuiet) {
		t.Errorf("a poll that waits: %v", err)
	}
	if _, err := s.ask(t.Context(), pollRequest{MaxEvents: 1, ReturnImmediately: true}); authz.KindOf(err) != authz.Unavailable {
		t.Errorf("a poll that does not: %v", err)
	}
	run(t, rs)
	eventually(t, "it is noticed", func() bool { return streamState(rs).Problem != "" })
	if streamState(rs).State != stateDown {
		t.Errorf("%+v", streamState(rs))
	}
}

func TestEV2_APollWhoseEventsCannotBePutInForceShowsNothing(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	rs, l := openFor(t, p, polling)
	l.failing = true
	p.put("set-1", signSet(t, p, nil))
	run(t, rs)
	eventually(t, "the event came twice", func() bool { return l.of(outcomeUnavailable) > 1 })
	if st := streamState(rs); st.State != stateDown || !st.LastOK.IsZero() {
		t.Errorf("%+v", st)
	}
	l.mu.Lock()
	l.failing = false
	l.mu.Unlock()
	eventually(t, "the stream is up", func() bool { return streamState(rs).State == stateUp })
}
