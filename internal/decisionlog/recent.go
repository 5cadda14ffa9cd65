package decisionlog

import (
	"slices"
	"sync"
)

// Recent keeps the latest decisions that policies made, in bounded memory: the records, as they were before any mask.
// They never leave the process. A nil *Recent keeps nothing. Its methods are safe for concurrent use.
type Recent struct {
	last int
	room int64 // bytes

	mu      sync.Mutex
	records []*Record // the oldest first
	bytes   int64
	total   uint64
}

// NewRecent keeps so many decisions, and no more than so many bytes of them, estimated; but always the latest one.
func NewRecent(last int, bytes int64) *Recent { return &Recent{last: last, room: bytes} }

// add keeps r, if a policy decided by the document, and drops the oldest. It is called by the goroutine of the Log.
func (k *Recent) add(r *Record) {
	if k == nil || r.Input == nil || r.Eval == 0 || r.Type != "" {
		return
	}
	kept := *r
	kept.Masker = nil // it would keep a whole policy
	kept.size = r.cost()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.total++
	k.records = append(k.records, &kept)
	k.bytes += kept.size
	for len(k.records) > k.last || k.bytes > k.room && len(k.records) > 1 {
		k.bytes -= k.records[0].size
		k.records[0] = nil
		k.records = k.records[1:]
	}
}

// Records are the kept decisions, the oldest first. They must not be changed.
func (k *Recent) Records() []*Record {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.records)
}

// Total is how many decisions were kept since the start, those that are dropped by now among them.
func (k *Recent) Total() uint64 {
	if k == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.total
}
