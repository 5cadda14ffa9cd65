package introspect

import (
	"container/list"
	"sync"
)

// tombstones make a revocation win over questions that are under way when it arrives: EV-1. The answer to such a question
// may be older than the revocation, and is neither kept nor used.
//
// Clocks are too coarse to order the two, so departures and burials are numbered. A tombstone is needed only as long as
// a question is under way that left before it, so it has no lifetime to get wrong.
type tombstones struct {
	mu     sync.Mutex
	number uint64    // of the latest departure or burial
	aloft  list.List // numbers of the departures of questions under way, in order
	graves []grave   // in order
	all    uint64    // every question that left before this is stale; 0 is none
}

// grave names, by their marks, the tokens that were revoked, and when.
type grave struct {
	number uint64
	marks  []mark
}

// maxGraves bounds what each landing looks at. One more makes one tombstone of them all, under which every answer under
// way is asked for again: correct, and slower.
const maxGraves = 1024

// departure is one question under way.
type departure struct{ at *list.Element }

func (d departure) number() uint64 { return d.at.Value.(uint64) }

// depart is called before a question is sent, and land after its answer was kept, or was not.
func (t *tombstones) depart() departure {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.number++
	return departure{t.aloft.PushBack(t.number)}
}

func (t *tombstones) land(d departure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.aloft.Remove(d.at)
	oldest := t.aloft.Front()
	if oldest == nil {
		t.graves, t.all = nil, 0
		return
	}
	first := oldest.Value.(uint64)
	for len(t.graves) > 0 && t.graves[0].number < first {
		t.graves = t.graves[1:]
	}
	if t.all < first {
		t.all = 0
	}
}

// bury makes stale what is under way about the tokens that have all of marks; no marks mean all tokens.
func (t *tombstones) bury(marks []mark) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.number++
	switch {
	case t.aloft.Len() == 0:
	case len(marks) == 0 || len(t.graves) >= maxGraves:
		t.graves, t.all = nil, t.number
	default:
		t.graves = append(t.graves, grave{t.number, marks})
	}
}

// cover reports whether a token that has marks was revoked after a question about it left.
func (t *tombstones) cover(d departure, marks []mark) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := d.number()
	if left < t.all {
		return true
	}
	for i := len(t.graves) - 1; i >= 0 && t.graves[i].number > left; i-- {
		if within(t.graves[i].marks, marks) {
			return true
		}
	}
	return false
}

func (t *tombstones) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.graves)
	if t.all > 0 {
		n++
	}
	return n
}
