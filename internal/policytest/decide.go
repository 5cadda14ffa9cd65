package policytest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// tokenText stands for every token. Its value does not matter, because no server is asked.
const tokenText = "a-token-of-a-suite"

// Decisions puts every case of suites to a decision point of a sidecar with the configuration cfg and policy, in
// parallel, and returns a Result each, in their order. Issuers of cfg are not asked. An error is that of ctx.
func Decisions(
	ctx context.Context, policy *engine.Policy, cfg *config.Config, suites []Suite,
) ([]Result, error) {
	return decideAll(ctx, policy, cfg, suites, selection{})
}

func decideAll(
	ctx context.Context, policy *engine.Policy, cfg *config.Config, suites []Suite, sel selection,
) ([]Result, error) {
	type job struct {
		suite *Suite
		c     *testCase
	}
	var jobs []job
	for i := range suites {
		for j := range suites[i].cases {
			s, c := &suites[i], &suites[i].cases[j]
			if sel.run == nil || sel.run.MatchString(s.Name+"/"+c.name) {
				jobs = append(jobs, job{s, c})
			}
		}
	}
	results := make([]Result, len(jobs))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(jobs) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				results[i] = jobs[i].suite.run(ctx, policy, cfg, jobs[i].c)
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("run suites: %w", err)
	}
	return results, nil
}

func (s *Suite) run(ctx context.Context, policy *engine.Policy, cfg *config.Config, c *testCase) Result {
	out := Result{Group: s.Name, Name: c.name, File: s.File, Row: c.row, Outcome: Passed}
	begun := time.Now()
	point, query, err := s.prepare(ctx, policy, cfg, c)
	if err != nil {
		out.Output = []string{err.Error()}
	} else {
		d := point.Decide(ctx, query)
		if out.Output = c.want.differences(&d); out.Output != nil {
			again := point.Explain(ctx, query)
			out.Output = append(out.Output, explanation(again)...)
		}
	}
	out.Took = time.Since(begun)
	if len(out.Output) > 0 {
		out.Outcome = Failed
	}
	return out
}

// prepare returns a decision point, and what a case asks it.
func (s *Suite) prepare(
	ctx context.Context, policy *engine.Policy, cfg *config.Config, c *testCase,
) (*decision.Point, authz.Query, error) {
	query := c.query
	introspector, err := s.introspector(c.token, c.now)
	switch {
	case err != nil:
		return nil, query, err
	case query.Entrypoint != "" && !policy.Has(query.Entrypoint):
		known := strings.Join(policy.Entrypoints(), ", ")
		return nil, query, fmt.Errorf("entrypoint: %q may not be asked, only %s", query.Entrypoint, known)
	}
	proofs := &statedProof{key: c.key}
	if c.token != "" {
		proofs.present(&query, introspector.bound(ctx))
	}
	return s.point(policy, cfg, introspector, proofs, c.now), query, nil
}

func (s *Suite) point(
	policy *engine.Policy, cfg *config.Config, introspector introspect.Introspector,
	proofs decision.PossessionVerifier, now time.Time,
) *decision.Point {
	rules := cfg.Decision
	if s.token != "" {
		rules.Token = authz.TokenRule(s.token)
	}
	if s.realm != "" {
		rules.Realm = s.realm
	}
	return decision.New(rules, &decision.Snapshot{Introspector: introspector, Policy: policy}, decision.Deps{
		Input:       cfg.InputRules(),
		Proofs:      proofs,
		DecisionLog: s.log,
		Log:         slog.New(slog.DiscardHandler),
		Now:         func() time.Time { return now },
	})
}

// statedProof accepts the key of a token as shown where the case states that. It verifies no proof of the request.
type statedProof struct {
	*proof.Verifier // nil: nothing can be shown
	key             string
}

const keyShown = "shown"

// present puts the token where a client puts it that shows its key.
func (s *statedProof) present(q *authz.Query, c authz.Confirmation) {
	if s.key != keyShown || c.JKT == "" {
		q.Token = secret.New(tokenText)
		return
	}
	headers := map[string][]string{}
	maps.Copy(headers, q.Request.Headers)
	headers["authorization"] = append(slices.Clone(headers["authorization"]), "DPoP "+tokenText)
	q.Request.Headers = headers
}

// Verify is the rule of decision.PossessionVerifier.
func (s *statedProof) Verify(c authz.Confirmation, cred token.Credential, q *authz.Query, now time.Time) (*proof.Use,
	error) {
	asked := c.Bound() && c.Unknown == "" && (c.JKT == "" || cred.Scheme == token.DPoP)
	if s.key == keyShown && asked {
		return nil, nil
	}
	return s.Verifier.Verify(c, cred, q, now)
}

// Look is Verify: a suite has no proof that could be used up.
func (s *statedProof) Look(c authz.Confirmation, cred token.Credential, q *authz.Query, now time.Time) error {
	_, err := s.Verify(c, cred, q, now)
	return err
}
