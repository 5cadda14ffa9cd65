package extauthz_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const callerKey = "0123456789abcdef-key-of-envoy"

// expect fails unless a check was refused with a status and counted as an outcome.
func expect(t *testing.T, out *authv3.CheckResponse, status int32, registry testkit.Registry, outcome string) {
	t.Helper()
	if got := out.GetDeniedResponse(); int32(got.GetStatus().GetCode()) != status ||
		!strings.Contains(got.GetBody(), `"reasons":[{"code":"`) {
		t.Errorf("got %v, want %d", out, status)
	}
	if registry.Value(t, `sidecar_door_extauthz_checks_total{outcome="`+outcome+`"}`) == 0 {
		t.Errorf("counted as %v", registry.Nonzero(t, "sidecar_door_extauthz_checks_total"))
	}
}

func TestACallNeedsACallerKeyWhenTheListenerAsksForOne(t *testing.T) {
	cfg, log := listener(), &testkit.LogBuffer{}
	cfg.BearerKeysFile = filepath.Join(t.TempDir(), "keys")
	testkit.WriteFile(t, cfg.BearerKeysFile, callerKey+"\n")
	registry := testkit.NewRegistry()
	w := serve(t, cfg, extauthz.Deps{Point: says(allowed()), Metrics: registry, Log: log.Logger()})
	if out := w.check(t, get(), "authorization", "Bearer "+callerKey); out.GetOkResponse() == nil {
		t.Errorf("with its key: %v", out)
	}
	for _, kv := range [][]string{nil, {"authorization", ""}, {"authorization", "Bearer " + callerKey + "x"},
		{"authorization", "Basic " + callerKey}, {"x-authorization", "Bearer " + callerKey},
		{"authorization", "Bearer " + callerKey, "authorization", "Bearer x"}} {
		expect(t, w.check(t, get(), kv...), 500, registry, "no_key")
	}
	if !log.Has("initial_metadata") || log.Has(callerKey) {
		t.Errorf("logged %s", log)
	}
}

// TestTheCredentialOfTheRequestIsNoCallerKey: the client of Envoy writes it.
func TestTheCredentialOfTheRequestIsNoCallerKey(t *testing.T) {
	cfg := listener()
	cfg.BearerKeysFile = testkit.TempFile(t, "keys", callerKey+"\n")
	registry := testkit.NewRegistry()
	w := serve(t, cfg, extauthz.Deps{Point: says(allowed()), Metrics: registry})
	in := get()
	in.Attributes.Request.Http.Headers["authorization"] = "Bearer " + callerKey
	expect(t, w.check(t, in), 500, registry, "no_key")
}

func TestACheckThatCannotBeReadIsDeniedAndNoErrorOfGRPC(t *testing.T) {
	registry := testkit.NewRegistry()
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed()), Metrics: registry})
	in := get()
	in.Attributes.Request.Http.Body = strings.Repeat("x", 2<<20)
	expect(t, w.check(t, in), 413, registry, "too_large")
	expect(t, w.send(t, []byte("no protobuf")), 400, registry, "unreadable")
	expect(t, w.send(t, []byte{0x0a, 0x80}), 400, registry, "unreadable")
}

func TestAPanicIsADenial(t *testing.T) {
	registry, log := testkit.NewRegistry(), &testkit.LogBuffer{}
	w := serve(t, listener(), extauthz.Deps{Metrics: registry, Log: log.Logger(),
		Point: decide(func(context.Context, authz.Query) authz.Decision { panic("secret-of-the-request") })})
	expect(t, w.check(t, get()), 500, registry, "failed")
	if !log.Has("check panicked") || log.Has("secret-of-the-request") {
		t.Errorf("logged %s", log)
	}
}

// slow is a Point that decides at the end of its time.
func slow(ctx context.Context, _ authz.Query) authz.Decision {
	<-ctx.Done()
	return authz.Decision{Kind: authz.Unavailable, Status: 503,
		Headers: []authz.Header{{Name: "Retry-After", Values: []string{"7"}}}}
}

// TestEnvoyHasTheAnswerBeforeItsOwnTimeEnds: afterwards it would see an error.
func TestEnvoyHasTheAnswerBeforeItsOwnTimeEnds(t *testing.T) {
	t.Parallel()
	w := serve(t, listener(), extauthz.Deps{Point: decide(slow)})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	out, err := w.client.Check(ctx, get())
	if err != nil || !strings.Contains(fields(out.GetDeniedResponse().GetHeaders()), "retry-after: 7") {
		t.Errorf("got %v, %v", out, err)
	}
}

func TestTheTimeOfADecisionIsThatOfTheListener(t *testing.T) {
	cfg := listener()
	cfg.Limits.Timeout = 50 * time.Millisecond
	w := serve(t, cfg, extauthz.Deps{Point: decide(slow)})
	if out := w.check(t, get()); out.GetDeniedResponse().GetStatus().GetCode() != 503 {
		t.Errorf("got %v", out)
	}
}

func TestACallThatBringsNoMessageIsDeniedInTime(t *testing.T) {
	cfg, registry := listener(), testkit.NewRegistry()
	cfg.Limits.ReadTimeout = 100 * time.Millisecond
	w := serve(t, cfg, extauthz.Deps{Point: says(allowed()), Metrics: registry})
	s, err := w.stream(t)
	if err != nil {
		t.Fatal(err)
	}
	out := new(authv3.CheckResponse)
	if err := s.RecvMsg(out); err != nil {
		t.Fatal(err)
	}
	sound(t, out)
	expect(t, out, 503, registry, "too_slow")
}

func TestACheckNamesItsEntrypointOnlyWhenTheConfigurationSaysHow(t *testing.T) {
	var got []string
	point := decide(func(_ context.Context, q authz.Query) authz.Decision {
		got = append(got, q.Entrypoint)
		return allowed()
	})
	in := get()
	in.Attributes.ContextExtensions = map[string]string{"policy": "orders/decision", "entrypoint": "x"}
	serve(t, listener(), extauthz.Deps{Point: point}).check(t, in)
	cfg := listener()
	cfg.Entrypoint = "gateway/decision"
	serve(t, cfg, extauthz.Deps{Point: point}).check(t, in)
	cfg.EntrypointKey = "policy"
	registry := testkit.NewRegistry()
	w := serve(t, cfg, extauthz.Deps{Point: point, Metrics: registry})
	w.check(t, in)
	w.check(t, get())
	if s := strings.Join(got, ","); s != ",gateway/decision,orders/decision,gateway/decision" {
		t.Errorf("asked %s", s)
	}
	for _, name := range []string{"", "unknown"} {
		in.Attributes.ContextExtensions["policy"] = name
		expect(t, w.check(t, in), 500, registry, "no_entrypoint")
	}
}

func TestNoCallIsTakenAtTheStop(t *testing.T) {
	registry := testkit.NewRegistry()
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed()), Metrics: registry})
	w.calls.Wait(t.Context())
	out := w.check(t, get())
	expect(t, out, 503, registry, "stopping")
	if !strings.Contains(fields(out.GetDeniedResponse().GetHeaders()), "retry-after: 1") {
		t.Errorf("got %v", out)
	}
}

func TestTheKeyOfACallIsNotAskedOfItsHealth(t *testing.T) {
	cfg := listener()
	cfg.BearerKeysFile = testkit.TempFile(t, "keys", callerKey+"\n")
	w := serve(t, cfg, extauthz.Deps{Point: says(allowed())})
	if got := w.health(t, ""); got != "SERVING" {
		t.Errorf("got %s", got)
	}
}
