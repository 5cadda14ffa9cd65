package issuer

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestINT19_FiveHundredCallersShareOneQuestion(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	var once sync.Once
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(entered) })
		latency := time.NewTimer(300 * time.Millisecond)
		defer latency.Stop()
		select {
		case <-latency.C:
			testkit.ReplyJSON(`{"active":true,"sub":"a"}`)(w, r)
		case <-r.Context().Done():
		}
	})
	i, _ := open(t, u.URL, nil)
	first, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := i.Introspect(first, introspect.Question{Token: secret.New(testToken)})
		gone <- err
	}()
	<-entered
	answers := make(chan *authz.Claims, 499)
	for range cap(answers) {
		go func() {
			c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)})
			if err != nil {
				t.Error(err)
			}
			answers <- c
		}()
	}
	leave()
	if err := <-gone; authz.KindOf(err) != authz.Unavailable {
		t.Errorf("the caller who left got %v", err)
	}
	for range cap(answers) {
		if c := <-answers; c == nil || c.Subject.ID != "a" {
			t.Fatalf("claims %+v", c)
		}
	}
	if n := u.calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestINT19_TheAnswerIsKeptThoughNoCallerWaited(t *testing.T) {
	release := make(chan struct{})
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		testkit.ReplyJSON(`{"active":true}`)(w, r)
	})
	i, _ := open(t, u.URL, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := i.Introspect(ctx,
		introspect.Question{Token: secret.New(testToken)}); authz.KindOf(err) != authz.Unavailable {
		t.Fatalf("error %v", err)
	}
	close(release)
	testkit.Eventually(t, "the answer is kept", func() bool { return i.Stats().Active.Entries == 1 })
}

func TestINT19_AFailureIsSharedButNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		i, _ := openWired(t, nil, func(*http.Request) (*http.Response, error) {
			calls++
			time.Sleep(time.Second)
			r := wireJSON("")
			r.StatusCode = http.StatusBadGateway
			return r, nil
		})
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { refusal(t, i, authz.Unavailable) })
		}
		all.Wait()
		if calls != 1 {
			t.Errorf("%d calls for ten callers", calls)
		}
		if refusal(t, i, authz.Unavailable); calls != 2 {
			t.Errorf("%d calls after the failure", calls)
		}
	})
}

func TestACallersDeadlineIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Time, 1)
		i, _ := openWired(t, nil, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			ended <- time.Now()
			return nil, r.Context().Err()
		})
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := i.Introspect(ctx,
			introspect.Question{Token: secret.New(testToken)}); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("after %v", took)
		}
		if took := (<-ended).Sub(start); took != 5*time.Second {
			t.Errorf("the question ended after %v, not at its own timeout", took)
		}
		i.Close()
	})
}

func TestCloseGivesUpQuestionsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, _ := openWired(t, nil, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		var asking sync.WaitGroup
		asking.Go(func() { refusal(t, i, authz.Unavailable) })
		synctest.Wait()
		start := time.Now()
		i.Close()
		asking.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAPanicInAQuestionRefusesItsCallersAndTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, _ := openWired(t, nil, func(*http.Request) (*http.Response, error) { panic("about " + testToken) })
		err := refusal(t, i, authz.Internal)
		if err == nil || strings.Contains(err.Error(), testToken) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCallersBeforeAndAfterDiscoveryShareAFlight(t *testing.T) {
	reached, release := make(chan struct{}, 2), make(chan struct{})
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"introspection_endpoint":"%[1]s/introspect"}`, server.URL)
			return
		}
		reached <- struct{}{}
		<-release
		_, _ = w.Write([]byte(`{"active":true,"token_type":"Bearer"}`))
	}))
	defer server.Close()
	cfg := testConfig(t, "")
	cfg.Endpoint.Issuer = server.URL
	i, err := New(cfg, Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	var asking sync.WaitGroup
	ask := func() {
		if _, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)}); err != nil {
			t.Error(err)
		}
	}
	asking.Go(ask)
	<-reached // so the endpoint is known
	for range 8 {
		asking.Go(ask)
	}
	select {
	case <-reached:
		t.Error("a second question was asked")
	case <-time.After(50 * time.Millisecond): // a caller of another flight would have asked by now
	}
	close(release)
	asking.Wait()
	if len(reached) > 0 {
		t.Error("a second question was asked")
	}
}

func TestQuestionsUnderWayAreBounded(t *testing.T) {
	release := make(chan struct{})
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		testkit.ReplyJSON(`{"active":true}`)(w, r)
	})
	i, _ := open(t, u.URL, func(c *Config) { c.MaxInFlight = 2 })
	var all sync.WaitGroup
	for _, tok := range []string{"a", "b"} {
		all.Go(func() {
			if _, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(tok)}); err != nil {
				t.Error(err)
			}
		})
	}
	testkit.Eventually(t, "two questions are under way", func() bool { return u.calls.Load() == 2 })
	if e := refusal(t, i, authz.Unavailable); e.RetryAfter != time.Second {
		t.Errorf("retry after %v", e.RetryAfter)
	}
	close(release)
	all.Wait()
	if !ask(t, i).Active {
		t.Error("the seat was not given back")
	}
}

func TestCloseWaitsForQuestionsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		landed := false
		i, _ := openWired(t, nil, func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			landed = true
			return wireJSON(`{"active":true}`), nil
		})
		var caller sync.WaitGroup
		caller.Go(func() { ask(t, i) })
		synctest.Wait()
		i.Close()
		if !landed {
			t.Error("closed under it")
		}
		caller.Wait()
		if _, err := i.Introspect(t.Context(),
			introspect.Question{Token: secret.New("another")}); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("after Close: %v", err)
		}
	})
}
