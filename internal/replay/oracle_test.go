package replay_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/replay"
)

const recordedDecisions = 10000

// TestReplayIsExact is about 10,000 recorded decisions with time, random values and headers in them.
func TestReplayIsExact(t *testing.T) {
	by, calls := side(t, same), workload(recordedDecisions)
	log := record(t, by, "shop/decision", calls)
	t.Run("the policy that made the log differs in nothing", func(t *testing.T) {
		r := replayed(t, log, replay.Options{Candidate: by})
		undecided := 0
		for _, c := range calls {
			if !c.token || c.expired {
				undecided++
			}
		}
		if r.Totals.Events != recordedDecisions || r.Totals.NotDecided != undecided || r.Totals.NotReplayable != 0 ||
			r.Changes.Unchanged != recordedDecisions-undecided || r.Changes.Changed() != 0 {
			t.Errorf("totals %+v, changes %+v, examples %+v", r.Totals, r.Changes, r.Examples)
		}
		if len(r.Recorded) != 1 || !r.Recorded[0].Candidate {
			t.Errorf("recorded by %+v", r.Recorded)
		}
	})
	t.Run("a policy with one scope less flips what an oracle says", func(t *testing.T) {
		wider := side(t, func(name, text string) string {
			if name != "routes/data.yaml" {
				return text
			}
			return strings.Replace(text, "id: read_order\n      scopes: [orders:read]",
				"id: read_order\n      scopes: []", 1)
		})
		r := replayed(t, log, replay.Options{Candidate: wider, Examples: recordedDecisions, Explain: -1})
		got := map[replay.Class][]string{}
		for _, e := range r.Examples {
			got[e.Class] = append(got[e.Class], e.DecisionID)
		}
		want := flipsByOracle(t, calls, log)
		for _, class := range replay.Classes[:len(replay.Classes)-1] {
			slices.Sort(got[class])
			slices.Sort(want[class])
			if !slices.Equal(got[class], want[class]) {
				t.Errorf("%s: %d, want %d", class, len(got[class]), len(want[class]))
			}
			if r.Changes.Of(class) != len(want[class]) {
				t.Errorf("%s: counted %d, want %d", class, r.Changes.Of(class), len(want[class]))
			}
		}
		if len(want[replay.DenyToAllow]) < 100 || len(want[replay.AnswerChanged]) < 100 {
			t.Errorf("the workload shows little: %d and %d", len(want[replay.DenyToAllow]),
				len(want[replay.AnswerChanged]))
		}
	})
}

// flipsByOracle says which decisions change, and how, when reading one order needs no scope any more: by the
// parameters of the calls alone. The log only gives the calls their ids.
func flipsByOracle(t *testing.T, calls []call, log []byte) map[replay.Class][]string {
	t.Helper()
	out := map[replay.Class][]string{}
	in := decisionlog.NewReader(bytes.NewReader(log))
	for _, c := range calls {
		e, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		lacks := !slices.Contains(c.scopes, "orders:read")
		readsOne := c.method == "GET" && strings.HasPrefix(c.path, "/orders/")
		switch {
		case !readsOne || !lacks || !c.token || c.expired || c.audience != "orders-api" || c.at.Hour() < 6:
		case c.tenant == "acme":
			out[replay.DenyToAllow] = append(out[replay.DenyToAllow], e.DecisionID)
		default: // one reason less
			out[replay.AnswerChanged] = append(out[replay.AnswerChanged], e.DecisionID)
		}
	}
	return out
}
