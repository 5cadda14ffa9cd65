package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/check"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// tryEntrypoints evaluates each entrypoint for made-up requests.
func (p *Policy) tryEntrypoints(ctx context.Context, prog *check.Program, cfg Config) bundle.Problems {
	var problems bundle.Problems
	for _, path := range p.Entrypoints() {
		if builtins.CallsUnsafe(p.entries[path].compiler) {
			return nil // a made-up request must not reach another server
		}
		problems = append(problems, p.tryEntrypoint(ctx, prog, path, cfg)...)
	}
	return problems
}

// tryEntrypoint evaluates an entrypoint for made-up requests before it decides about real ones. It is a problem when
// no request has a verdict, or when the rule is undefined for one of them. Errors for some requests only are left to
// the decisions about such requests.
func (p *Policy) tryEntrypoint(ctx context.Context, prog *check.Program, path string, cfg Config) bundle.Problems {
	rules := p.entries[path].compiler.GetRulesExact(rego.RefOf(path))
	total := prog.AlwaysDefined(path)
	failures, answered := map[string]bool{}, false
	for _, made := range madeUpRequests(cfg) {
		result, err := p.Eval(ctx, Question{Entrypoint: path, Document: made.document, Time: trialTime,
			Seed: trialSeed})
		if err == nil {
			_, err = result.Verdict()
		}
		switch {
		case err == nil:
			answered = true
		case ctx.Err() != nil:
			return bundle.Problems{{File: "policies", Code: check.CodeResult,
				Message: fmt.Sprintf("the load was stopped: %v", ctx.Err())}}
		case errors.Is(err, errUndefined):
			return bundle.Problems{rego.ProblemAt(rules[0].Location, check.CodeResult,
				"data.%s can be undefined: it is for %s; give it a default, such as: default %s := false",
				rego.Dotted(path), made.name, rego.LastName(path))}
		default:
			failures[err.Error()] = true
		}
		if answered && total {
			return nil
		}
	}
	if answered {
		return nil
	}
	var out bundle.Problems
	for _, cause := range slices.Sorted(maps.Keys(failures)) {
		out = append(out, rego.ProblemAt(rules[0].Location, check.CodeResult,
			"data.%s answers none of the requests that were tried: %s", rego.Dotted(path), cause))
	}
	return out
}

// errUndefined is the cause when an entrypoint is undefined.
var errUndefined = errors.New("undefined; give the rule a default")

// trialTime and trialSeed stand for those of a decision.
var trialTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const trialSeed = "00000000000000000000000000"

// madeUpRequest is a request that no client has sent.
type madeUpRequest struct {
	name     string
	document *input.Document
}

// madeUpRequests are a few requests that differ as much as possible.
func madeUpRequests(cfg Config) []madeUpRequest {
	user := &authz.Claims{
		Active: true, Kind: authz.AccessToken, Issuer: "https://id.example", ID: "t1", ClientID: "web",
		Subject: authz.Subject{ID: "u1", Type: authz.User, Username: "ada"},
		Scopes:  []string{"read", "write"}, Audiences: []string{"api"}, Tenant: "acme", Roles: []string{"admin"},
		Groups:   []string{"staff"},
		IssuedAt: 1767322000, ExpiresAt: 1767332000, Raw: []byte(`{"active":true,"sub":"u1","scope":"read write"}`),
		Fetched: trialTime,
	}
	client := &authz.Claims{Active: true, Kind: authz.AccessToken, ClientID: "job",
		Subject: authz.Subject{ID: "job", Type: authz.Client}, Scopes: []string{}, Raw: []byte(`{"active":true}`),
		Fetched: trialTime}
	ask := func(method, path string, segments ...string) input.Query {
		return input.Query{Request: input.Request{
			Method: method, Path: path, RawPath: path, Segments: segments, Query: map[string][]string{},
			Headers: map[string][]string{},
		}}
	}
	full := ask("POST", "/orders/42", "orders", "42")
	full.Context = []byte(`{"role":"admin"}`)
	r := &full.Request
	r.Scheme, r.Host, r.Port, r.SourceIP = "https", "api.example", 443, "192.0.2.1"
	for _, name := range cfg.Headers {
		r.Headers[strings.ToLower(name)] = []string{"acme"}
	}
	deletion := ask("DELETE", "/orders/42", "orders", "42")
	deletion.Context = []byte(`{}`)
	bearer := input.Presented{Scheme: "bearer"}
	out := []madeUpRequest{
		{"GET /orders/42 with the token of a user",
			input.Build(ask("GET", "/orders/42", "orders", "42"), user, bearer, trialTime)},
		{"GET / with the token of a client", input.Build(ask("GET", "/"), client, bearer, trialTime)},
		{"POST /orders/42 with a context", input.Build(full, user, bearer, trialTime)},
		{"DELETE /orders/42 with the token of a client", input.Build(deletion, client, bearer, trialTime)},
	}
	if cfg.AnonymousRequests {
		out = append(out, madeUpRequest{"GET / without a token", input.Anonymous(ask("GET", "/"))})
	}
	return out
}
