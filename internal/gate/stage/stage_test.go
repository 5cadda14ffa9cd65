package stage

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/status"
)

func TestAGateThatIsNotDoneInTimeHasNotPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		slow := Stage{Name: gate.TestsName, Mode: gate.Refuse, turn: make(chan struct{}, 1),
			Judge: func(context.Context, Policies, Policies) (Judgement, error) {
				<-release // as a compiler does, which does not know the context
				return Judgement{}, nil
			}}
		next := Policies{Set: &bundle.Set{Digest: "sha256:1", Bundles: []bundle.Bundle{{Name: "policies"}}}}
		for range 2 { // the second question waits for its turn in vain
			got := Ask(t.Context(), []Stage{slow}, 3*time.Second, Policies{}, next)
			if got.Admitted || got.Gates[0].Findings[0].Class != classTimeout || got.Gates[0].Seconds != 3 {
				t.Errorf("%+v", got)
			}
		}
		close(release)
		synctest.Wait()
		if got := Ask(t.Context(), []Stage{slow}, 3*time.Second, Policies{}, next); !got.Admitted {
			t.Errorf("its turn was not given back: %+v", got)
		}
	})
}

func TestAGateThatPanicsHasNotPassed(t *testing.T) {
	fails := Stage{Name: gate.TestsName, Mode: gate.Refuse, turn: make(chan struct{}, 1),
		Judge: func(context.Context, Policies, Policies) (Judgement, error) { panic("a compiler failed") }}
	next := Policies{Set: &bundle.Set{Digest: "sha256:1", Bundles: []bundle.Bundle{{Name: "policies"}}}}
	for range 2 {
		got := Ask(t.Context(), []Stage{fails}, time.Minute, Policies{}, next)
		if got.Admitted || got.Gates[0].Findings[0].Class != classFailed {
			t.Errorf("%+v", got)
		}
	}
}

func TestModesSayWhatAFindingDoes(t *testing.T) {
	next := Policies{Set: &bundle.Set{Bundles: []bundle.Bundle{{Name: "policies"}}}}
	judge := func(context.Context, Policies, Policies) (Judgement, error) {
		return Judgement{Message: "much", Findings: []status.GateFinding{
				{Class: "c", Message: "why", File: "a.rego", Row: 3}}},
			errors.New("and more")
	}
	got := Ask(t.Context(), []Stage{
		{Name: "one", Mode: gate.Warn, Judge: judge}, {Name: "two", Mode: gate.Refuse, Judge: judge},
	}, time.Minute, Policies{}, next)
	if got.Admitted || got.Gates[0].Outcome != Warned || got.Gates[1].Outcome != Refused {
		t.Errorf("%+v", got)
	}
	refused := Problems(got, next.Set).Error()
	const want = "a.rego:3:1: gate_error: refused by gate two: why\npolicies: gate_error: refused by gate two: and " +
		"more"
	if refused != want {
		t.Errorf("refused: %s", refused)
	}
	if warned := Warnings(got, next.Set).Error(); warned != strings.ReplaceAll(want, "refused by gate two",
		"doubted by gate one") {
		t.Errorf("warned: %s", warned)
	}
}
