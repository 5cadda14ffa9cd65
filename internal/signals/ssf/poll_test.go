package ssf

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
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

// polling makes the stream one that is polled and managed.
func polling(cfg *Config) {
	cfg.Delivery, cfg.Manage = deliveryPoll, "create"
	cfg.Authorization.File, cfg.Audience = "", nil
}

func put(p *transmitter.Server, id, tok string) {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	p.Queue[id] = tok
}

func acked(p *transmitter.Server, id string) bool {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	return slices.Contains(p.Acks, id)
}

func refusedAs(p *transmitter.Server, id string) string {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	return p.SetErrs[id]
}

func TestPOLL1_EventsAreFetchedPutInForceAndAcknowledged(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, polling)
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the stream is up", func() bool { return rs.Status().State == stateUp })
	put(p, "set-1", signSet(t, p, nil))
	testkit.Eventually(t, "the event is acknowledged", func() bool { return acked(p, "set-1") })
	transmitter.Wants(t, l, authz.Revocation{Subject: "alice"})
	if !strings.Contains(p.Last("POST /streams"), methodPoll) {
		t.Errorf("made %s", p.Last("POST /streams"))
	}
}

func TestPOLL1_AnEventIsAcknowledgedOnlyWhenItIsInForce(t *testing.T) {
	t.Parallel()
	p := transmitter.New(t)
	rs, l := openFor(t, p, polling)
	l.FailEvictions()
	put(p, "set-1", signSet(t, p, nil))
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the event is tried", func() bool { return l.Of(signals.Unavailable) > 0 })
	if acked(p, "set-1") || refusedAs(p, "set-1") != "" {
		t.Error("acknowledged, or refused, and not in force")
	}
	l.AllowEvictions()
	testkit.Eventually(t, "the event came again", func() bool { return acked(p, "set-1") })
	transmitter.Wants(t, l, authz.Revocation{Subject: "alice"})
}

func TestPOLL1_BadEventsAreReportedWithTheirCode(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, polling)
	put(p, "garbage", "garbage")
	put(p, "other-audience", signSet(t, p, map[string]any{"jti": "other-audience", "aud": "x"}))
	put(p, "other-key", jwks.Sign(t, transmitter.OtherSigner(t, "RS256"), "secevent+jwt", setClaimsOf(p)))
	put(p, "misnamed", signSet(t, p, map[string]any{"jti": "set-9", "sub_id": opaque("")}))
	put(p, "good", signSet(t, p, map[string]any{"jti": "good"}))
	transmitter.Run(t, rs)
	for id, code := range map[string]string{"garbage": codeRequest, "other-audience": codeAudience,
		"other-key": codeKey, "misnamed": codeRequest} {
		testkit.Eventually(t, id+" is refused", func() bool { return refusedAs(p, id) == code })
	}
	testkit.Eventually(t, "the good one is acknowledged", func() bool { return acked(p, "good") })
	transmitter.Wants(t, l, authz.Revocation{Subject: "alice"})
}

func TestPOLL1_MoreThanOneAnswerHoldsIsFetchedAtOnce(t *testing.T) {
	p := transmitter.New(t)
	for i := range 2*maxEvents + 5 {
		id := fmt.Sprintf("set-%d", i)
		put(p, id, signSet(t, p, map[string]any{"jti": id, "sub_id": issSub(p.URL, id)}))
	}
	rs, l := openFor(t, p, polling)
	transmitter.Run(t, rs)
	testkit.Eventually(t, "all are in force", func() bool { return len(l.All()) == 2*maxEvents+5 })
}

func TestPOLL1_AnEventThatComesAgainIsAcknowledgedAgain(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, polling)
	transmitter.Run(t, rs)
	for n := range 2 {
		put(p, "set-1", signSet(t, p, nil))
		testkit.Eventually(t, "it is acknowledged", func() bool {
			p.Mu.Lock()
			defer p.Mu.Unlock()
			return len(p.Queue) == 0 && len(p.Acks) > n
		})
	}
	transmitter.Wants(t, l, authz.Revocation{Subject: "alice"})
}

func TestPOLL1_TheFirstPollReturnsAtOnceAndTheLaterOnesWait(t *testing.T) {
	p := transmitter.New(t)
	rs, _ := openFor(t, p, polling)
	transmitter.Run(t, rs)
	testkit.Eventually(t, "polls wait", func() bool {
		p.Mu.Lock()
		defer p.Mu.Unlock()
		return p.LongPolls > 2
	})
	for _, r := range p.Requests() {
		if body, ok := strings.CutPrefix(r, "POST /poll "); ok {
			if !strings.Contains(body, `"returnImmediately":true`) || !strings.Contains(body, `"maxEvents":50`) {
				t.Errorf("first poll %s", body)
			}
			return
		}
	}
}

func TestPOLL1_AnAnswerThatIsTooLargeIsAskedForInSmallerParts(t *testing.T) {
	p := transmitter.New(t)
	p.Override["POST /poll"] = func(w http.ResponseWriter, r *http.Request) {
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
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the stream is up", func() bool { return rs.Status().State == stateUp })
}

func TestPOLL1_ATransmitterThatFailsIsLeftAloneForAWhile(t *testing.T) {
	p := transmitter.New(t)
	p.Override["POST /poll"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	rs, l := openFor(t, p, polling)
	transmitter.Run(t, rs)
	testkit.Eventually(t, "it failed", func() bool { return rs.Status().Errors > 0 })
	if n := p.Count("POST /poll"); n > 2 {
		t.Errorf("%d polls", n)
	}
	if st := rs.Status(); st.State != stateDown || st.Problem == "" {
		t.Errorf("%+v", st)
	}
	if !strings.Contains(l.Log(), "stream of events does not work") {
		t.Errorf("log:\n%s", l.Log())
	}
}

func TestPOLL1_AStreamThatWasMadeByHandIsPolledToo(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, func(cfg *Config) {
		polling(cfg)
		cfg.Manage, cfg.PollURL, cfg.Audience = manageOff, p.URL+"/poll", []string{transmitter.StreamAudience}
	})
	put(p, "set-1", signSet(t, p, nil))
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the event is acknowledged", func() bool { return acked(p, "set-1") })
	transmitter.Wants(t, l, authz.Revocation{Subject: "alice"})
	if p.Count("GET /streams")+p.Count("POST /streams")+p.Count("POST /verify") != 0 {
		t.Error("a stream that is not ours was managed")
	}
}

func TestPOLL1_AnAccessTokenThatIsRefusedIsReplaced(t *testing.T) {
	p := transmitter.New(t)
	refuse := true
	p.Override["POST /poll"] = func(w http.ResponseWriter, _ *http.Request) {
		p.Mu.Lock()
		defer p.Mu.Unlock()
		if refuse {
			refuse = false
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"sets":{},"moreAvailable":false}`)
	}
	rs, _ := openFor(t, p, polling)
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the stream is up", func() bool { return rs.Status().State == stateUp })
	p.Mu.Lock()
	defer p.Mu.Unlock()
	if p.Grants != 2 {
		t.Errorf("%d access tokens", p.Grants)
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
	p := transmitter.New(t)
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	p.Override["POST /poll"] = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}
	issuer := transmitter.Issuer(t, p.URL)
	issuer.Timeout = 300 * time.Millisecond
	rs, _ := openAt(t, issuer, func(cfg *Config) {
		polling(cfg)
		cfg.PollWait = 100 * time.Millisecond
	}, signals.Deps{})
	s := rs
	if err := s.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pollOnce(t.Context(), pollRequest{MaxEvents: 1}); !errors.Is(err, errNoAnswer) {
		t.Errorf("a poll that waits: %v", err)
	}
	if _, err := s.pollOnce(t.Context(), pollRequest{MaxEvents: 1, ReturnImmediately: true}); authz.KindOf(
		err) != authz.Unavailable {
		t.Errorf("a poll that does not: %v", err)
	}
	transmitter.Run(t, rs)
	testkit.Eventually(t, "it is noticed", func() bool { return rs.Status().Problem != "" })
	if rs.Status().State != stateDown {
		t.Errorf("%+v", rs.Status())
	}
}

func TestEV2_APollWhoseEventsCannotBePutInForceShowsNothing(t *testing.T) {
	t.Parallel()
	p := transmitter.New(t)
	rs, l := openFor(t, p, polling)
	l.FailEvictions()
	put(p, "set-1", signSet(t, p, nil))
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the event came twice", func() bool { return l.Of(signals.Unavailable) > 1 })
	if st := rs.Status(); st.State != stateDown || !st.LastOK.IsZero() {
		t.Errorf("%+v", st)
	}
	l.AllowEvictions()
	testkit.Eventually(t, "the stream is up", func() bool { return rs.Status().State == stateUp })
}
