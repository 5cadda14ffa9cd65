package replay

import (
	"cmp"
	"container/heap"
	"context"
	"hash/fnv"
	"io"
	"slices"
	"strings"
)

// choose reads all events, and returns the last ones, or a sample: those whose ids have the greatest hashes, which is
// the same for the same log. The others are counted as outside. Its memory is that of the chosen ones.
func choose(ctx context.Context, events Events, s *shared, t *tally) (Events, error) {
	c := &chosen{most: max(s.o.Last, s.o.Sample), key: byTime}
	if s.o.Sample > 0 {
		c.key = byHash
	}
	err := each(ctx, events, s, lookAtItem, func(o *outcome) {
		if o.skipped || o.bad != nil || o.outside {
			t.add(o)
			return
		}
		own := *o // o keeps the outcomes beside it in memory
		heap.Push(c, candidate{&own, c.key(o), c.n})
		if c.n++; c.Len() > c.most {
			left := heap.Pop(c).(candidate)
			left.outside = true
			t.add(left.outcome)
		}
	})
	done, total := events.Read()
	slices.SortFunc(c.list, func(a, b candidate) int { return cmp.Compare(a.place, b.place) })
	return &selection{c.list, done, total}, err
}

// lookAtItem only reads an item.
func lookAtItem(_ context.Context, j *judge, item *Item) outcome {
	out := j.readItem(item)
	if out.bad == nil && !out.outside {
		own := *item
		own.Line = slices.Clone(item.Line)
		out.item = &own
	}
	if out.event != nil {
		out.doc, out.result = nil, nil // read again when it is chosen
	}
	return out
}

// candidate is an event that may be chosen.
type candidate struct {
	*outcome
	key   uint64
	place int
}

// chosen is a heap of the candidates with the greatest keys, the smallest first.
type chosen struct {
	list []candidate
	most int
	key  func(*outcome) uint64
	n    int
}

func byTime(o *outcome) uint64 { return uint64(o.time.UnixNano()) }

func byHash(o *outcome) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, o.id) // never fails
	return h.Sum64()
}

func (c *chosen) Len() int { return len(c.list) }
func (c *chosen) Less(i, j int) bool {
	a, b := c.list[i], c.list[j]
	return cmp.Or(cmp.Compare(a.key, b.key), strings.Compare(a.id, b.id), cmp.Compare(a.place, b.place)) < 0
}
func (c *chosen) Swap(i, j int) { c.list[i], c.list[j] = c.list[j], c.list[i] }
func (c *chosen) Push(x any)    { c.list = append(c.list, x.(candidate)) }
func (c *chosen) Pop() any {
	last := len(c.list) - 1
	x := c.list[last]
	c.list = c.list[:last]
	return x
}

// selection are the chosen events.
type selection struct {
	list        []candidate
	done, total int64
}

// Next implements Events.
func (s *selection) Next() (Item, error) {
	if len(s.list) == 0 {
		return Item{}, io.EOF
	}
	next := s.list[0].item
	s.list = s.list[1:]
	return *next, nil
}

// Read implements Events.
func (s *selection) Read() (done, total int64) { return s.done, s.total }
