package reads

import (
	"fmt"
	"hash/maphash"
	"testing"
)

func TestTextsHaveWhatWasAdded(t *testing.T) {
	seed, set := maphash.MakeSeed(), texts{}
	of := func(i int) uint64 { return maphash.String(seed, fmt.Sprint(i)) }
	if set.has(of(1)) {
		t.Error("the empty set has a text")
	}
	for i := range 100_000 {
		set.add(of(i))
		set.add(of(i / 2))
	}
	seeming := 0
	for i := range 100_000 {
		if !set.has(of(i)) {
			t.Fatalf("%d is lost", i)
		}
		if set.has(of(-1 - i)) {
			seeming++
		}
	}
	if seeming > 100 || len(set.slots) > 400_000 {
		t.Errorf("%d texts that were not added, %d slots", seeming, len(set.slots))
	}
}
