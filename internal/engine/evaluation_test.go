package engine

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
)

// An evaluation that is used again has nothing of the one before: neither its input, nor its end, nor its seed.
func TestEvaluationsThatFollowEachOtherAreApart(t *testing.T) {
	p := policy(t, patient, `
default decision := {"allow": false}

decision := {"allow": true, "context": {"reason": input.context.reason, "id": uuid.rfc4122("k")}}
`)
	e := p.entries[decisionPath]
	answer := func(reason, seed string) string {
		in, err := p.view.Value(question(fmt.Sprintf(`{"reason":%q}`, reason)).Document)
		if err != nil {
			t.Fatal(err)
		}
		v, err := e.eval(t.Context(), in, evalOptions{time: start, seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return v.String()
	}
	first := answer("a", "1")
	if second := answer("b", "1"); second == first {
		t.Errorf("%s was answered to two inputs", second)
	}
	if again := answer("a", "1"); again != first {
		t.Errorf("%s, want %s", again, first)
	}
	if other := answer("a", "2"); other == first {
		t.Errorf("%s was answered to two seeds", other)
	}
	if _, err := e.eval(t.Context(), nil, evalOptions{time: start}); err == nil && answer("a", "1") != first {
		t.Error("an evaluation without input changes the next")
	}
}

// An alarm that went off ends its own evaluation, and no later one.
func TestADeadlineEndsOneEvaluation(t *testing.T) {
	p := policy(t, patient, `
default decision := false

decision if {
	input.context.slow
	count([1 | some a in numbers.range(1, 4000); some b in numbers.range(1, 4000); a * b == 0]) == 0
}
`)
	e := p.entries[decisionPath]
	slow, err := p.view.Value(question(`{"slow":true}`).Document)
	if err != nil {
		t.Fatal(err)
	}
	quick, err := p.view.Value(question(`{}`).Document)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				_, err := e.eval(t.Context(), slow, evalOptions{time: start, deadline: time.Millisecond})
				if !errors.Is(err, ErrDeadline) {
					t.Errorf("error is %v, want the deadline", err)
				}
				for range 20 {
					if _, err := e.eval(t.Context(), quick, evalOptions{time: start}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
}

// eventCount counts the events of the evaluations that it follows.
type eventCount int

func (*eventCount) Enabled() bool               { return true }
func (*eventCount) Config() topdown.TraceConfig { return topdown.TraceConfig{} }
func (n *eventCount) TraceEvent(topdown.Event)  { *n++ }

func TestWhatFollowsAnEvaluationFollowsNoOther(t *testing.T) {
	p := policy(t, patient, "default decision := false\n\ndecision if input.context.a == 1\n")
	in, err := p.view.Value(question(`{"a":1}`).Document)
	if err != nil {
		t.Fatal(err)
	}
	events := func() int {
		var n eventCount
		for _, how := range []evalOptions{{recorder: &n}, {}, {tracer: &n}, {}} {
			before := n
			how.time = start
			if _, err := p.entries[decisionPath].eval(t.Context(), in, how); err != nil {
				t.Fatal(err)
			}
			if follows := how.recorder != nil || how.tracer != nil; follows != (n > before) {
				t.Errorf("followed is %t, %d events", follows, n-before)
			}
		}
		return int(n)
	}
	first := events()
	for range 10 {
		if n := events(); n != first {
			t.Errorf("%d events, %d at first", n, first)
		}
	}
}
