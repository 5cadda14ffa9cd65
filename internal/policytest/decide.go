package policytest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// tokenText stands for every token. Its value does not matter, because no server is asked.
const tokenText = "a-token-of-a-suite"

// Decisions puts every case of suites to a decision point of a sidecar with the configuration cfg, whose policy is
// compiled from set, and returns a Result each, in their order. Issuers of cfg are not asked. Its error is that of
// engine.Compile: bundle.Problems when the policy does not compile.
func Decisions(ctx context.Context, set *bundle.Set, cfg *config.Config, suites []Suite) ([]Result, error) {
	policy, err := engine.Compile(ctx, set, cfg.EngineConfig(), cfg.Decision.Entrypoint)
	if err != nil {
		return nil, err
	}
	var results []Result
	for i := range suites {
		for j := range suites[i].cases {
			results = append(results, suites[i].run(ctx, policy, cfg, &suites[i].cases[j]))
		}
	}
	return results, nil
}

func (s *Suite) run(ctx context.Context, policy *engine.Policy, cfg *config.Config, c *testCase) Result {
	out := Result{Group: s.Name, Name: c.name, File: s.File, Row: c.row, Outcome: Passed}
	begun := time.Now()
	query := c.query
	introspector, err := s.introspector(c.token)
	switch {
	case err != nil:
		out.Output = []string{err.Error()}
	case query.Entrypoint != "" && !policy.Has(query.Entrypoint):
		known := strings.Join(policy.Entrypoints(), ", ")
		out.Output = []string{fmt.Sprintf("entrypoint: %q may not be asked, only %s", query.Entrypoint, known)}
	default:
		proofs := &statedProof{key: c.key}
		if c.token != "" {
			proofs.present(&query, introspector.bound(ctx))
		}
		d := s.point(policy, cfg, introspector, proofs).Decide(ctx, query)
		out.Output = c.want.differences(&d)
	}
	out.Took = time.Since(begun)
	if len(out.Output) > 0 {
		out.Outcome = Failed
	}
	return out
}

func (s *Suite) point(
	policy *engine.Policy, cfg *config.Config, introspector introspect.Introspector,
	proofs decision.PossessionVerifier,
) *decision.Point {
	rules := cfg.Decision
	if s.token != "" {
		rules.Token = s.token
	}
	if s.realm != "" {
		rules.Realm = s.realm
	}
	return decision.New(rules, &decision.Snapshot{Introspector: introspector, Policy: policy}, decision.Deps{
		Input:  input.NewRules(cfg.Input),
		Proofs: proofs,
		Log:    slog.New(slog.DiscardHandler),
		Now:    func() time.Time { return s.now },
	})
}

// introspector answers with the named token of the suite. A credential that a case writes into its headers itself is
// unknown, so that it is not active.
func (s *Suite) introspector(name string) (*fixedAnswer, error) {
	a, ok := s.tokens[name]
	if !ok {
		a.json = []byte(`{"active":false}`)
	}
	static, err := issuer.Static(s.issuer, a.json)
	if err != nil {
		return nil, err
	}
	return &fixedAnswer{inner: static, fails: a.fails, now: s.now}, nil
}

// fixedAnswer is an introspector with one answer, which is fetched at the time of the suite.
type fixedAnswer struct {
	inner introspect.Introspector
	fails authz.Kind
	now   time.Time
}

func (a *fixedAnswer) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	if a.fails != 0 {
		return nil, authz.Errorf(a.fails, "ask about the token: the suite says that this fails")
	}
	claims, err := a.inner.Introspect(ctx, q)
	if err != nil {
		return nil, err
	}
	claims.Fetched = a.now
	return claims, nil
}

// bound returns the key the token is bound to, if there is an answer that says so.
func (a *fixedAnswer) bound(ctx context.Context) authz.Confirmation {
	claims, err := a.Introspect(ctx, introspect.Question{Token: secret.New(tokenText)})
	if err != nil {
		return authz.Confirmation{}
	}
	return claims.Confirmation
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
func (s *statedProof) Verify(c authz.Confirmation, cred token.Credential, q *authz.Query, now time.Time) error {
	asked := c.Bound() && c.Unknown == "" && (c.JKT == "" || cred.Scheme == token.DPoP)
	if s.key == keyShown && asked {
		return nil
	}
	return s.Verifier.Verify(c, cred, q, now)
}

// differences has a line for everything in which d is not as stated.
func (e *expectation) differences(d *authz.Decision) []string {
	var out []string
	differ := func(what string, got, want any) {
		out = append(out, fmt.Sprintf("%s: got %v, want %v", what, got, want))
	}
	if got := d.Kind.String(); got != e.kind {
		differ("kind", got, e.kind)
	}
	if e.status != 0 && d.Status != e.status {
		differ("status", d.Status, e.status)
	}
	if e.reasons != nil {
		if got, want := codes(d.Reasons), slices.Sorted(slices.Values(*e.reasons)); !slices.Equal(got, want) {
			differ("reasons", got, want)
		}
	}
	if e.challenge != nil {
		got, want := strings.Join(values(d.Headers, "WWW-Authenticate"), ", "), *e.challenge
		if got == "" {
			got = "none"
		}
		if got != want {
			differ("challenge", got, want)
		}
	}
	out = append(out, headerDifferences("headers", d.Headers, e.headers)...)
	out = append(out, headerDifferences("upstream_headers", d.UpstreamHeaders, e.upstreamHeaders)...)
	if e.context != nil {
		if got, want := canonical(d.JoinedContext()), canonical(e.context); got != want {
			differ("context", got, want)
		}
	}
	if len(out) > 0 {
		out = append(out, explanation(d)...)
	}
	return out
}

// explanation is the reasons and the cause of a decision.
func explanation(d *authz.Decision) []string {
	var out []string
	for _, r := range d.Reasons {
		out = append(out, "reason: "+r.Code+": "+r.Message)
	}
	if d.Cause != nil {
		out = append(out, "cause: "+d.Cause.Error())
	}
	return out
}

func codes(reasons []authz.Reason) []string {
	out := make([]string, 0, len(reasons))
	for _, r := range reasons {
		out = append(out, r.Code)
	}
	slices.Sort(out)
	return out
}

func headerDifferences(what string, have []authz.Header, want map[string][]string) []string {
	var out []string
	for name, w := range want {
		if got := values(have, name); !slices.Equal(got, w) {
			out = append(out, fmt.Sprintf("%s: %s: got %q, want %q", what, name, got, w))
		}
	}
	slices.Sort(out)
	return out
}

// values returns all values of the fields with a name.
func values(headers []authz.Header, name string) []string {
	var out []string
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			out = append(out, h.Values...)
		}
	}
	return out
}

// canonical is JSON in the one form that equal values share (RFC 8785).
func canonical(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	v := jsontext.Value(raw).Clone()
	if err := v.Canonicalize(); err != nil {
		return string(raw)
	}
	return string(v)
}
