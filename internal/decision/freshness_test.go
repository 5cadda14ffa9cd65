package decision_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

func TestTheEntrypointSaysHowFreshTheFactsMustBe(t *testing.T) {
	for metadata, want := range map[string]authz.Freshness{
		"":                                {},
		`{max_age: 1m}`:                   {MaxAge: time.Minute, Limited: true},
		`{max_age: 0s}`:                   {Limited: true},
		`{mode: jwt_then_introspect}`:     {Mode: authz.ModeJWTThenIntrospect},
		`{mode: introspect, max_age: 0s}`: {Mode: authz.ModeIntrospect, Limited: true},
	} {
		var asked authz.Freshness
		w := build(t, plan{rego: withFreshness(metadata), wrap: func(introspect.Introspector) introspect.Introspector {
			return introspectorFunc(func(_ context.Context, q introspect.Question) (*authz.Claims, error) {
				asked = q.Freshness
				return &authz.Claims{Active: true, Kind: authz.AccessToken}, nil
			})
		}})
		w.expect(t, w.ask(t, "x", "Bearer some-token"), authz.Allow, http.StatusOK)
		if asked != want {
			t.Errorf("%s: asked for %+v, want %+v", metadata, asked, want)
		}
		w.expect(t, w.ask(t, "x"), authz.Unauthenticated, http.StatusUnauthorized, "no_credential")
	}
}

func withFreshness(metadata string) string {
	if metadata != "" {
		metadata = "\n# custom: {token: " + metadata + "}"
	}
	return "package authz\n\n# METADATA\n# entrypoint: true" + metadata + "\ndecision := true\n"
}
