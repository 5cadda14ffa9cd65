package engine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// pairs is how many pairs of a policy and a document a test compares: MEMO_PAIRS, or a few thousand.
func pairs(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("MEMO_PAIRS"))
	if err != nil {
		return 6000
	}
	t.Logf("%d pairs", n)
	return n
}

// drawnPolicies yields policies of one to three shapes each, until there are enough pairs. Each shape is in one of the
// first policies.
func drawnPolicies(t *testing.T, cfg Config, each, atAll int, yield func(p *Policy, rego string, random *rand.Rand)) {
	t.Helper()
	all, failed := shapes(), 0
	for i := 0; i < max(len(all), atAll/each); i++ {
		random := rand.New(rand.NewPCG(15, uint64(i)))
		drawn := []string{all[i%len(all)]}
		for random.IntN(2) == 0 && len(drawn) < 3 {
			drawn = append(drawn, draw(random, all))
		}
		files := shapedPolicy(random, drawn...)
		p, err := compiled(t, cfg, files)
		if err != nil {
			failed++ // types do not allow it
			continue
		}
		yield(p, files["policies/authz.rego"], random)
	}
	if failed > max(len(all), atAll/each)/2 {
		t.Errorf("%d policies do not compile", failed)
	}
}

// answerText is an answer, or its error, as text.
func answerText(r Result, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	v, err := r.Verdict()
	if err != nil {
		return "error: " + err.Error()
	}
	b, err := r.AppendJSON(nil)
	return fmt.Sprintf("%t %s %v", v.Allow, b, err)
}

// TestTheIndexAnswersDrawnPoliciesAsTheirRulesSay compares drawn policies with an evaluation without the index. Where a
// builtin fails that the index spares, since another condition of the rule does not hold, there is nothing to compare.
func TestTheIndexAnswersDrawnPoliciesAsTheirRulesSay(t *testing.T) {
	compared := 0
	const each = 20
	drawnPolicies(t, patient, each, pairs(t)/2, func(p *Policy, rego string, random *rand.Rand) {
		docs := newDocuments(random)
		d := docs.document()
		for range each {
			q := Question{Entrypoint: decisionPath, Document: d, Time: start.Add(time.Duration(random.IntN(100))), Seed: "a"}
			d = docs.near(d)
			if _, err := p.view.Value(q.Document); err != nil {
				continue
			}
			without, err := unindexed(t, p, q)
			if err != nil {
				continue
			}
			compared++
			if got, want := answerText(p.Eval(t.Context(), q)), answerText(without.Result, nil); got != want {
				text, _ := q.Document.AppendJSON(nil)
				t.Errorf("%s\nwith %s:\n%s\nwithout the index:\n%s", rego, text, got, want)
			}
		}
	})
	if t.Logf("%d compared", compared); compared < 1000 {
		t.Error("few pairs are compared")
	}
}
