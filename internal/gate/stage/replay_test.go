package stage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// onlyReplay turns on the gate of replay alone.
func onlyReplay(cfg *config.Config) *config.Config {
	cfg.Policies.Gate = gate.Config{Replay: gate.Replay{Mode: gate.Refuse, Last: 100, Bytes: 1 << 20, MinDecisions: 10,
		MaxDenyToAllow: "0", MaxAllowToDeny: "50%", MaxErrors: "0", MaxNotReplayable: "none", TooFew: "pass"}}
	return cfg
}

// decided keeps n decisions of by for each scope.
func decided(t *testing.T, by Policies, n int, scopes ...string) *decisionlog.Recent {
	t.Helper()
	kept := decisionlog.NewRecent(100, 1<<20)
	log, err := decisionlog.Open(decisionlog.Config{Queue: 1000}, decisionlog.Deps{Recent: kept})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n * len(scopes) {
		scope := scopes[i%len(scopes)]
		q := engine.Question{Entrypoint: "authz/decision", Time: time.Unix(1700000000, 0),
			Seed: fmt.Sprintf("%s-%d", scope, i),
			Document: &input.Document{Version: input.Version, Request: input.Request{Method: "GET", Path: "/x"},
				Token: input.Token{Present: true, Active: true, Scopes: []string{scope}}}}
		result, err := by.Policy.Eval(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		verdict, err := result.Verdict()
		if err != nil {
			t.Fatal(err)
		}
		kind, status := authz.Deny, 403
		if verdict.Allow {
			kind, status = authz.Allow, 200
		}
		log.Write(&decisionlog.Record{DecisionID: q.Seed, Time: q.Time, Path: q.Entrypoint, Input: q.Document,
			Result: result,
			Kind:   kind, Status: status, PolicyDigest: by.Policy.Digest(), Eval: time.Microsecond})
	}
	testkit.Eventually(t, "all are kept", func() bool { return len(kept.Records()) == n*len(scopes) })
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestTheGateOfReplay(t *testing.T) {
	t.Parallel()
	serves := policiesIn(t, map[string]string{"authz.rego": decides})
	changed := func(from, to string) place {
		return serves.but(map[string]string{"authz.rego": strings.Replace(decides, from, to, 1)})
	}
	wider := changed(`"read" in input.token.scopes`, "input.token.active")
	narrower := changed(`"read" in`, `"nothing" in`)
	cfg := onlyReplay(serves.config())
	now := serves.loaded(cfg)
	for _, c := range []struct {
		name   string
		next   place
		scopes []string
		want   []string
	}{
		{"the same", serves, []string{"read", "write"}, nil},
		{"wider", wider, []string{"read", "write"}, []string{"deny_to_allow"}},
		{"wider for none that asked", wider, []string{"read"}, nil},
		{"narrower, half of them", narrower, []string{"read", "write"}, nil},
		{"narrower, all of them", narrower, []string{"read"}, []string{"allow_to_deny"}},
	} {
		got := only(t, said(t, cfg, Deps{Recent: decided(t, now, 20, c.scopes...)}, now, c.next.loaded(cfg)))
		if !slices.Equal(classes(got), c.want) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if Settled(status.Gates{Gates: []status.Gate{got}}) != (len(c.want) > 0) {
			t.Errorf("%s: whether that is final is wrong", c.name)
		}
		for _, f := range got.Findings {
			if len(f.Examples) == 0 || len(f.Examples) > mostExamples || f.Examples[0].DecisionID == "" ||
				f.Examples[0].Was == f.Examples[0].Now {
				t.Errorf("%s: examples %+v", c.name, f.Examples)
			}
		}
	}
}

// TestReplayComparesWithWhatServes: what earlier policies decided does not count against new ones.
func TestReplayComparesWithWhatServes(t *testing.T) {
	t.Parallel()
	before := policiesIn(t, map[string]string{"authz.rego": strings.Replace(decides, `"read" in`, `"nothing" in`, 1)})
	serves := policiesIn(t, map[string]string{"authz.rego": decides})
	cfg := onlyReplay(serves.config())
	kept := decided(t, before.loaded(cfg), 20, "read")
	next := serves.but(map[string]string{"authz.rego": decides + "\n# a comment\n"})
	if got := said(t, cfg, Deps{Recent: kept}, serves.loaded(cfg), next.loaded(cfg)); !got.Admitted {
		t.Errorf("%+v", got)
	}
	if got := said(t, cfg, Deps{Recent: kept}, before.loaded(cfg), next.loaded(cfg)); got.Admitted {
		t.Errorf("%+v", got)
	}
}

// TestDecisionsThatNewPoliciesKeepFromReplayAreNotTooFew: else policies that ask the network of each would pass.
func TestDecisionsThatNewPoliciesKeepFromReplayAreNotTooFew(t *testing.T) {
	t.Parallel()
	serves := policiesIn(t, map[string]string{"authz.rego": decides})
	asks := serves.but(map[string]string{"authz.rego": strings.Replace(decides, `"read" in input.token.scopes`,
		`http.send({"method": "GET", "url": "https://a.example/"}).status_code == 200`, 1)})
	cfg := onlyReplay(serves.config())
	cfg.Engine.AllowBuiltins = []string{"http.send"}
	now := serves.loaded(cfg)
	got := only(t, said(t, cfg, Deps{Recent: decided(t, now, 20, "write")}, now, asks.loaded(cfg)))
	if !slices.Equal(classes(got), []string{"deny_to_allow"}) {
		t.Errorf("%+v", got)
	}
}

// TestFewDecisionsDoNotExcuseALimitThatIsANumber: a share of few says nothing.
func TestFewDecisionsDoNotExcuseALimitThatIsANumber(t *testing.T) {
	t.Parallel()
	serves := policiesIn(t, map[string]string{"authz.rego": decides})
	cfg := onlyReplay(serves.config())
	now := serves.loaded(cfg)
	for _, c := range []struct {
		from, to, scope string
		want            []string
	}{
		{`"read" in input.token.scopes`, "input.token.active", "write", []string{"deny_to_allow"}},
		{`"read" in`, `"nothing" in`, "read", nil},
	} {
		next := serves.but(map[string]string{"authz.rego": strings.Replace(decides, c.from, c.to, 1)})
		got := only(t, said(t, cfg, Deps{Recent: decided(t, now, 3, c.scope)}, now, next.loaded(cfg)))
		if !slices.Equal(classes(got), c.want) {
			t.Errorf("%s: %+v", c.to, got)
		}
	}
}

func TestTooFewDecisionsPassOrRefuseByChoice(t *testing.T) {
	t.Parallel()
	p := policiesIn(t, map[string]string{"authz.rego": decides})
	cfg := onlyReplay(p.config())
	now := p.loaded(cfg)
	kept := decided(t, now, 9, "read")
	got := only(t, said(t, cfg, Deps{Recent: kept}, now, now))
	if got.Outcome != Passed || !strings.HasPrefix(got.Message, "not enough decisions to compare: 9, and 10") {
		t.Errorf("%+v", got)
	}
	cfg.Policies.Gate.Replay.TooFew = gate.Refuse
	stages := All(cfg, Deps{Recent: kept})
	if got := only(t, Ask(t.Context(), stages, time.Minute, now, now)); !slices.Equal(classes(got),
		[]string{ClassTooFew}) || Settled(status.Gates{Gates: []status.Gate{got}}) {
		t.Errorf("%+v", got)
	}
	if few := Basis(stages); few == Basis(All(cfg, Deps{Recent: decided(t, now, 10, "read")})) {
		t.Errorf("with enough of them the gate is not asked again: %q", few)
	}
}
