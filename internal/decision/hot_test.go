package decision_test

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/engine/memo"
)

// known is a world that remembers the verdict about a token that it knows, and the question about that token as the
// doors put it.
func known(t testing.TB, unlogged bool) (*world, authz.Query) {
	w := build(t, plan{
		rego: `package authz

# METADATA
# entrypoint: true
default decision := false

decision if {
	input.request.segments[0] == "orders"
	"orders:read" in input.token.scopes
	input.request.headers["x-tenant"][0] == input.token.tenant
}
`,
		memo: memo.Config{MaxEntries: 1000, MaxBytes: 1 << 20}, ttl: time.Hour, unlogged: unlogged,
	})
	token := w.grant(t, devissuer.Grant{
		ClientID: "web-shop", Subject: "alice", Username: "alice@acme.example", Tenant: "acme",
		Scopes: []string{"orders:read", "profile"}, Audience: []string{"api"}, Roles: []string{"clerk"},
	})
	q := authz.Query{Caller: "127.0.0.1:9", Request: authz.Request{
		Method: "GET", URL: "https://api.acme.example/orders/42",
		Headers: map[string][]string{"authorization": {"Bearer " + token}, "x-tenant": {"acme"}},
	}}
	for range 3 {
		if d := w.point.Decide(t.Context(), q); d.Kind != authz.Allow {
			t.Fatalf("not allowed: %v", d.Cause)
		}
	}
	return w, q
}

// BenchmarkKnown decides about a token whose claims and verdict are known: alone, and with the decision log, which
// encodes and writes in a goroutine of its own.
func BenchmarkKnown(b *testing.B) {
	for name, unlogged := range map[string]bool{"decide": true, "and log": false} {
		b.Run(name, func(b *testing.B) {
			w, q := known(b, unlogged)
			b.ReportAllocs()
			for b.Loop() {
				if d := w.point.Decide(b.Context(), q); d.Kind != authz.Allow {
					b.Fatalf("not allowed: %v", d.Cause)
				}
			}
		})
	}
}
