package cache

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// The log answers as a plain list of all revocations would, and where it had to forget some, no less strictly.
func TestEV1_TheLogOfRevocationsAnswersAsAPlainListWould(t *testing.T) {
	for _, most := range []int{1 << 16, 5} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(1, uint64(most)))
			some := func() (marks []mark) {
				for m := range mark(4) {
					if rng.IntN(2) == 0 {
						marks = append(marks, m+1)
					}
				}
				return marks
			}
			r, now := testLog(time.Hour), time.Unix(1_800_000_000, 0)
			r.limit = most
			type sent struct {
				d    query
				upTo int // revocations before it
			}
			var list []revocation
			var questions []sent
			for range 20_000 {
				now = now.Add(time.Duration(rng.IntN(10)) * time.Second)
				switch rng.IntN(8) {
				case 0:
					v := revocation{marks: some(), before: authz.At(now) - authz.Time(rng.IntN(20)),
						by: introspect.ByOperator, arrived: now}
					if rng.IntN(2) == 0 {
						v.by = introspect.ByEvent
					}
					if rng.IntN(4) == 0 {
						v.session = mark(5 + rng.IntN(2))
					}
					if len(v.marks) == 0 {
						v.session = 0
					}
					r.add(v)
					list = append(list, v)
				case 1:
					questions = append(questions, sent{r.begin(), len(list)})
				case 2:
					if len(questions) > 8 {
						r.end(questions[0].d)
						questions = questions[1:]
					}
				case 3:
					r.sweep(now)
				}
				marks, issued := some(), authz.At(now)-authz.Time(rng.IntN(4000))
				sessions := [][]mark{nil, {5}, {6}}[rng.IntN(3)]
				overtaken, by, latest := false, introspect.NotRevoked, time.Time{}
				q := sent{upTo: len(list)}
				if len(questions) > 0 {
					q = questions[rng.IntN(len(questions))]
				}
				for n, v := range list {
					if !within(v.marks, marks) {
						continue
					}
					overtaken = overtaken || n >= q.upTo
					latest = v.arrived
					if issued <= v.before && now.Sub(v.arrived) < time.Hour {
						by = max(by, v.of(sessions))
					}
				}
				exact := most > 5
				if q.d.at != nil {
					if got := r.revokedSince(q.d, marks); got != overtaken && (exact || !got) {
						t.Fatalf("most %d: overtaken %t, want %t", most, got, overtaken)
					}
				}
				if got := r.by(marks, sessions, issued, now); got != by && (exact || got < by) {
					t.Fatalf("most %d: by %d, want %d", most, got, by)
				}
				lately := !latest.IsZero() && now.Sub(latest) < cooldownPeriod
				if got, ok := r.latest(marks, now); ok != lately && (exact || !ok) || lately && got.Before(latest) {
					t.Fatalf("most %d: revoked at %v, %t, want %v, %t", most, got, ok, latest, lately)
				}
			}
		})
	}
}
