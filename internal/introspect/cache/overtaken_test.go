package cache

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// revoke puts a revocation of tokens into the log.
func revoke(r *Revocations, marks ...mark) {
	r.add(revocation{marks: marks, before: always, by: introspect.ByOperator, arrived: time.Now()})
}

func pending(r *Revocations) int {
	n, _ := r.counts()
	return n
}

func TestEV1_ARevocationOvertakesWhatWasSentBeforeItOnly(t *testing.T) {
	r := testLog(0)
	revoke(r, 1)
	if pending(r) != 0 {
		t.Error("nothing is under way, and a revocation is pending")
	}
	early := r.begin()
	revoke(r, 1, 2)
	late := r.begin()
	revoke(r, 3)
	for _, c := range []struct {
		d     query
		marks []mark
		want  bool
	}{
		{early, []mark{2, 7, 1}, true}, {early, []mark{1}, false}, {early, []mark{3}, true}, {early, nil, false},
		{late, []mark{1, 2}, false}, {late, []mark{3}, true},
	} {
		if got := r.revokedSince(c.d, c.marks); got != c.want {
			t.Errorf("question %d with %v: overtaken %t", c.d.number(), c.marks, got)
		}
	}
	revoke(r, 2, 1) // in another order it is another one
	revoke(r, 1)    // once more it overtakes what was sent since
	if !r.revokedSince(late, []mark{1}) || pending(r) != 4 {
		t.Errorf("%d are pending", pending(r))
	}
	r.end(early)
	if pending(r) != 3 {
		t.Errorf("%d are pending after the first has landed", pending(r))
	}
	r.end(late)
	if pending(r) != 0 {
		t.Errorf("%d are pending, and nothing is under way", pending(r))
	}
}

func TestEV1_RevocationOfEveryTokenOvertakesEveryQuestion(t *testing.T) {
	r := testLog(0)
	early := r.begin()
	revoke(r)
	late := r.begin()
	if !r.revokedSince(early, nil) || r.revokedSince(late, []mark{1}) || pending(r) != 1 {
		t.Errorf("early %t, late %t, %d pending", r.revokedSince(early, nil), r.revokedSince(late, nil), pending(r))
	}
}

// What is forgotten, for want of room or because its time is over, overtakes every question that was sent before it.
func TestEV1_RevocationsThatAreForgottenOvertakeEveryQuestion(t *testing.T) {
	r := testLog(0)
	r.limit = 3
	early := r.begin()
	for n := range mark(4) {
		revoke(r, n+1)
	}
	late := r.begin()
	if !r.revokedSince(early, []mark{1 << 40}) || r.revokedSince(late, []mark{1}) || r.log.Len() != 3 {
		t.Errorf("early %t, late %t, %d in the log", r.revokedSince(early, nil), r.revokedSince(late, nil),
			r.log.Len())
	}
	between := r.begin()
	revoke(r, 9)
	r.sweep(time.Now().Add(2 * cooldownPeriod))
	if !r.revokedSince(between, []mark{9}) || r.log.Len() != 0 || len(r.byMark) != 0 {
		t.Errorf("what was swept does not count, %d in the log", r.log.Len())
	}
}
