package witness

import (
	"container/heap"
	"context"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
)

// search looks for a document that meets a condition, by repair: of the documents that it knows, it takes one that is
// nearest to the condition, and makes changes of it that may make a literal hold that does not. Literals are evaluated
// by OPA, so that no meaning is modelled here.
type search struct {
	*changer
	literals map[string]*partial.Literal
	// accept decides about a document that meets the condition.
	accept func(document) bool
	// left is how many documents may still be looked at.
	left  int
	held  map[string]bool // by literal and what it reads
	seen  map[string]bool
	queue queue
	found document
}

// maxDocuments bounds the documents of one search.
const maxDocuments = 2500

func newSearch(c *changer, literals map[string]*partial.Literal, accept func(document) bool) *search {
	return &search{changer: c, literals: literals, accept: accept, left: maxDocuments, held: map[string]bool{},
		seen: map[string]bool{}}
}

// candidate is a document, and how far it is from the condition.
type candidate struct {
	doc document
	// wrong are the literals of the nearest way to the condition that are not as they should be.
	wrong []wanted
	score int
	order int
}

// wanted is a literal, asserted or denied.
type wanted struct {
	key  string
	held bool
}

type queue []candidate

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].score != q[j].score {
		return q[i].score < q[j].score
	}
	return q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(candidate)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// run returns a document that meets goal and is accepted, or nil.
func (s *search) run(ctx context.Context, goal *formula.Formula, base document) document {
	s.push(ctx, goal, base, 0)
	for s.found == nil && s.left > 0 && len(s.queue) > 0 && ctx.Err() == nil {
		next := heap.Pop(&s.queue).(candidate)
		for _, w := range next.wrong[:min(len(next.wrong), 3)] {
			for _, d := range s.repaired(ctx, next.doc, w) {
				s.push(ctx, goal, d, next.score/4+1)
			}
			if s.found != nil {
				break
			}
		}
	}
	return s.found
}

// repaired are documents in which a literal is as it is wanted; where none is, those that come of changing what it
// reads.
func (s *search) repaired(ctx context.Context, doc document, w wanted) []document {
	l := s.literals[w.key]
	if l == nil {
		return nil
	}
	var good []document
	directed := s.directed(doc, l.Constraint, w.held)
	for _, d := range directed {
		if s.holds(ctx, w.key, d) == w.held {
			good = append(good, d)
		}
	}
	if len(good) > 0 {
		return good
	}
	const enough, steps = 12, 40
	sampled := s.sampled(doc, l)
	for _, d := range sampled {
		if s.left--; s.holds(ctx, w.key, d) == w.held {
			if good = append(good, d); len(good) >= enough {
				return good
			}
		}
	}
	if len(good) == 0 { // a literal with several members: a step on the way
		return append(directed, sampled[:min(len(sampled), steps)]...)
	}
	return good
}

func (s *search) push(ctx context.Context, goal *formula.Formula, doc document, depth int) {
	if doc == nil || s.found != nil || s.left <= 0 {
		return
	}
	text := textOf(doc)
	if s.seen[text] || len(text) > maxDocumentBytes {
		return
	}
	s.seen[text] = true
	s.left--
	cost, wrong := s.distance(ctx, goal, doc)
	if cost == 0 {
		if s.accept(doc) {
			s.found = doc
		}
		// A condition that leaves rules of the policy whole may hold where the policies decide alike.
		return
	}
	heap.Push(&s.queue, candidate{doc: doc, wrong: wrong, score: 4*cost + depth, order: len(s.seen)})
}

// maxDocumentBytes bounds one document.
const maxDocumentBytes = 8000

// unreachableCost is the distance from false.
const unreachableCost = 1 << 16

// distance is how many literals are not as f wants them, on the nearest way, and which.
func (s *search) distance(ctx context.Context, f *formula.Formula, doc document) (int, []wanted) {
	switch f.Op {
	case formula.Lit:
		if !s.holds(ctx, f.Literal.Key, doc) {
			return 1, []wanted{{f.Literal.Key, true}}
		}
		return 0, nil
	case formula.Not:
		if s.holds(ctx, f.Parts[0].Literal.Key, doc) {
			return 1, []wanted{{f.Parts[0].Literal.Key, false}}
		}
		return 0, nil
	case formula.And:
		cost, wrong := 0, []wanted(nil)
		for _, p := range f.Parts {
			c, w := s.distance(ctx, p, doc)
			cost, wrong = cost+c, append(wrong, w...)
		}
		return cost, wrong
	}
	best, wrong := unreachableCost, []wanted(nil)
	for _, p := range f.Parts {
		c, w := s.distance(ctx, p, doc)
		switch {
		case c == 0:
			return 0, nil
		case c < best:
			best, wrong = c, w
		case c == best && len(wrong) < 6:
			wrong = append(wrong[:len(wrong):len(wrong)], w...)
		}
	}
	return best, wrong
}

// holds evaluates a literal. One that cannot be evaluated does not hold.
func (s *search) holds(ctx context.Context, key string, doc document) bool {
	l := s.literals[key]
	if l == nil {
		return false
	}
	id := key
	for _, r := range l.Reads {
		if v, ok := get(doc, r.Path); ok {
			id += "\x00" + textOf(v)
		} else {
			id += "\x01"
		}
	}
	if held, known := s.held[id]; known {
		return held
	}
	d, err := partial.NewDocument(doc)
	held := false
	if err == nil {
		held, _ = l.Holds(ctx, d)
	}
	s.held[id] = held
	return held
}
