package issuer

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func can(t *testing.T, cfg Config, answer string) introspect.Introspector {
	t.Helper()
	i, err := Static(cfg, []byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestCanned_ReadsAnAnswerInTheDialectOfTheConfiguration(t *testing.T) {
	i := can(t, Config{Dialect: dialect.Config{Dialect: "keycloak", Tenant: []string{"/org"},
		Roles: []string{"/extra"}, NotBeforeLeeway: time.Second}},
		`{"active":true,"scope":"b a","sub":"s","org":"acme","extra":["x"],"realm_access":{"roles":["admin"]}}`)
	c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New("anything")})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Active || !slices.Equal(c.Scopes, []string{"a", "b"}) || c.Tenant != "acme" ||
		!slices.Equal(c.Roles, []string{"admin", "x"}) || c.NotBeforeSkew != time.Second {
		t.Errorf("claims are active %v, scopes %v, tenant %q, roles %v, leeway %v", c.Active, c.Scopes, c.Tenant,
			c.Roles, c.NotBeforeSkew)
	}
}

func TestCanned_FactsAreFetchedAtTheTimeOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := can(t, Config{}, `{"active":true}`)
		time.Sleep(time.Hour)
		c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New("anything")})
		if err != nil || !c.Fetched.Equal(time.Now()) {
			t.Errorf("fetched at %v, want %v (%v)", c.Fetched, time.Now(), err)
		}
	})
}

func TestCanned_NoTwoCallsShareClaims(t *testing.T) {
	i := can(t, Config{}, `{"active":true}`)
	a, _ := i.Introspect(t.Context(), introspect.Question{Token: secret.New("anything")})
	b, _ := i.Introspect(t.Context(), introspect.Question{Token: secret.New("anything")})
	if a == b {
		t.Error("two calls gave the same claims")
	}
}

func TestCanned_INT6_OnlyTrueIsActive(t *testing.T) {
	for _, answer := range []string{`{}`, `{"active":"true"}`, `{"active":1}`, `{"active":false}`} {
		c, err := can(t, Config{}, answer).Introspect(t.Context(), introspect.Question{Token: secret.New("anything")})
		if err == nil && c.Active || (err == nil) != (answer == `{"active":false}`) {
			t.Errorf("%s: claims %v, error %v", answer, c, err)
		}
	}
}

func TestCanned_INT9_WhatIsNoAnswerIsUnavailable(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing": "", "HTML": "<html>", "an array": "[]", "a member twice": `{"active":true,"active":true}`,
		"too much": `{"active":true,"x":"` + strings.Repeat("x", 2000) + `"}`,
	} {
		c, err := can(t, Config{Endpoint: oauth.Config{MaxResponseBytes: 1024}}, answer).Introspect(t.Context(),
			introspect.Question{Token: secret.New("anything")})
		if c != nil || authz.KindOf(err) != authz.Unavailable {
			t.Errorf("%s: claims %v, error %v", name, c != nil, err)
		}
	}
}

func TestCanned_RefusesAConfigurationThatShapesNoClaims(t *testing.T) {
	_, err := Static(Config{Endpoint: oauth.Config{Name: "x"},
		Dialect: dialect.Config{Dialect: "klingon", AbsentAudience: "maybe", Tenant: []string{"org"},
			Roles: []string{"~"}, NotBeforeLeeway: time.Hour}}, nil)
	for _, want := range []string{"dialect", "absent_audience", "tenant", "roles", "not_before_leeway"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}
