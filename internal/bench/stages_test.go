//go:build bench

package bench

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// BenchmarkStages times, without any network, what one decision is made of.
//
//	go test -tags bench -run '^$' -bench Stages -benchmem ./internal/bench
func BenchmarkStages(b *testing.B) {
	w := newWorld(b)
	cfg := load(b, w.configuration(b, b.TempDir(), setup{policy: w.shipped}))
	_, policy, err := app.Load(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	claims, rules, call := w.introspect(b, w.token), input.NewRules(config.Default().Input), question(b, w.token)
	now := time.Now()

	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := native.ParseCall(call); err != nil {
				b.Fatal(err)
			}
		}
	})
	q, err := native.ParseCall(call)
	if err != nil {
		b.Fatal(err)
	}
	document := func(b *testing.B) *input.Document {
		asked, err := rules.Query(&q)
		if err != nil {
			b.Fatal(err)
		}
		return input.Build(asked, claims, input.Presented{Scheme: "bearer"}, now)
	}
	b.Run("document", func(b *testing.B) {
		for b.Loop() {
			document(b)
		}
	})
	doc := document(b)
	b.Run("evaluate", func(b *testing.B) {
		for b.Loop() {
			result, err := policy.Eval(b.Context(),
				engine.Question{Entrypoint: cfg.Decision.Entrypoint, Document: doc, Time: now,
					Seed: "01JDXT3H5Q6Y8W9V0K1M2N3P4R"})
			if err != nil {
				b.Fatal(err)
			}
			if v, err := result.Verdict(); err != nil || !v.Allow {
				b.Fatalf("not allowed: %v", err)
			}
		}
	})
	b.Run("answer", func(b *testing.B) {
		d := authz.Decision{ID: "01JDXT3H5Q6Y8W9V0K1M2N3P4R", Kind: authz.Allow, Status: 200,
			UpstreamHeaders: []authz.Header{{Name: "X-Tenant", Values: []string{"acme"}}}}
		var buf []byte
		for b.Loop() {
			buf = native.AppendDecision(buf[:0], d)
		}
	})
	b.Run("log event", func(b *testing.B) {
		var buf []byte
		for b.Loop() {
			if buf, err = doc.AppendJSON(buf[:0]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
