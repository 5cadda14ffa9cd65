package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/gate/stage"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// refusing is a gate that always refuses, with an error.
func refusing(name string, err error) stage.Stage {
	return stage.Stage{Name: name, Mode: gate.Refuse,
		Judge: func(context.Context, stage.Policies, stage.Policies) (stage.Judgement, error) {
			return stage.Judgement{}, err
		}}
}

// TestASetThatAGateRefusesIsNotActivated: it is reported as any load that fails, and the old set goes on deciding.
func TestASetThatAGateRefusesIsNotActivated(t *testing.T) {
	w := &world{issuer: authserver.Start(t, knowsTheSidecar())}
	w.cfg = configuration(t, w.issuer.Issuer())
	var closed atomic.Bool
	var current, next atomic.Pointer[stage.Policies]
	w.built = func(a *App) {
		judge := func(_ context.Context, now, then stage.Policies) (stage.Judgement, error) {
			current.Store(&now)
			next.Store(&then)
			if closed.Load() {
				return stage.Judgement{}, errors.New("2 of 30 tests fail")
			}
			return stage.Judgement{}, nil
		}
		a.gates = []stage.Stage{{Name: gate.TestsName, Mode: gate.Refuse, Judge: judge}}
	}
	w.run(t)
	before := w.status(t).Policy.Digest

	closed.Store(true)
	w.edit(t, "routes/data.yaml", "orders:read", "orders:inspect")
	testkit.Eventually(t, "the refusal is reported", func() bool { return !w.status(t).Policy.Healthy })
	const want = "gate_error: refused by gate tests: 2 of 30 tests fail"
	s := w.status(t).Policy
	if s.Digest != before || len(s.Errors) != 1 || !strings.HasSuffix(s.Errors[0].Text, want) || s.FailedAt.IsZero() {
		t.Errorf("the status is %+v", s)
	}
	if !strings.Contains(w.get(t, "/metrics"), "\nsidecar_app_reload_failing 1\n") {
		t.Error("the metrics do not show it")
	}
	if !strings.Contains(w.logger.String(), want) {
		t.Errorf("the log has no %q", want)
	}
	if got := w.ask(t, w.token(t, good())); !got.Allow {
		t.Errorf("the old set answers %v", got)
	}
	now, then := current.Load(), next.Load()
	if now.Set.Digest != before || now.Policy.Digest() != before || then.Set.Digest == before {
		t.Errorf("the gate compared %s with %s", now.Set.Digest, then.Set.Digest)
	}

	closed.Store(false)
	w.edit(t, "routes/data.yaml", "orders:inspect", "orders:look")
	testkit.Eventually(t, "a set that the gate admits is activated", func() bool {
		s := w.status(t).Policy
		return s.Healthy && s.Digest != before
	})
}

// TestStartAndCheckAskTheGates: both take the step loadPolicies.
func TestStartAndCheckAskTheGates(t *testing.T) {
	cfg := configuration(t, "https://login.example")
	a := newApp(cfg, (&world{stdout: &testkit.LogBuffer{}, logger: &testkit.LogBuffer{}}).deps())
	a.gates = []stage.Stage{
		refusing("tests", errors.New("a test fails")),
		refusing("nothing", nil),
		refusing("revision", bundle.Problems{
			{File: "bundles/a/.manifest", Row: 1, Col: 2, Code: "revision_error", Message: "r1 is older than r2"},
		}),
	}
	err := a.loadPolicies(t.Context())
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok || len(problems) != 2 {
		t.Fatalf("error is %T: %v", err, err)
	}
	for _, want := range []string{
		"gate_error: refused by gate tests: a test fails",
		"bundles/a/.manifest:1:1: gate_error: refused by gate revision: revision_error: r1 is older than r2",
	} {
		if !slices.ContainsFunc(problems, func(p bundle.Problem) bool { return strings.HasSuffix(p.String(), want) }) {
			t.Errorf("%q is not among\n%v", want, err)
		}
	}
}

// TestGatesEndWithTheirContext: that is no refusal.
func TestGatesEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	a := newApp(configuration(t, "https://login.example"), Deps{})
	a.gates = []stage.Stage{refusing(gate.TestsName, context.Canceled)}
	set := &bundle.Set{Bundles: []bundle.Bundle{{Name: "policies"}}}
	if _, err := a.ask(ctx, stage.Policies{}, stage.Policies{Set: set}); !errors.Is(err, stopped) {
		t.Errorf("error is %v", err)
	}
}
