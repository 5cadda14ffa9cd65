package app

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// issuerStatus is what the status says of the first issuer.
func (w *world) issuerStatus(t *testing.T) status.Issuer {
	t.Helper()
	return w.status(t).Issuers[0]
}

// fault is the fault of a part, or the zero Fault.
func fault(s status.Issuer, part string) status.Fault {
	if n := slices.IndexFunc(s.Faults, func(f status.Fault) bool { return f.Part == part }); n >= 0 {
		return s.Faults[n]
	}
	return status.Fault{}
}

func TestTheStatusSaysWhenTheServerWasAskedAndAnswered(t *testing.T) {
	w := start(t, nil)
	before := w.issuerStatus(t)
	if in := before.Introspection; !before.Healthy || !in.LastAsked.IsZero() || !in.LastAnswered.IsZero() ||
		in.LastFault != nil || in.Breaker.State != "closed" || in.Breaker.Since.IsZero() ||
		before.Mode != "introspect" {
		t.Errorf("before any question: %+v, %+v", before, in)
	}
	began := time.Now()
	w.ask(t, w.token(t, good()))
	s := w.issuerStatus(t)
	if in := s.Introspection; !s.Healthy || in.LastAsked.Before(began) || in.LastAnswered.Before(in.LastAsked) ||
		in.LastFault != nil || in.Limits.InFlight.Limit != w.cfg.Issuers[0].MaxInFlight || in.Limits.Refusing != nil {
		t.Errorf("after a question: %+v, %+v", s, in)
	}
	if s.Metadata == nil || s.Metadata.Fetched.IsZero() || !s.Metadata.Next.After(time.Now()) ||
		s.Metadata.Fault != nil {
		t.Errorf("metadata %+v", s.Metadata)
	}
	if s.Keys != nil || s.Token != nil {
		t.Errorf("keys %+v and token %+v are not needed", s.Keys, s.Token)
	}
	if m := w.get(t, "/metrics"); !strings.Contains(m, `sidecar_introspect_healthy{issuer="dev"} 1`) ||
		strings.Contains(m, `sidecar_introspect_last_answer_timestamp_seconds{issuer="dev"} 0`) {
		t.Error("the metrics do not show it")
	}
}

// TestAWrongClientSecretIsInTheStatus: the sidecar stays ready, for public routes and cached tokens are still decided,
// and the operator sees who must act.
func TestAWrongClientSecretIsInTheStatus(t *testing.T) {
	const wrong = "a-wrong-client-secret"
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Endpoint.Client.Secret = secret.Source{File: testkit.TempFile(t, "wrong", wrong)}
	})
	for range 3 {
		if got := w.ask(t, "some-token"); got.Kind != "misconfigured" || got.Status != 503 {
			t.Fatalf("the request is %v", got)
		}
	}
	report := w.status(t)
	s, in := report.Issuers[0], report.Issuers[0].Introspection
	f := fault(s, status.PartIntrospection)
	if !report.Ready || s.Healthy || f.Kind != authz.Misconfigured.String() ||
		!strings.Contains(f.Cause, "status 401, error invalid_client") || f.Since.After(in.LastFault.At) {
		t.Errorf("ready %t, healthy %t, %+v", report.Ready, s.Healthy, f)
	}
	if in.LastFault.Cause != f.Cause || in.LastAnswered.IsZero() || in.Breaker.State != "closed" {
		t.Errorf("introspection %+v", in)
	}
	if !strings.Contains(w.get(t, "/metrics"), `sidecar_introspect_healthy{issuer="dev"} 0`) {
		t.Error("the metrics do not show it")
	}
	const line = "the authorization server cannot be asked about tokens"
	if n := strings.Count(w.logger.String(), line); n != 1 {
		t.Errorf("the log has %d lines about one state", n)
	}
	if body := w.get(t, "/v1/status"); strings.Contains(body, wrong) || strings.Contains(body, "some-token") {
		t.Errorf("a secret is told: %s", body)
	}

	testkit.WriteFile(t, w.cfg.Issuers[0].Endpoint.Client.Secret.File, clientSecret)
	testkit.Eventually(t, "the right secret is in use", func() bool {
		w.ask(t, w.token(t, good()))
		return w.issuerStatus(t).Healthy
	})
	s = w.issuerStatus(t)
	if s.Faults != nil || s.Introspection.LastFault == nil || !w.logger.Has("can be asked about tokens again") {
		t.Errorf("afterwards: %+v", s)
	}
}

func TestAServerThatIsDownIsInTheStatus(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler) // the connection is closed
	}))
	defer down.Close()
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Endpoint.IntrospectionEndpoint = down.URL + "/introspect"
		c.Issuers[0].Protection.BreakerFailures, c.Issuers[0].Protection.BreakerDelay = 1, time.Minute
	})
	if got := w.ask(t, "some-token"); got.Kind != "unavailable" {
		t.Fatalf("the request is %v", got)
	}
	s := w.issuerStatus(t)
	in, f := s.Introspection, fault(s, status.PartIntrospection)
	if s.Healthy || f.Kind != "unavailable" || f.Cause == "" || !in.LastAnswered.IsZero() || in.LastAsked.IsZero() {
		t.Errorf("%+v, %+v", s, in)
	}
	if b := in.Breaker; b.State != "open" || b.Since.Before(in.LastAsked) || !b.NextProbe.After(b.Since) ||
		b.Capacity == 0 {
		t.Errorf("breaker %+v", b)
	}
	if got := in.Limits.Refusing; !slices.Equal(got, []string{"open"}) {
		t.Errorf("refusing %q", got)
	}
	if s.Metadata != nil {
		t.Errorf("metadata %+v: the endpoint is configured", s.Metadata)
	}
}

func TestAPauseThatTheServerAskedForIsInTheStatus(t *testing.T) {
	w := start(t, nil)
	w.fault(&devissuer.Fault{Then: devissuer.Answer, Status: 429, Header: http.Header{"Retry-After": {"20"}}})
	w.ask(t, w.token(t, good()))
	s := w.issuerStatus(t)
	in := s.Introspection
	if !slices.Equal(in.Limits.Refusing, []string{"retry_after"}) || in.Limits.RetryAfter.Before(in.LastAnswered) ||
		in.Breaker.NextProbe.Before(in.Limits.RetryAfter) {
		t.Errorf("%+v", in)
	}
	if f := fault(s, status.PartIntrospection); f.Kind != "unavailable" || !strings.Contains(f.Cause, "status 429") {
		t.Errorf("fault %+v", f)
	}
}

func TestLimitsThatRefuseAreInTheStatus(t *testing.T) {
	w := start(t, func(c *config.Config) {
		c.Issuers[0].MaxInFlight = 1
		c.Issuers[0].Protection.UnknownTokens = 0.001
	})
	w.ask(t, "a-guess")
	in := w.issuerStatus(t).Introspection
	if u := in.Limits.UnknownTokens; !slices.Equal(in.Limits.Refusing, []string{"unknown_total"}) || u.Used != 1 ||
		u.Limit != 1 {
		t.Errorf("after a guess: %+v", in.Limits)
	}
	if !w.issuerStatus(t).Healthy {
		t.Error("a limit that does its work is a fault")
	}
}

func TestKeysThatCannotBeFetchedAreInTheStatus(t *testing.T) {
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Mode = authz.ModeJWT
		c.Issuers[0].Endpoint.JWKSURI = "http://" + testkit.HoldPort(t).Addr() + "/jwks"
		c.Issuers[0].Dialect.Audience = []string{"orders-api"}
	})
	g := good()
	g.TokenFormat = devissuer.JWT
	if got := w.ask(t, w.token(t, g)); got.Kind != "unavailable" {
		t.Fatalf("the request is %v", got)
	}
	s := w.issuerStatus(t)
	f := fault(s, status.PartKeys)
	if s.Healthy || f.Kind != "unavailable" || f.Since.IsZero() || s.Keys.Fault == nil || s.Keys.Next.IsZero() ||
		!s.Keys.Fetched.IsZero() {
		t.Errorf("%+v, keys %+v", s, s.Keys)
	}
}

func TestACredentialThatCannotBeUsedIsInTheStatus(t *testing.T) {
	w := start(t, nil)
	if got := w.ask(t, w.token(t, good())); !got.Allow {
		t.Fatalf("the request is %v", got)
	}
	testkit.WriteFile(t, w.cfg.Issuers[0].Endpoint.Client.Secret.File, "")
	testkit.Eventually(t, "the status names the file", func() bool {
		if got := w.ask(t, w.token(t, good())); !got.Allow {
			t.Errorf("with the former secret the request is %v", got)
		}
		f := fault(w.issuerStatus(t), status.PartCredentials)
		return strings.Contains(f.Cause, "client.secret") && !f.Since.IsZero()
	})
	testkit.WriteFile(t, w.cfg.Issuers[0].Endpoint.Client.Secret.File, clientSecret)
	testkit.Eventually(t, "the fault is over", func() bool {
		w.ask(t, w.token(t, good()))
		return w.issuerStatus(t).Healthy
	})
}
