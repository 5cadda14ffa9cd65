package policytest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decision/recorded"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// shippedLog is the decision log of the requests of the shipped suites, with the policy that decided them and its
// configuration.
func shippedLog(t *testing.T) (*config.Config, *engine.Policy, []byte) {
	t.Helper()
	t.Chdir("../..")
	cfg := config.Default()
	cfg.Engine.Deadline, cfg.Input.Headers = time.Minute, []string{"x-tenant"}
	cfg.Policies.Paths, cfg.Policies.Bundles = []string{"policies"}, []string{"bundles/example"}
	set, err := dir.Load(cfg.Policies.Config)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := engine.Compile(t.Context(), set, cfg.EngineConfig(), cfg.Decision.Entrypoint)
	if err != nil {
		t.Fatal(err)
	}
	suites, err := LoadSuites(cfg, []string{"policy_test"})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, policy, logged(t, cfg, policy, suites)
}

// logged is the decision log of the cases of suites.
func logged(t *testing.T, cfg *config.Config, policy *engine.Policy, suites []Suite) []byte {
	t.Helper()
	var lines bytes.Buffer
	log, err := decisionlog.Open(decisionlog.Config{Stdout: true, Queue: 1 << 16, QueueBytes: 1 << 30},
		decisionlog.Deps{Stdout: &lines})
	if err != nil {
		t.Fatal(err)
	}
	for i := range suites {
		suites[i].log = log
	}
	if _, err := Decisions(t.Context(), policy, cfg, suites); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return lines.Bytes()
}

// TestEveryRecordedDecisionOfTheSuitesIsMadeAnewExactly: the event of a decision holds all that the decision follows
// from, for the shipped policies and each request of their suites.
func TestEveryRecordedDecisionOfTheSuitesIsMadeAnewExactly(t *testing.T) {
	cfg, policy, lines := shippedLog(t)
	point := decision.New(cfg.Decision, &decision.Snapshot{Policy: policy}, decision.Deps{
		Input: input.NewRules(cfg.Input),
	})
	kinds := map[string]int{}
	for r := decisionlog.NewReader(bytes.NewReader(lines)); ; {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds[e.Facts.Kind]++
		if !recorded.AskedPolicy(e) {
			continue
		}
		report, err := recorded.Explain(t.Context(), point, e)
		if err != nil {
			t.Errorf("%s: %v", e.DecisionID, err)
		} else if !report.Anew.SamePolicy || !report.Anew.SameResult {
			t.Errorf("%s\n%s", report.Text("policies"), e.Input)
		}
	}
	if kinds["allow"] < 10 || kinds["deny"] < 10 || kinds["unauthenticated"] < 5 {
		t.Errorf("too few decisions: %v", kinds)
	}
}
