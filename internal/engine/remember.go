package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/document"
	"github.com/authz-sidecar/sidecar/internal/engine/memo"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// memory remembers the results of the entrypoints of one Policy. A result is used again for a document whose values
// are equal, as far as the entrypoint may read them: what else an evaluation depends on is in the policy, but for
// builtins that are not deterministic, and a result of theirs is not kept. Nor is one that is no verdict.
//
// It is safe for concurrent use; nil remembers nothing.
type memory struct {
	kept   *memo.Memo[*Result]
	counts *memo.Counts
	// lifetime is that of a result; 0 is without end.
	lifetime time.Duration
	// checked is how many hits there are to one that is evaluated again; 0 checks none.
	checked uint64
	hits    atomic.Uint64
}

// maxLifetime bounds how long a result is remembered, and checkEvery how many hits come to one that is checked.
const (
	maxLifetime = time.Minute
	checkEvery  = 1024
)

// newMemory returns the memory of a policy that serves, or nil when cfg remembers nothing.
func newMemory(cfg Config) *memory {
	if !cfg.Memo.On() {
		return nil
	}
	counts := cfg.MemoCounts
	if counts == nil {
		counts = memo.NewCounts(nil)
	}
	return &memory{kept: memo.New[*Result](cfg.Memo), counts: counts, lifetime: maxLifetime, checked: checkEvery}
}

// offlineMemory returns the memory of an Offline policy: a log holds many questions that are alike, at any time.
func offlineMemory() *memory {
	cfg := memo.Config{MaxEntries: 200_000, MaxBytes: 64 << 20}
	return &memory{kept: memo.New[*Result](cfg).KeepAtOnce(), counts: memo.NewCounts(nil)}
}

// memoKey is what the results of one entrypoint are remembered by.
type memoKey struct {
	// name tells apart the entrypoints of a policy.
	name []byte
	key  *document.Key
	// varied counts the evaluations since the last one whose result could be kept.
	varied atomic.Uint32
}

// remember makes the results of the entrypoints of p known again, but for those of except. of is the program of p.
func (p *Policy) remember(m *memory, except []string, of *reads.Program) {
	if p.memory = m; m == nil {
		return
	}
	for i, path := range p.Entrypoints() {
		e := p.entries[path]
		if e.memo.Off || slices.Contains(except, path) {
			continue
		}
		ref := rego.RefOf(path)
		read, narrow := of.Narrowed(e.baseData, ref)
		e.key = &memoKey{
			name: binary.AppendUvarint(nil, uint64(i)),
			key:  document.NewKey(read.Paths, &narrow, p.view),
		}
	}
}

// baseData is the data at a reference as they were loaded, without what rules make; nil when there are none. It is
// false when they cannot be read.
func (w *runtime) baseData(ref ast.Ref) (ast.Value, bool) {
	path, err := storage.NewPathForRef(ref)
	if err != nil {
		return nil, false
	}
	found, err := w.store.Read(context.Background(), w.txn, path)
	if storage.IsNotFound(err) {
		return nil, true
	}
	if err != nil {
		return nil, false
	}
	if v, ok := found.(ast.Value); ok {
		return v, true
	}
	v, err := ast.InterfaceToValue(found)
	return v, err == nil
}

// Where an entrypoint gives results that cannot be kept many times on end, only some of its questions are looked up.
const (
	variedOften = 64
	lookedUp    = 16
)

// skip reports whether a question is not looked up, since none of the last ones had a result to keep.
func (k *memoKey) skip() bool {
	n := k.varied.Load()
	return n > variedOften && k.varied.Add(1)%lookedUp != 0
}

var keyBuffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKeyBuffer bounds the memory that a buffer keeps.
const maxKeyBuffer = 64 << 10

// eval answers q from memory, or evaluates e.
func (m *memory) eval(ctx context.Context, p *Policy, e *preparedRule, q Question) (Result, error) {
	if m == nil || e.key == nil || e.key.skip() {
		return p.evalAnew(ctx, e, q, nil)
	}
	buffer := keyBuffers.Get().(*[]byte)
	defer func() {
		if cap(*buffer) <= maxKeyBuffer {
			keyBuffers.Put(buffer)
		}
	}()
	*buffer = append((*buffer)[:0], e.key.name...)
	if e.memo.Quantum > 0 {
		*buffer = binary.AppendVarint(*buffer, q.Time.Truncate(e.memo.Quantum).UnixNano())
	}
	*buffer = e.key.key.Append(*buffer, q.Document)
	known, seen := m.kept.Get(*buffer, q.Time)
	if seen == memo.Kept {
		m.counts.Hits.Inc()
		if m.checked > 0 && m.hits.Add(1)%m.checked == 0 {
			return m.check(ctx, p, e, q, *buffer, known)
		}
		return *known, nil
	}
	m.counts.Misses.Inc()
	if seen == memo.Never {
		return p.evalAnew(ctx, e, q, nil)
	}
	notes := &builtins.Notes{KnowsTime: e.memo.Quantum > 0}
	result, err := p.evalAnew(ctx, e, q, notes)
	if err != nil {
		return result, err
	}
	if notes.Varies() {
		e.key.varied.Add(1)
		return result, nil
	}
	e.key.varied.Store(0)
	if bare, ok := result.bare(); ok {
		m.kept.Put(*buffer, &bare, bare.Size(), q.Time, m.until(q))
	}
	return result, nil
}

// until is when the result of q is forgotten: never after the facts about the token are.
func (m *memory) until(q Question) time.Time {
	if m.lifetime == 0 {
		return time.Time{}
	}
	until := q.Time.Add(m.lifetime)
	if c := q.Document.Claims; c != nil {
		if c.ExpiresAt != 0 {
			until = earlier(until, time.Unix(int64(c.ExpiresAt), 0).Add(c.ExpirySkew))
		}
		if c.FreshFor > 0 {
			until = earlier(until, c.Fetched.Add(c.FreshFor))
		}
	}
	return until
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// check evaluates q although its result is known, and answers by the evaluation where the two differ.
func (m *memory) check(
	ctx context.Context, p *Policy, e *preparedRule, q Question, key []byte, known *Result,
) (Result, error) {
	fresh, err := p.evalAnew(ctx, e, q, nil)
	if err == nil {
		text, err := fresh.AppendJSON(nil)
		if err == nil && bytes.Equal(text, known.made.json) {
			return *known, nil
		}
	}
	if err != nil && OutOfTime(err.Error()) { // which says nothing about the result
		return *known, nil
	}
	m.counts.Mismatches.Inc()
	m.kept.Drop(key)
	if m.counts.Mismatch != nil {
		m.counts.Mismatch(e.path, q.Seed)
	}
	return fresh, err
}

// MemoUse is how much p remembers.
func (p *Policy) MemoUse() memo.Use {
	if p.memory == nil {
		return memo.Use{}
	}
	return p.memory.kept.Use()
}
