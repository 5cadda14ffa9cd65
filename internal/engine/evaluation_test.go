package engine

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
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
