package engine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
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

// drawnPolicies yields policies of one to three shapes each until there are n, and until each shape was in one.
func drawnPolicies(t *testing.T, cfg Config, n int, yield func(p *Policy, rego string, random *rand.Rand) bool) {
	t.Helper()
	random, all, made := rand.New(rand.NewPCG(15, 22)), shapes(), 0
	for first := true; first || made < n; first = false {
		random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		for rest := all; len(rest) > 0 && (first || made < n); {
			drawn := rest[:min(1+random.IntN(3), len(rest))]
			rest = rest[len(drawn):]
			p, text := drawnPolicy(t, cfg, random, drawn)
			if p == nil {
				continue
			}
			if made++; !yield(p, text, random) {
				return
			}
		}
	}
}

// drawnPolicy is a policy of some shapes, or of the first of them where they do not compile together, since types do
// not allow what was drawn; or nil.
func drawnPolicy(t *testing.T, cfg Config, random *rand.Rand, shapes []string) (*Policy, string) {
	for i := range 6 {
		if i == 3 {
			shapes = shapes[:1]
		}
		files := shapedPolicy(random, shapes...)
		if p, err := compiled(t, cfg, files); err == nil {
			return p, files["policies/authz.rego"]
		}
	}
	return nil, ""
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
