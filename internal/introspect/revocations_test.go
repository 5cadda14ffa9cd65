package introspect

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// local answers as a validator of JWTs does: at once, and always alike.
type local struct {
	cache  *cache
	issued authz.Time
	asked  atomic.Int64
}

func (l *local) ask(_ context.Context, q Question) (fact, error) {
	l.asked.Add(1)
	c := &authz.Claims{Active: true, Kind: authz.AccessToken, Source: authz.LocalJWT, Fetched: time.Now(), ID: "j1", SessionID: "s1", IssuedAt: l.issued}
	if l.cache.revokedBy(q.Token, c) != notRevoked {
		return fact{Fact: dialect.Unusable("was revoked", time.Now())}, nil
	}
	return fact{Fact: dialect.Fact{Claims: c, Keep: dialect.Active}}, nil
}

func TestEV1_ARevocationStopsTokensThatAreValidatedHere(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		v      authz.Revocation
		issued time.Time
		want   bool
	}{
		"issued before":                 {authz.Revocation{SessionID: "s1"}, now.Add(-time.Minute), false},
		"issued after the event":        {authz.Revocation{SessionID: "s1", At: now.Add(-time.Minute)}, now.Add(-time.Second), true},
		"issued at the event":           {authz.Revocation{SessionID: "s1", At: now.Add(-time.Minute)}, now.Add(-time.Minute), false},
		"issued nobody knows when":      {authz.Revocation{SessionID: "s1", At: now.Add(-time.Minute)}, time.Time{}, false},
		"itself, though issued later":   {authz.Revocation{TokenID: "j1", At: now.Add(-time.Minute)}, now, false},
		"by the token":                  {authz.Revocation{Token: secret.New(testToken)}, now.Add(time.Second), false},
		"all, issued before":            {authz.Revocation{All: true}, now.Add(-time.Minute), false},
		"all, issued later":             {authz.Revocation{All: true, At: now.Add(-time.Hour)}, now, true},
		"another session":               {authz.Revocation{SessionID: "s2"}, now.Add(-time.Minute), true},
		"another session, or the token": {authz.Revocation{SessionID: "s2", TokenID: "j1"}, now.Add(-time.Minute), true},
		"an event in milliseconds":      {authz.Revocation{SessionID: "s1", At: time.Unix(now.UnixMilli(), 0)}, now.Add(time.Hour), true},
	} {
		i, _ := open(t, "https://as.example/i", withTenant)
		l := &local{cache: i.cache}
		if !c.issued.IsZero() {
			l.issued = authz.At(c.issued)
		}
		i.asker = l
		if !introspect(t, i).Active || i.Stats().Active.Entries != 1 {
			t.Errorf("%s: it is not kept", name)
		}
		if _, err := i.Evict(c.v); err != nil {
			t.Fatal(err)
		}
		if got := introspect(t, i); (got.Usable(time.Now()) == "") != c.want {
			t.Errorf("%s: it %s", name, got.Usable(time.Now()))
		}
	}
}

// careless validates JWTs and forgets to look whether they were revoked.
type careless struct{}

func (careless) ask(context.Context, Question) (fact, error) {
	return fact{Fact: dialect.Fact{Claims: &authz.Claims{Active: true, Source: authz.LocalJWT, Fetched: time.Now(), ID: "j1"}, Keep: dialect.Active}}, nil
}

func TestEV1_ARevokedJWTIsNotUsedThoughItsValidatorSaysSo(t *testing.T) {
	i, _ := open(t, "https://as.example/i", withTenant)
	i.asker = careless{}
	introspect(t, i)
	evict(t, i, authz.Revocation{TokenID: "j1"})
	refusal(t, i, authz.Unavailable)
}

func TestEV1_RevocationsAreForgottenAfterTheirTime(t *testing.T) {
	r, now := newRevocations(time.Hour), time.Now()
	r.add(revocation{marks: []mark{1}, before: 100, by: byOperator, arrived: now})
	r.add(revocation{marks: nil, before: 50, by: byOperator, arrived: now})
	r.add(revocation{marks: []mark{1}, before: 90, by: byOperator, arrived: now.Add(time.Minute)}) // the same once more, which keeps it longer and makes it no smaller
	late := now.Add(time.Hour)
	if r.by([]mark{1}, nil, 100, late) == notRevoked || r.by([]mark{1}, nil, 101, late) != notRevoked || r.by([]mark{2}, nil, 50, late) != notRevoked {
		t.Error("remembered for another time, or of another one")
	}
	if r.by([]mark{2}, nil, 50, late.Add(-1)) == notRevoked || r.by([]mark{2}, nil, 51, now) != notRevoked {
		t.Error("all are not all")
	}
	late = late.Add(time.Minute)
	if r.by([]mark{1}, nil, 1, late) != notRevoked {
		t.Error("never forgotten")
	}
	r.sweep(late)
	if remembered(r) != 0 || len(r.byMark) != 0 {
		t.Errorf("%d are left", remembered(r))
	}
}

func TestEV1_TooManyRevocationsRaiseTheFloorAndRefuseNobodyNewer(t *testing.T) {
	r, now := newRevocations(time.Hour), time.Now()
	r.most = 10
	start := authz.At(now)
	for n := range 15 {
		at := now.Add(time.Duration(n) * time.Second)
		r.add(revocation{marks: []mark{mark(n + 1)}, before: authz.At(at), by: byOperator, arrived: at})
	}
	end := now.Add(15 * time.Second)
	if r.log.Len() != 10 || len(r.byMark) != 10 {
		t.Errorf("%d are remembered", r.log.Len())
	}
	for n := range 15 {
		if r.by([]mark{mark(n + 1)}, nil, start+authz.Time(n), end) == notRevoked {
			t.Errorf("revocation %d is forgotten", n)
		}
	}
	if r.by([]mark{99}, nil, start+4, end) == notRevoked || r.by([]mark{99}, nil, start+5, end) != notRevoked || r.by([]mark{99}, nil, 0, end) == notRevoked {
		t.Error("the floor is not where the last that was forgotten was")
	}
}

func TestEV1_WithoutAMemoryNothingIsRemembered(t *testing.T) {
	r, now := newRevocations(0), time.Now()
	r.add(revocation{marks: []mark{1}, before: always, by: byOperator, arrived: now})
	r.add(revocation{marks: nil, before: always, by: byOperator, arrived: now})
	if r.by([]mark{1}, nil, 0, now) != notRevoked || remembered(r) != 0 {
		t.Error("remembered")
	}
}

func remembered(r *revocations) int {
	_, n := r.counts()
	return n
}
