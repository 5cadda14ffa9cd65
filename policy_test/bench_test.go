package policy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/memo"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// The shipped policy is what benchmarks of the sidecar measure. Here it is alone, without the sidecar around it.

const order = "https://api.acme.example/orders/42?expand=items"

// The least that any policy costs, to compare the others with.
func BenchmarkAllow_PolicyThatIsTrue(b *testing.B) {
	benchmarkAllow(b, written(b, "package authz\n\ndecision := true\n"), order)
}

// written is a policy of one module.
func written(b *testing.B, module string) *bundle.Set {
	b.Helper()
	folder := b.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "authz.rego"), []byte(module), 0o600); err != nil {
		b.Fatal(err)
	}
	set, err := dir.Load(dir.Config{Paths: []string{folder}})
	if err != nil {
		b.Fatal(err)
	}
	return set
}

// What the shipped policies are compared with: a scope, an audience and a tenant, and no more.
func BenchmarkAllow_SmallPolicy(b *testing.B) {
	benchmarkAllow(b, written(b, `package authz

default decision := {"allow": false}

decision := {"allow": true} if {
	input.request.method == "GET"
	input.request.segments[0] == "orders"
	"orders:read" in input.token.scopes
	"orders-api" in input.token.audiences
	input.request.headers["x-tenant"][0] == input.token.tenant
}
`), order)
}

func BenchmarkAllow_ShippedRoutes(b *testing.B) { benchmarkAllow(b, load(b), order) }

// How many routes there are, and how they are spread, does not matter: half of these are beside the one that is asked
// for, and half of them elsewhere. What matters is how deep the route is.
func BenchmarkAllow_200Routes(b *testing.B) { benchmarkAllow(b, withRoutes(b), order) }

// withRoutes adds 194 routes to the six that are there.
func withRoutes(b *testing.B) *bundle.Set {
	b.Helper()
	set := load(b)
	for i := range set.Bundles {
		for n := range set.Bundles[i].Data {
			d := &set.Bundles[i].Data[n]
			if len(d.At) != 1 || d.At[0] != "routes" {
				continue
			}
			tree := d.Value().(map[string]any)
			orders := tree["/orders"].(map[string]any)
			for n := range 97 {
				orders[fmt.Sprint("/things", n)] = map[string]any{"/*": map[string]any{"GET": route(n)}}
				tree[fmt.Sprint("/group", n)] = map[string]any{"/*": map[string]any{"GET": route(97 + n)}}
			}
			*d = bundle.NewDataFile(d.Path, d.At, tree)
			return set
		}
	}
	b.Fatal("there are no routes")
	return nil
}

func route(n int) map[string]any {
	return map[string]any{
		"id": fmt.Sprint("route", n), "scopes": []any{"orders:read"}, "audience": []any{"orders-api"},
		"tenant": "none",
	}
}

func benchmarkAllow(b *testing.B, set *bundle.Set, url string) {
	cfg := served().EngineConfig()
	cfg.Memo = memo.Config{} // what is measured is an evaluation
	policy, err := engine.Compile(b.Context(), set, cfg, entrypoint)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"active": true, "scope": "orders:read orders:write"})
	if err != nil {
		b.Fatal(err)
	}
	claims := &authz.Claims{
		Active: true, Kind: authz.AccessToken, Issuer: "https://login.acme.example", ID: "t1",
		Subject: authz.Subject{ID: "alice", Type: authz.User, Username: "alice"}, ClientID: "web",
		Scopes: []string{"orders:read", "orders:write"}, Audiences: []string{"orders-api"}, Tenant: "acme",
		Roles: []string{}, Groups: []string{}, Permissions: []string{}, Raw: raw,
		Slot: new(authz.Slot),
	}
	rules := input.NewRules(served().Input)
	req, err := rules.Request(&authz.Request{
		Method: "GET", URL: url,
		Headers: map[string][]string{"x-tenant": {"acme"}, "user-agent": {"bench"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		doc := input.Build(input.Query{Request: req}, claims, input.Presented{Scheme: "bearer"}, now)
		result, err := policy.Eval(b.Context(), engine.Question{Entrypoint: entrypoint, Document: doc, Time: now,
			Seed: "01JD"})
		if err != nil {
			b.Fatal(err)
		}
		if v, err := result.Verdict(); err != nil || !v.Allow {
			b.Fatal(v, err)
		}
	}
}

// What a reload costs: the shipped policies alone.
func BenchmarkCompile_ShippedRoutes(b *testing.B) { benchmarkCompile(b, load(b)) }

// What a reload costs with 1,000 rules of one package beside the shipped policies.
func BenchmarkCompile_1000Rules(b *testing.B) {
	set := load(b)
	set.Bundles = append(set.Bundles, written(b, generated(1_000)).Bundles...)
	benchmarkCompile(b, set)
}

// generated is a module with many rules of three expressions.
func generated(rules int) string {
	var s strings.Builder
	s.WriteString(`package generated

# METADATA
# entrypoint: true
decision := {"allow": permitted}

default permitted := false
`)
	for i := range rules {
		fmt.Fprintf(&s, `
permitted if {
	input.request.method == "GET"
	input.request.segments[0] == "collection-%[1]d"
	"collection-%[1]d:read" in input.token.scopes
}
`, i)
	}
	return s.String()
}

func benchmarkCompile(b *testing.B, set *bundle.Set) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := engine.Compile(b.Context(), set, served().EngineConfig(), entrypoint); err != nil {
			b.Fatal(err)
		}
	}
}
