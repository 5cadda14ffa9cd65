package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// tried probes every entrypoint of a policy.
func (p *Policy) tried(ctx context.Context, prog *program, cfg Config) bundle.Problems {
	if reachesOut(prog.compiler) {
		return nil // a request that no client sent must not reach another server
	}
	var problems bundle.Problems
	for _, path := range p.Entrypoints() {
		problems = append(problems, p.probe(ctx, prog, path, cfg)...)
	}
	return problems
}

// probe evaluates an entrypoint for made-up requests before it decides about real ones. A policy that answers none of them does not
// become active, nor does one whose rule has no default and is undefined for one of them. What is wrong with some requests
// only is left to the requests: their decision says so.
func (p *Policy) probe(ctx context.Context, prog *program, path string, cfg Config) bundle.Problems {
	rules := prog.compiler.GetRulesExact(refOf(path))
	total := prog.total(rules, deepestValue)
	failures, answered := map[string]bool{}, false
	for _, made := range madeUp(cfg) {
		result, err := p.Eval(ctx, Question{Entrypoint: path, Document: made.document, Time: probeTime, Seed: probeSeed})
		if err == nil {
			_, err = result.Verdict()
		}
		switch {
		case err == nil:
			answered = true
		case ctx.Err() != nil:
			return bundle.Problems{{File: "policies", Code: codeResult, Message: fmt.Sprintf("the load was stopped: %v", ctx.Err())}}
		case errors.Is(err, errUndefined):
			return bundle.Problems{problemAt(rules[0].Location, codeResult, "data.%s can be undefined: it is for %s; give it a default, such as: default %s := false", dotted(path), made.name, lastOf(path))}
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
	for _, cause := range sortedKeysOf(failures) {
		out = append(out, problemAt(rules[0].Location, codeResult, "data.%s answers none of the requests that were tried: %s", dotted(path), cause))
	}
	return out
}

// errUndefined is the error of an entrypoint that has no value.
var errUndefined = errors.New("undefined; give the rule a default")

func lastOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func sortedKeysOf(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// probeTime and probeSeed stand for those of a decision.
var probeTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const probeSeed = "00000000000000000000000000"

// madeUpRequest is a request that no client sent.
type madeUpRequest struct {
	name     string
	document *input.Document
}

// madeUp are requests as different as a few can be, all of which may reach a policy.
func madeUp(cfg Config) []madeUpRequest {
	user := &authz.Claims{
		Active: true, Kind: authz.AccessToken, Issuer: "https://id.example", ID: "t1", ClientID: "web", Subject: authz.Subject{ID: "u1", Type: authz.User, Username: "ada"},
		Scopes: []string{"read", "write"}, Audiences: []string{"api"}, Tenant: "acme", Roles: []string{"admin"}, Groups: []string{"staff"},
		IssuedAt: 1767322000, ExpiresAt: 1767332000, Raw: []byte(`{"active":true,"sub":"u1","scope":"read write"}`), Fetched: probeTime,
	}
	client := &authz.Claims{Active: true, Kind: authz.AccessToken, ClientID: "job", Subject: authz.Subject{ID: "job", Type: authz.Client}, Scopes: []string{}, Raw: []byte(`{"active":true}`), Fetched: probeTime}
	ask := func(method, path string, segments ...string) input.Query {
		return input.Query{Request: input.Request{
			Method: method, Path: path, RawPath: path, Segments: segments, Query: map[string][]string{}, Headers: map[string][]string{},
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
		{"GET /orders/42 with the token of a user", input.Build(ask("GET", "/orders/42", "orders", "42"), user, bearer, probeTime)},
		{"GET / with the token of a client", input.Build(ask("GET", "/"), client, bearer, probeTime)},
		{"POST /orders/42 with a context", input.Build(full, user, bearer, probeTime)},
		{"DELETE /orders/42 with the token of a client", input.Build(deletion, client, bearer, probeTime)},
	}
	if cfg.AnonymousRequests {
		out = append(out, madeUpRequest{"GET / without a token", input.Anonymous(ask("GET", "/"))})
	}
	return out
}

// reachesOut reports whether the policies call a builtin that reaches the network or the machine: those are not tried.
func reachesOut(c *ast.Compiler) bool {
	return c.Required != nil && slices.ContainsFunc(c.Required.Builtins, func(b *ast.Builtin) bool { return slices.Contains(unsafe, b.Name) })
}
