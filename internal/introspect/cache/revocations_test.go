package cache

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

func TestEV1_RevocationsAreForgottenAfterTheirTime(t *testing.T) {
	r, now := testLog(time.Hour), time.Now()
	r.add(revocation{marks: []mark{1}, before: 100, by: introspect.ByOperator, arrived: now})
	r.add(revocation{marks: nil, before: 50, by: introspect.ByOperator, arrived: now})
	r.add(revocation{marks: []mark{1}, before: 90, by: introspect.ByOperator,
		arrived: now.Add(time.Minute)}) // the same once more, which keeps it longer and makes it no smaller
	late := now.Add(time.Hour)
	if r.by([]mark{1}, nil, 100, late) == introspect.NotRevoked ||
		r.by([]mark{1}, nil, 101, late) != introspect.NotRevoked ||
		r.by([]mark{2}, nil, 50, late) != introspect.NotRevoked {
		t.Error("remembered for another time, or of another one")
	}
	if r.by([]mark{2}, nil, 50, late.Add(-1)) == introspect.NotRevoked ||
		r.by([]mark{2}, nil, 51, now) != introspect.NotRevoked {
		t.Error("all are not all")
	}
	late = late.Add(time.Minute)
	if r.by([]mark{1}, nil, 1, late) != introspect.NotRevoked {
		t.Error("never forgotten")
	}
	r.sweep(late)
	if remembered(r) != 0 || len(r.byMark) != 0 {
		t.Errorf("%d are left", remembered(r))
	}
}

func TestEV1_TooManyRevocationsRaiseTheFloorAndSpareNewerTokens(t *testing.T) {
	r, now := testLog(time.Hour), time.Now()
	r.limit = 10
	start := authz.At(now)
	for n := range 15 {
		at := now.Add(time.Duration(n) * time.Second)
		r.add(revocation{marks: []mark{mark(n + 1)}, before: authz.At(at), by: introspect.ByOperator, arrived: at})
	}
	end := now.Add(15 * time.Second)
	if r.log.Len() != 10 || len(r.byMark) != 10 {
		t.Errorf("%d are remembered", r.log.Len())
	}
	for n := range 15 {
		if r.by([]mark{mark(n + 1)}, nil, start+authz.Time(n), end) == introspect.NotRevoked {
			t.Errorf("revocation %d is forgotten", n)
		}
	}
	if r.by([]mark{99}, nil, start+4, end) == introspect.NotRevoked ||
		r.by([]mark{99}, nil, start+5, end) != introspect.NotRevoked ||
		r.by([]mark{99}, nil, 0, end) == introspect.NotRevoked {
		t.Error("the floor is not where the last that was forgotten was")
	}
}

func TestEV1_WithoutAMemoryNothingIsRemembered(t *testing.T) {
	r, now := testLog(0), time.Now()
	r.add(revocation{marks: []mark{1}, before: always, by: introspect.ByOperator, arrived: now})
	r.add(revocation{marks: nil, before: always, by: introspect.ByOperator, arrived: now})
	if r.by([]mark{1}, nil, 0, now) != introspect.NotRevoked || remembered(r) != 0 {
		t.Error("remembered")
	}
}

func remembered(r *Revocations) int {
	_, n := r.counts()
	return n
}

// skew is how far ahead the clock of an issuer may be.
const skew = 10 * time.Second

func TestEV1_TokensIssuedLaterThanTheToleranceAfterAnEvictionAreGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, v := range []authz.Revocation{{Subject: "alice"}, {All: true}} {
			r, now := testLog(time.Hour), time.Now()
			marks := []mark{1}
			if v.All {
				marks = nil
			}
			r.add(revocation{marks: marks, before: before(v, skew, now), by: introspect.ByOperator, arrived: now})
			for after, want := range map[time.Duration]introspect.Revoker{-time.Hour: introspect.ByOperator,
				0: introspect.ByOperator, skew: introspect.ByOperator, skew + time.Second: introspect.NotRevoked} {
				if got := r.by([]mark{1, 2}, nil, authz.At(now.Add(after)), now.Add(time.Minute)); got != want {
					t.Errorf("%+v: issued %v after: %v", v, after, got)
				}
			}
		}
	})
}

// An event has the time of the server's clock, which tokens have too.
func TestEV1_TheTimeOfAnEventIsTakenAsItIs(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for at, want := range map[time.Duration]time.Duration{-time.Hour: -time.Hour, 0: 0,
		8 * time.Second: 8 * time.Second, time.Hour: maxAhead} {
		if got := before(authz.Revocation{Subject: "alice", At: now.Add(at)}, skew,
			now); got != authz.At(now.Add(want)) {
			t.Errorf("%v from now: %v", at, got)
		}
	}
}
