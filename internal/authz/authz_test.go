package authz_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestINT16_ClaimsAreUsableOnlyWhileTheyHold(t *testing.T) {
	now := time.Unix(1000, 500)
	access := authz.Claims{Active: true, Kind: authz.AccessToken}
	expires := func(at authz.Time, expirySkew, notBeforeSkew time.Duration) authz.Claims {
		return authz.Claims{
			Active: true, Kind: authz.AccessToken, ExpiresAt: at, ExpirySkew: expirySkew, NotBeforeSkew: notBeforeSkew,
		}
	}
	starts := func(at authz.Time, expirySkew, notBeforeSkew time.Duration) authz.Claims {
		return authz.Claims{
			Active: true, Kind: authz.AccessToken, NotBefore: at, ExpirySkew: expirySkew, NotBeforeSkew: notBeforeSkew,
		}
	}
	inactive, wrongType := authz.NotUsable(authz.Inactive, "is not active"), authz.WrongType
	expired, early := authz.NotUsable(authz.Expired, "has expired"), authz.NotUsable(authz.NotYetValid,
		"is not valid yet")
	revoked := authz.NotUsable(authz.Revoked, "was revoked")
	for name, c := range map[string]struct {
		claims authz.Claims
		want   authz.Unusable
	}{
		"good":                         {access, authz.Unusable{}},
		"without evidence of its kind": {authz.Claims{Active: true, Kind: authz.UnknownToken}, authz.Unusable{}},
		"not active":                   {authz.Claims{Inactive: revoked}, revoked},
		"zero claims":                  {authz.Claims{}, inactive},
		"inactive without a reason":    {authz.Claims{Kind: authz.AccessToken}, inactive},
		"refresh token": {authz.Claims{Active: true, Kind: authz.RefreshToken},
			authz.NotUsable(wrongType, "is a refresh token")},
		"ID token": {authz.Claims{Active: true, Kind: authz.IDToken},
			authz.NotUsable(wrongType, "is an ID token")},
		"no kind": {authz.Claims{Active: true},
			authz.NotUsable(wrongType, "is of no kind that is known")},
		"in its last second":          {expires(1001, 0, 0), authz.Unusable{}},
		"at exp":                      {expires(1000, 0, 0), expired},
		"at exp, with skew for nbf":   {expires(1000, 0, time.Minute), expired},
		"at exp, with skew for exp":   {expires(1000, time.Second, 0), authz.Unusable{}},
		"at the end of the skew":      {expires(999, time.Second, 0), expired},
		"before nbf, skew for exp":    {starts(1001, time.Minute, 0), early},
		"before nbf":                  {starts(1001, 0, 0), early},
		"before nbf, within its skew": {starts(1001, 0, time.Second), authz.Unusable{}},
		"at nbf":                      {starts(1000, 0, 0), authz.Unusable{}},
	} {
		if got := c.claims.Usable(now); got != c.want || got.OK() != (c.want.Text == "") {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// TestHalfAReasonSaysThatATokenMustNotBeUsed: what says that a token must not be used never says that it may.
func TestHalfAReasonSaysThatATokenMustNotBeUsed(t *testing.T) {
	for _, u := range []authz.Unusable{{Reason: authz.Expired}, {Text: "has expired"}} {
		if u.OK() || (&authz.Claims{Inactive: u}).Usable(time.Now()).OK() {
			t.Errorf("%+v is usable", u)
		}
	}
}

func TestErrorsWithoutAKindAreInternal(t *testing.T) {
	err := fmt.Errorf("outer: %w", authz.Errorf(authz.Unavailable, "ask: %w", errors.ErrUnsupported))
	if authz.KindOf(err) != authz.Unavailable || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", authz.KindOf(err))
	}
	for _, err := range []error{nil, errors.New("x")} {
		if authz.KindOf(err) != authz.Internal {
			t.Errorf("%v is %v", err, authz.KindOf(err))
		}
	}
	var zero authz.Decision
	if zero.Kind == authz.Allow || zero.Kind.String() != "internal" {
		t.Error("the zero decision is no internal refusal")
	}
	seen := map[string]bool{}
	for _, k := range authz.Kinds {
		seen[k.String()] = true
	}
	if len(seen) != len(authz.Kinds) {
		t.Errorf("kinds share names: %v", seen)
	}
}

func TestAQuestionNeverPrintsItsCredentials(t *testing.T) {
	q := authz.Query{Token: secret.New("hunter2"), Request: authz.Request{
		Headers: map[string][]string{"authorization": {"Bearer hunter2"}}, Body: "hunter2"}}
	for _, s := range []string{fmt.Sprint(q), fmt.Sprintf("%+v %#v %s", q, q, q), fmt.Sprintf("%+v", q.Request),
		q.LogValue().String(), q.Request.LogValue().String()} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("printed %s", s)
		}
	}
}

func TestASlotHoldsTheLatest(t *testing.T) {
	var s authz.Slot
	if s.Load() != nil {
		t.Error("not empty")
	}
	s.Store(1)
	s.Store(2)
	if s.Load() != 2 {
		t.Error("not the latest")
	}
}

func TestTimeIsInSeconds(t *testing.T) {
	if authz.At(time.Unix(7, 999)) != 7 {
		t.Error("not whole seconds")
	}
}
