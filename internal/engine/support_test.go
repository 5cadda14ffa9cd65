package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const decisionPath = "authz/decision"

// patient is a configuration whose deadline no healthy evaluation meets, not even on a slow machine.
var patient = Config{Deadline: time.Minute}

// compiled writes files into a new directory, goes there, and compiles what the directory "policies" and those in
// "bundles" hold.
func compiled(t testing.TB, cfg Config, files map[string]string) (*Policy, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	from := dir.Config{Paths: []string{"policies"}}
	testkit.WriteFiles(t, ".", files)
	for name := range files {
		if dir, ok := strings.CutSuffix(name, "/.manifest"); ok {
			from.Bundles = append(from.Bundles, dir)
		}
	}
	set, err := dir.Load(from)
	if err != nil {
		t.Fatal(err)
	}
	return Compile(context.Background(), set, cfg, decisionPath)
}

// policy compiles one module of package authz, with a rule named decision.
func policy(t testing.TB, cfg Config, rego string) *Policy {
	t.Helper()
	p, err := compiled(t, cfg, map[string]string{"policies/authz.rego": "package authz\n\n" + rego})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// refused compares all problems of files that must not compile.
func refused(t *testing.T, cfg Config, files map[string]string, want ...string) {
	t.Helper()
	p, err := compiled(t, cfg, files)
	if p != nil {
		t.Error("a policy was returned")
	}
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok {
		t.Fatalf("error is %T (%v), want bundle.Problems", err, err)
	}
	if got := problems.Error(); got != strings.Join(want, "\n") {
		t.Errorf("problems:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

// refusedWith checks that files do not compile, for problems that contain want.
func refusedWith(t *testing.T, cfg Config, files map[string]string, want string) {
	t.Helper()
	if _, err := compiled(t, cfg, files); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("problems %v, want %q", err, want)
	}
}

// question asks for the decision on a GET with an active token, with context as input.context.
func question(context string) Question {
	claims := &authz.Claims{
		Active: true, Kind: authz.AccessToken, Issuer: "https://id.example",
		Subject: authz.Subject{ID: "u1", Type: authz.User},
		Scopes:  []string{"orders:read", "orders:write"}, Audiences: []string{"https://api.example"}, Tenant: "acme",
		Raw: []byte(`{"active":true,"scope":"orders:read orders:write"}`), Fetched: start,
		Slot: new(authz.Slot),
	}
	req := input.Request{Method: "GET", Path: "/orders/42", RawPath: "/orders/42", Segments: []string{"orders", "42"}}
	doc := input.Build(input.Query{Request: req}, claims, input.Presented{Scheme: "bearer"}, start)
	if context != "" {
		doc.Context = []byte(context)
	}
	return Question{Entrypoint: decisionPath, Document: doc, Time: start, Seed: "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
}

var start = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// outcome is what a policy gave: its result, and the verdict that the result is.
type outcome struct {
	Verdict *authz.Verdict
	Result  Result
}

// evaluated evaluates q and reads the verdict, as a decision does.
func evaluated(ctx context.Context, p *Policy, q Question) (outcome, error) {
	return outcomeOf(p.Eval(ctx, q))
}

func outcomeOf(r Result, err error) (outcome, error) {
	if err != nil {
		return outcome{}, err
	}
	v, err := r.Verdict()
	return outcome{v, r}, err
}

func answered(t testing.TB, p *Policy, q Question) outcome {
	t.Helper()
	a, err := evaluated(t.Context(), p, q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// fails checks that q has no verdict, by the fault of the operator, for a cause that says each of want.
func fails(t *testing.T, p *Policy, q Question, want ...string) error {
	t.Helper()
	a, err := evaluated(t.Context(), p, q)
	if err == nil {
		t.Fatalf("verdict %+v, want an error", a.Verdict)
	}
	if a.Verdict != nil {
		t.Errorf("verdict %+v beside an error", a.Verdict)
	}
	if k := authz.KindOf(err); k != authz.Misconfigured {
		t.Errorf("kind %s, want misconfigured", k)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	return err
}

// silent checks that an error does not quote a value.
func silent(t *testing.T, err error, value string) {
	t.Helper()
	if strings.Contains(err.Error(), value) {
		t.Errorf("error %q quotes %q", err, value)
	}
}

func resultJSON(t testing.TB, a outcome) string {
	t.Helper()
	b, err := a.Result.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// unindexed evaluates as if OPA had no rule index.
func unindexed(t testing.TB, p *Policy, q Question) (outcome, error) {
	t.Helper()
	in, err := p.view.Value(q.Document)
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.entries[q.Entrypoint].eval(t.Context(), in,
		evalOptions{time: q.Time, seed: q.Seed, tracer: noTracer{}})
	if err != nil {
		return outcome{}, err
	}
	return outcomeOf(Result{value: v, path: q.Entrypoint}, nil)
}

type noTracer struct{}

func (noTracer) Enabled() bool               { return false }
func (noTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }
func (noTracer) TraceEvent(topdown.Event)    {}

// parsed is one module, ready to be compiled.
func parsed(t *testing.T, rego string) map[string]*ast.Module {
	t.Helper()
	m, err := ast.ParseModuleWithOpts("p.rego", rego, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*ast.Module{"p.rego": m}
}

// hasRule reports whether the rule at a path is among refs.
func hasRule(refs []ast.Ref, path string) bool {
	return slices.ContainsFunc(refs, func(r ast.Ref) bool { return r.Equal(rego.RefOf(path)) })
}
