package witness_test

import (
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/change/witness"
)

func TestTimesOfTheDayAndOfTheWeekAreLookedAt(t *testing.T) {
	const hours = "decision if {\n\t[hour, _, _] := time.clock(time.now_ns())\n\thour >= 9\n\thour < 17\n}"
	const days = "decision if time.weekday(time.now_ns()) in {\"Monday\", \"Friday\"}"
	const end = `decision if time.now_ns() < time.parse_rfc3339_ns("2026-12-31T00:00:00Z")`
	for _, change := range []struct {
		policy, from, to string
		want             witness.Class
	}{
		{hours, "< 17", "< 18", witness.Wider},
		{hours, ">= 9", ">= 11", witness.Narrower},
		{end, "2026-12", "2027-12", witness.Wider},
		{days, "{", "{\"Sunday\", ", witness.Wider},
	} {
		f, err := witness.Compare(t.Context(), written(t, policy(change.policy)),
			written(t, policy(strings.Replace(change.policy, change.from, change.to, 1))),
			witness.Options{Now: now, Budget: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if f.Result != change.want || f.Findings[0].Witness.Now.IsZero() || f.Entrypoints[0].Times < 2 {
			t.Errorf("%s for %s: %s %+v %+v", change.to, change.from, f.Result, f.Findings, f.Entrypoints)
		}
	}
}
