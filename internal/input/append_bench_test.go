package input_test

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// BenchmarkAppendJSON is what the decision log pays for the document of a decision.
func BenchmarkAppendJSON(b *testing.B) {
	claims := &authz.Claims{
		Active: true, Kind: authz.AccessToken, Issuer: "https://as.example", ID: "0b9d51a2",
		Subject: authz.Subject{ID: "alice", Type: authz.User, Username: "alice@acme.example"}, ClientID: "shop",
		Scopes: []string{"orders:read", "orders:write"}, Audiences: []string{"orders"}, Tenant: "acme",
		Roles: []string{"clerk"}, IssuedAt: 1732268400, ExpiresAt: 1732272000, Fetched: time.Unix(1732268400, 0),
		Raw: []byte(`{"active":true,"aud":"orders","client_id":"shop","exp":1732272000,"iat":1732268400,` +
			`"iss":"https://as.example","scope":"orders:read orders:write","sub":"alice","tenant":"acme"}`),
	}
	q := input.Query{Request: input.Request{
		Method: "GET", Scheme: "https", Host: "api.acme.example", Port: 443, Path: "/orders/42", RawPath: "/orders/42",
		Segments: []string{"orders", "42"}, Query: map[string][]string{"expand": {"items"}},
		Headers: map[string][]string{"x-tenant": {"acme"}, "x-request-id": {"7f9"}}, SourceIP: "10.1.2.3",
	}}
	doc := input.Build(q, claims, input.Presented{Scheme: "bearer"}, time.Unix(1732268460, 0))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = doc.AppendJSON(dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(dst)))
}
