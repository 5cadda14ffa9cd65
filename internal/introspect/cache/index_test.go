package cache

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// consistent reports where the index and the list of entries of a shard differ.
func (sh *shard) consistent() error {
	linked, stored := map[*entry]bool{}, sh.items.Items()
	nodes := 0
	for e := sh.oldest; e != nil; e = e.newer {
		linked[e] = true
		nodes += len(e.nodes)
		if v, ok := stored[e.key]; ok && v.Object != e {
			return fmt.Errorf("a linked entry is not the one in the store")
		}
	}
	if len(linked) != sh.entries {
		return fmt.Errorf("%d entries are linked, %d counted", len(linked), sh.entries)
	}
	indexed := 0
	for m, head := range sh.index {
		if head == nil || head.node(m).prev != nil {
			return fmt.Errorf("mark %d has no first entry", m)
		}
		for e := head; e != nil; e = e.node(m).next {
			indexed++
			if next := e.node(m).next; !linked[e] || next != nil && next.node(m).prev != e {
				return fmt.Errorf("mark %d leads to an entry that is gone", m)
			}
		}
	}
	if indexed != nodes {
		return fmt.Errorf("%d nodes are indexed, entries have %d", indexed, nodes)
	}
	return nil
}

// FuzzEV3_TheIndexHoldsExactlyWhatIsKept plays operations of three bytes each.
func FuzzEV3_TheIndexHoldsExactlyWhatIsKept(f *testing.F) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		var ops []byte
		for range 300 {
			ops = binary.LittleEndian.AppendUint32(ops, r.Uint32())
		}
		f.Add(ops)
	}
	raw := make([]byte, 256<<10)
	f.Fuzz(func(t *testing.T, ops []byte) {
		const most = 8
		r := testkit.NewRegistry()
		s := newStore(most, 1<<20, newStoreCounts(r, "test"))
		start := time.Now()
		now := start
		for ; len(ops) >= 3; ops = ops[3:] {
			key := secret.Fingerprint{ops[1] % 16}
			marks := []mark{100 + mark(ops[1]%16)}
			for n := range mark(4) {
				if ops[2]>>n&1 == 1 {
					marks = append(marks, n)
				}
			}
			switch ops[0] % 8 {
			case 0, 1, 2:
				life := lasting(time.Duration(ops[2]) * time.Second)
				if ops[2]%5 == 0 {
					life.last = time.Duration(ops[0]>>6)*time.Second +
						1 // over for the store at once, and there until a sweep
				}
				s.keep(key, &authz.Claims{Fetched: now.Add(-time.Duration(ops[0]>>6) * time.Second),
					Raw: raw[:int(ops[0])<<10]}, life, marks, now)
			case 3:
				s.get(key, now)
			case 4:
				before := s.stats().Entries
				n := len(s.evict(marks[len(marks)-1:]))
				if s.stats().Entries != before-n {
					t.Fatal("the number evicted is wrong")
				}
			case 5:
				s.drop(string(key[:]), now.Add(-time.Duration(ops[2]>>4)*time.Second))
			case 6:
				s.sweep()
			case 7:
				if ops[1] == 0 {
					s.clear()
				}
				now = now.Add(time.Duration(ops[2]>>4) * time.Second)
			}
			for _, sh := range s.shards {
				if err := sh.consistent(); err != nil {
					t.Fatal(err)
				}
				if sh.entries > most || sh.bytes > 1<<20 {
					t.Fatalf("%d entries of %d bytes", sh.entries, sh.bytes)
				}
			}
		}
		if s.clear(); len(s.shards[0].index) != 0 {
			t.Error("the index outlives its entries")
		}
	})
}

func TestEV3_EvictionFindsAllThatHaveEveryMarkAndNoOthers(t *testing.T) {
	s, now := newStore(1000, 1<<30, newStoreCounts(nil, "test")), time.Now()
	for n := range byte(100) {
		s.keep(secret.Fingerprint{n}, &authz.Claims{Fetched: now}, lasting(time.Hour),
			[]mark{mark(n), 1000 + mark(n%10), 2000 + mark(n%4)}, now)
	}
	if n := len(s.evict([]mark{1003, 2001})); n != 5 { // 13, 33, 53, 73, 93
		t.Errorf("evicted %d", n)
	}
	for n := range byte(100) {
		if gone := s.get(secret.Fingerprint{n}, now) == nil; gone != (n%10 == 3 && n%4 == 1) {
			t.Errorf("entry %d: gone %t", n, gone)
		}
	}
}

// A cached token of 1 KB must not take much more because it can be evicted by anything that is known of it.
func TestEV3_TheIndexTakesLittleMemory(t *testing.T) {
	const tokens = 10_000
	n, raw := 0, 0
	next := func() introspect.Fact {
		n++
		id := fmt.Sprint(n)
		f := answer(authz.Claims{
			ID: "j" + id, SessionID: "s" + id, Subject: authz.Subject{ID: "u" + id,
				Username: "n" + id}, ClientID: "c", Tenant: "t",
			Raw: fmt.Appendf(nil, `{"active":true,"sub":"u%[1]s","email":"e%[1]s@example.org","x":%[2]q}`, id,
				strings.Repeat("x", 900)),
		})
		raw = len(f.Claims.Raw)
		return f
	}
	c := open(t, constant(next), func(c *Config) { c.MaxEntries, c.MaxBytes = 100_000, 1<<30 })
	before := testkit.Heap()
	for n := range tokens {
		if _, err := c.fetch(t.Context(), asking(fmt.Sprint("token", n))); err != nil {
			t.Fatal(err)
		}
	}
	each := (testkit.Heap()-before)/tokens - int64(raw)
	t.Logf("%d bytes for each token beside its answer", each)
	if c.Stats().Active.Entries != tokens || each > 900 {
		t.Errorf("%d bytes each, %d entries", each, c.Stats().Active.Entries)
	}
	runtime.KeepAlive(c)
}

func TestEV3_TheSubjectOfTheAnswerCountsBesideThatOfTheDialect(t *testing.T) {
	m := newMarker("test", secret.NewFingerprinter())
	marks := m.of(secret.New("t"), &authz.Claims{Subject: authz.Subject{ID: "00u1"},
		Raw: []byte(`{"x":{"sub":"no"},"sub":"a\u0040b","email":1}`)})
	for sub, want := range map[string]bool{"00u1": true, "a@b": true, "no": false} {
		if within(m.named(authz.Revocation{Subject: sub}), marks) != want {
			t.Errorf("%s: want %t", sub, want)
		}
	}
}
