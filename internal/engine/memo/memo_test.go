package memo

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

func keep(m *Memo[string], key, value string) {
	m.Put([]byte(key), value, len(value), start, start.Add(time.Minute))
}

func TestAnAnswerIsFoundUntilItsTime(t *testing.T) {
	m := New[string](Config{MaxEntries: 100, MaxBytes: 1 << 20})
	keep(m, "k", "v")
	for at, want := range map[time.Duration]bool{0: true, time.Second: true, time.Minute - 1: true,
		-time.Second: false, time.Minute: false, time.Hour: false} {
		keep(m, "k", "v")
		v, seen := m.Get([]byte("k"), start.Add(at))
		if (seen == Kept) != want || (v == "v") != want {
			t.Errorf("after %s: %q, %d", at, v, seen)
		}
		if n := m.Use().Entries; (n == 1) != want {
			t.Errorf("after %s: %d entries", at, n)
		}
	}
}

func TestAnAnswerWithoutATimeIsFoundForEver(t *testing.T) {
	m := New[string](Config{MaxEntries: 100, MaxBytes: 1 << 20})
	m.Put([]byte("k"), "v", 1, start, time.Time{})
	for _, at := range []time.Duration{-time.Hour, 0, 1e6 * time.Hour} {
		if v, seen := m.Get([]byte("k"), start.Add(at)); seen != Kept || v != "v" {
			t.Errorf("after %s: %q, %d", at, v, seen)
		}
	}
}

func TestWhatIsOverIsNotKept(t *testing.T) {
	m := New[string](Config{MaxEntries: 100, MaxBytes: 1 << 20})
	m.Put([]byte("k"), "v", 1, start, start)
	if u := m.Use(); u != (Use{}) {
		t.Errorf("%+v", u)
	}
}

func TestAKeyIsKnownFromItsSecondSightingOn(t *testing.T) {
	m := New[string](Config{MaxEntries: 100, MaxBytes: 1 << 20})
	for _, want := range []Seen{Never, Before, Before} {
		if _, seen := m.Get([]byte("k"), start); seen != want {
			t.Errorf("seen %d, want %d", seen, want)
		}
	}
}

func TestOtherKeysAreNotKnownByOne(t *testing.T) {
	m := New[string](Config{MaxEntries: 100, MaxBytes: 1 << 20})
	for i := range 1000 {
		if _, seen := m.Get(fmt.Append(nil, i), start); seen != Never {
			t.Errorf("key %d is seen %d", i, seen)
		}
	}
	if _, seen := m.KeepAtOnce().Get([]byte("k"), start); seen != Before {
		t.Errorf("a key that is kept at once is seen %d", seen)
	}
}

func TestEntriesAndKeysAreBounded(t *testing.T) {
	for _, entries := range []int{1, 160} {
		m := New[string](Config{MaxEntries: entries, MaxBytes: 1 << 20})
		for i := range 2000 {
			keep(m, fmt.Sprint(i), "v")
		}
		if n := m.Use().Entries; n > max(shards, entries) {
			t.Errorf("%d entries, the limit is %d", n, entries)
		}
	}
	m := New[string](Config{MaxEntries: 100, MaxBytes: 1 << 20})
	if keep(m, string(make([]byte, 1000)), "v"); m.Use().Bytes < 1000 {
		t.Errorf("%+v for a key of 1000 bytes", m.Use())
	}
	for cfg, want := range map[[2]int]bool{{0, 0}: false, {1, 0}: false, {0, 1}: false, {1, 1}: true} {
		if on := (Config{MaxEntries: cfg[0], MaxBytes: cfg[1]}).On(); on != want {
			t.Errorf("%d entries and %d bytes: on is %t", cfg[0], cfg[1], on)
		}
	}
}

// TestAKeyOfTheSameHashIsAnotherKey gives an entry another key than that of its hash.
func TestAKeyOfTheSameHashIsAnotherKey(t *testing.T) {
	m := New[string](Config{MaxEntries: 100, MaxBytes: 1 << 20})
	keep(m, "a", "of a")
	h := maphash.Bytes(m.seed, []byte("a"))
	m.shards[h%shards].entries[0].key = "b"
	if v, seen := m.Get([]byte("a"), start); seen == Kept || v != "" {
		t.Errorf("%q, %d", v, seen)
	}
	m.Drop([]byte("a"))
	if m.Use().Entries != 1 {
		t.Error("the answer of another key is dropped")
	}
	keep(m, "a", "of a")
	if v, _ := m.Get([]byte("a"), start); v != "of a" || m.Use().Entries != 1 {
		t.Errorf("%q, %+v", v, m.Use())
	}
}

// TestAKeyIsCopied: callers use the memory of a key again.
func TestAKeyIsCopied(t *testing.T) {
	m := New[string](Config{MaxEntries: 100, MaxBytes: 1 << 20})
	key := []byte("a")
	m.Put(key, "v", 1, start, start.Add(time.Minute))
	key[0] = 'b'
	if v, seen := m.Get([]byte("a"), start); seen != Kept || v != "v" {
		t.Errorf("%q, %d", v, seen)
	}
}

// TestBoundsHoldForArbitraryUse compares with a map: what is found is what was put last, and the bounds hold.
func TestBoundsHoldForArbitraryUse(t *testing.T) {
	cfg := Config{MaxEntries: 160, MaxBytes: 64 << 10}
	m := New[string](cfg)
	r := rand.New(rand.NewPCG(1, 2))
	last := map[string]string{}
	found := 0
	for i := range 50_000 {
		key := fmt.Sprint(r.IntN(600))
		switch r.IntN(10) {
		case 0, 1, 2:
			value := fmt.Sprint("value ", i)
			m.Put([]byte(key), value, r.IntN(2000), start, start.Add(time.Minute))
			last[key] = value
		case 3:
			m.Drop([]byte(key))
			delete(last, key)
		default:
			v, seen := m.Get([]byte(key), start)
			if seen == Kept && v != last[key] {
				t.Fatalf("%s: %q, want %q", key, v, last[key])
			}
			if seen == Kept {
				found++
			}
		}
		if u := m.Use(); u.Entries > cfg.MaxEntries || u.Bytes > cfg.MaxBytes {
			t.Fatalf("%+v", u)
		}
	}
	if found == 0 {
		t.Error("nothing was found")
	}
	for key := range last {
		m.Drop([]byte(key))
	}
	if u := m.Use(); u != (Use{}) {
		t.Errorf("left %+v", u)
	}
}

func TestWhatIsUsedOutlivesWhatIsNot(t *testing.T) {
	m := New[string](Config{MaxEntries: 1600, MaxBytes: 1 << 30})
	for round := range 20 {
		for i := range 200 {
			if _, seen := m.Get(fmt.Append(nil, "used ", i), start); round > 0 && seen != Kept {
				t.Fatalf("round %d: %d is lost", round, i)
			}
			if round == 0 {
				keep(m, fmt.Sprint("used ", i), "v")
			}
		}
		for i := range 400 {
			keep(m, fmt.Sprint("once ", round, i), "v")
		}
	}
}

func TestALargeAnswerIsNotKept(t *testing.T) {
	m := New[string](Config{MaxEntries: 100, MaxBytes: 1 << 20})
	m.Put([]byte("k"), "v", 1<<20/shards/4, start, start.Add(time.Minute))
	if u := m.Use(); u != (Use{}) {
		t.Errorf("%+v", u)
	}
}

func TestManyUsersAtOnce(t *testing.T) {
	m := New[string](Config{MaxEntries: 64, MaxBytes: 1 << 20})
	var users sync.WaitGroup
	for u := range 8 {
		users.Go(func() {
			r := rand.New(rand.NewPCG(uint64(u), 1))
			for range 5000 {
				key := fmt.Append(nil, r.IntN(100))
				if v, seen := m.Get(key, start); seen == Kept && v != string(key) {
					t.Errorf("%s: %s", key, v)
				}
				m.Put(key, string(key), 10, start, start.Add(time.Minute))
			}
		})
	}
	users.Wait()
}

func TestAHitAllocatesNothing(t *testing.T) {
	m := New[string](Config{MaxEntries: 100, MaxBytes: 1 << 20})
	keep(m, "k", "v")
	key := []byte("k")
	if n := testing.AllocsPerRun(1000, func() { m.Get(key, start) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHit(b *testing.B) {
	m := New[*string](Config{MaxEntries: 20_000, MaxBytes: 16 << 20})
	keys := make([][]byte, 1000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "%0200d", i)
		m.Put(keys[i], new(string), 1000, start, start.Add(time.Minute))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, seen := m.Get(keys[i%len(keys)], start); seen != Kept {
			b.Fatal(seen)
		}
	}
}
