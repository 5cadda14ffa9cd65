package document

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/input"
)

// BenchmarkDocument is the part of BenchmarkEval that makes terms of a request.
func BenchmarkDocument(b *testing.B) {
	claims := claimsOf(1)
	req := input.Request{Method: "GET", Path: "/orders/42", RawPath: "/orders/42", Segments: []string{"orders", "42"},
		Headers: map[string][]string{"x-tenant": {"acme"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := documentValue(input.Build(input.Query{Request: req}, claims, input.Presented{Scheme: "bearer"},
			began)); err != nil {
			b.Fatal(err)
		}
	}
}
