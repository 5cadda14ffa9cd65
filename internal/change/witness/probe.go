package witness

import (
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
)

// probe tries documents around what either side allows: one that meets each way, the same with one literal turned
// over, and the same without one member. What differs beside "allow" shows in them, and they put proofs to the test.
func (a *attack) probe() {
	if a.r.pair == nil {
		return
	}
	usable := a.modes()[0]
	all := slices.Concat(ways(a.r.pair.new), ways(a.r.pair.old))
	seen := map[string]bool{}
	for _, way := range all[:min(len(all), maxGoals)] {
		goal := a.settled(way, usable)
		if goal.IsFalse() || seen[goal.Text()] {
			continue
		}
		seen[goal.Text()] = true
		changer := *a.changer
		changer.frozen = usable.frozen
		s := newSearch(&changer, a.r.pair.literals, func(document) bool { return true })
		s.left = maxDocuments / 4
		doc := s.run(a.ctx, goal, a.base(usable.token))
		if doc == nil {
			continue
		}
		a.met = append(a.met, doc)
		a.try(doc)
		goal.Literals(func(l *formula.Literal) {
			for _, d := range s.repaired(a.ctx, doc, wanted{l.Key, !s.holds(a.ctx, l.Key, doc)}) {
				if a.try(d); a.tried > maxProbes {
					return
				}
			}
		})
		a.omissions(doc)
	}
}

// maxProbes bounds the documents that are tried around one shape.
const maxProbes = 300

// omissions tries a document without each member that a side reads.
func (a *attack) omissions(doc document) {
	for _, r := range a.reads() {
		if d := a.old.form.unset(doc, r.Path); d != nil {
			a.try(d)
		}
	}
	for _, change := range []struct {
		name string
		to   any
	}{{"active", false}, {"kind", "refresh"}, {"kind", "id"}, {"stale", true}} {
		a.try(with(doc, []any{"token", change.name}, change.to).(map[string]any))
	}
}

// reads are the members that either side reads.
func (c *comparison) reads() []partial.Read { return slices.Concat(c.old.reads, c.new.reads) }

// maxGenerated bounds the documents that are made up for a shape that is neither proved nor found different.
const maxGenerated = 400

// generate tries documents that are made up at random, where partial evaluation does not help: one to three members
// are changed of one that is known to mean something.
func (a *attack) generate() { a.generateBy(newDice(a.r.String()), maxGenerated) }

func (a *attack) generateBy(dice *dice, n int) {
	if a.network {
		return
	}
	pool := slices.Concat(a.met, a.bases()[:1])
	changer := *a.changer
	changer.constants = slices.Concat(a.changer.constants, a.old.constants, a.new.constants)
	reads := a.reads()
	if len(reads) == 0 {
		return
	}
	outcomes := map[string]bool{}
	for range n {
		if a.ctx.Err() != nil {
			return
		}
		doc := pool[dice.below(len(pool))]
		for range 1 + dice.below(3) {
			if d := a.varied(&changer, doc, reads[dice.below(len(reads))], dice); d != nil {
				doc = d
			}
		}
		d, ok := a.compare(doc)
		if a.try(doc); !ok {
			continue
		}
		if key := string(d.old.Answer) + string(d.new.Answer); !outcomes[key] && len(pool) < 60 {
			outcomes[key] = true
			pool = append(pool, doc)
		}
	}
}

// varied is a document with another value of one member.
func (a *attack) varied(c *changer, doc document, read partial.Read, dice *dice) document {
	values := c.samples(read.Path, nil, nil)
	if len(values) == 0 || dice.below(8) == 0 {
		return c.form.unset(doc, read.Path)
	}
	v := values[dice.below(len(values))]
	if !read.Elements {
		if list, ok := v.([]any); ok && dice.below(2) == 0 {
			have, _ := get(doc, read.Path)
			before, _ := have.([]any)
			v = append(slices.Clone(before), list...)
		}
		return c.form.set(doc, read.Path, v)
	}
	var out document
	c.element(doc, read, v, func(d document) {
		if out == nil {
			out = d
		}
	})
	return out
}

// dice are random numbers that are the same for equal texts.
type dice struct {
	text string
	n    int
}

func newDice(text string) *dice { return &dice{text: text} }

// below is a number from 0 to n-1.
func (d *dice) below(n int) int {
	d.n++
	h := fnv.New64a()
	_, _ = h.Write([]byte(d.text + strconv.Itoa(d.n)))
	return int((h.Sum64() >> 16) % uint64(n))
}
