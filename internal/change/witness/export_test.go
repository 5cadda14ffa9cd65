package witness

import (
	"context"
	"fmt"
)

// Contradictions attacks each shape that is proved with documents that are made up at random, and returns those which
// both sides decide differently: there must be none. proved is how many shapes were attacked.
func Contradictions(ctx context.Context, from, to Side, opts Options, documents int) (proofs int, found []string) {
	for _, path := range from.Policy.Entrypoints() {
		old, err := newProgram(from, path, opts.Now)
		if err != nil {
			return 0, []string{err.Error()}
		}
		new, err := newProgram(to, path, opts.Now)
		if err != nil {
			return 0, []string{err.Error()}
		}
		c := newComparison(old, new, opts)
		for i, s := range shapesOf(old, new, nil) {
			r := &result{shape: s}
			if c.evaluate(ctx, r); r.pair == nil {
				continue
			}
			if c.lookAt(ctx, []*result{r}); r.state != proved {
				continue
			}
			proofs++
			a := c.newAttack(ctx, r)
			a.probe()
			a.generateBy(newDice(fmt.Sprint("attack", i, path)), documents)
			for _, d := range a.found {
				if d.class == Wider || d.class == Narrower {
					found = append(found, fmt.Sprintf("%s %s: %s", s, d.class, textOf(d.doc)))
				}
			}
		}
	}
	return proofs, found
}
