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
	for name, c := range map[string]struct {
		claims authz.Claims
		want   string
	}{
		"good":                      {authz.Claims{Active: true, Kind: authz.AccessToken}, ""},
		"without a mark":            {authz.Claims{Active: true, Kind: authz.UnknownToken}, ""},
		"not active":                {authz.Claims{InactiveReason: "is not active"}, "is not active"},
		"zero claims":               {authz.Claims{}, "is not active"},
		"inactive without a reason": {authz.Claims{Kind: authz.AccessToken}, "is not active"},
		"refresh token":             {authz.Claims{Active: true, Kind: authz.RefreshToken}, "is a refresh token"},
		"ID token":                  {authz.Claims{Active: true, Kind: authz.IDToken}, "is an ID token"},
		"no kind":                   {authz.Claims{Active: true}, "is of no kind that is known"},
		"in its last second":        {authz.Claims{Active: true, Kind: authz.AccessToken, ExpiresAt: 1001}, ""},
		"at exp":                    {authz.Claims{Active: true, Kind: authz.AccessToken, ExpiresAt: 1000}, "has expired"},
		"at exp, with leeway":       {authz.Claims{Active: true, Kind: authz.AccessToken, ExpiresAt: 1000, NotBeforeSkew: time.Minute}, "has expired"},
		"at exp, with grace":        {authz.Claims{Active: true, Kind: authz.AccessToken, ExpiresAt: 1000, ExpirySkew: time.Second}, ""},
		"at the end of the grace":   {authz.Claims{Active: true, Kind: authz.AccessToken, ExpiresAt: 999, ExpirySkew: time.Second}, "has expired"},
		"before nbf, with grace":    {authz.Claims{Active: true, Kind: authz.AccessToken, NotBefore: 1001, ExpirySkew: time.Minute}, "is not valid yet"},
		"before nbf":                {authz.Claims{Active: true, Kind: authz.AccessToken, NotBefore: 1001}, "is not valid yet"},
		"before nbf, within leeway": {authz.Claims{Active: true, Kind: authz.AccessToken, NotBefore: 1001, NotBeforeSkew: time.Second}, ""},
		"at nbf":                    {authz.Claims{Active: true, Kind: authz.AccessToken, NotBefore: 1000}, ""},
	} {
		if got := c.claims.Usable(now); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
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
	q := authz.Query{Token: secret.New("hunter2"), Request: authz.Request{Headers: map[string][]string{"authorization": {"Bearer hunter2"}}, Body: "hunter2"}}
	for _, s := range []string{fmt.Sprint(q), fmt.Sprintf("%+v %#v %s", q, q, q), fmt.Sprintf("%+v", q.Request), q.LogValue().String(), q.Request.LogValue().String()} {
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
