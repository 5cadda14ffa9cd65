package decision_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// TestA401HasAReasonForOperatorsAndNoneForCallers: one that reached callers would tell them which token was once good.
func TestA401HasAReasonForOperatorsAndNoneForCallers(t *testing.T) {
	past := authz.At(time.Now().Add(-time.Hour))
	for reason, claims := range map[string]*authz.Claims{
		"inactive":   {},
		"revoked":    {Inactive: authz.NotUsable(authz.Revoked, "was revoked")},
		"expired":    {Active: true, Kind: authz.AccessToken, ExpiresAt: past},
		"wrong_type": {Active: true, Kind: authz.RefreshToken},
		"unproved":   {Active: true, Kind: authz.AccessToken, Confirmation: authz.Confirmation{JKT: "x"}},
	} {
		w := build(t,
			plan{answers: pass, wrap: instead(func(context.Context, introspect.Question) (*authz.Claims, error) {
				return claims, nil
			})})
		d := w.ask(t, "open", "Bearer some-token")
		w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
		if len(d.Reasons) != 1 || d.Reasons[0].Message != "the token may not be used" {
			t.Errorf("%s: the caller is told %+v", reason, d.Reasons)
		}
		w.expectReason(t, d, reason)
	}
}

func TestARequestWithoutATokenHasItsOwnReason(t *testing.T) {
	w := build(t, plan{answers: pass})
	w.expectReason(t, w.ask(t, "open"), "no_credential")
}

// expectReason asserts why the metric and the decision log say that there is no usable token.
func (w *world) expectReason(t *testing.T, d authz.Decision, reason string) {
	t.Helper()
	if got := w.event(t, d.ID).Custom.Unauthenticated; got != reason {
		t.Errorf("the event says %q, want %q", got, reason)
	}
	want := []string{`sidecar_decision_unauthenticated_total{reason="` + reason + `"} 1`}
	if got := w.metrics.Nonzero(t, "sidecar_decision_unauthenticated_total"); !slices.Equal(got, want) {
		t.Errorf("counted %q, want %q", got, want)
	}
}
