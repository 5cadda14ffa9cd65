package bundle

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// large is an object of more than largeData bytes.
func large(mark string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"mark": %q`, mark)
	for i := range 5000 {
		fmt.Fprintf(&b, `, "m%d": {"n": [%d, 1.50, null, "x"]}`, i, i%7)
	}
	return []byte(b.String() + "}")
}

func dataOf(t *testing.T, kind Kind, raw []byte) *Set {
	t.Helper()
	set, err := Build(Contents{Sources: []Source{{Name: "p", Files: []SourceFile{
		{File: File{Path: "p/a.rego", Raw: []byte("package a\n")}, Kind: Module},
		{File: File{Path: "p/data", Raw: raw}, Kind: kind},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func plain(t *testing.T, raw []byte) any {
	t.Helper()
	var want any
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if err := dec.Decode(&want); err != nil {
		t.Fatal(err)
	}
	return want
}

func TestDataAreTheSameBeforeAndAfterTheySettle(t *testing.T) {
	for _, raw := range [][]byte{large("settled"), []byte(`{"small": [[], {}, [[]], "", [1, 1]]}`)} {
		set, want := dataOf(t, DataJSON, raw), plain(t, raw)
		d := &set.Bundles[0].Data[0]
		for range 3 {
			if got := d.Value(); !reflect.DeepEqual(got, want) {
				t.Fatalf("%.100v, want %.100v", got, want)
			}
			set.Settle()
			runtime.GC()
		}
	}
}

func TestLargeFilesWithTheSameTextAreOneValue(t *testing.T) {
	raw := large("shared")
	first := dataOf(t, DataJSON, raw)
	first.Settle()
	second := dataOf(t, DataJSON, append([]byte(nil), raw...))
	a, b := &first.Bundles[0].Data[0], &second.Bundles[0].Data[0]
	if a.Slot() != b.Slot() {
		t.Error("two sets with one file have two slots")
	}
	same := func() bool {
		return reflect.ValueOf(a.Value()).UnsafePointer() == reflect.ValueOf(b.Value()).UnsafePointer()
	}
	runtime.GC()
	if !same() {
		t.Error("a set that is being built does not hold its data")
	}
	for name, other := range map[string]*Set{
		"another text": dataOf(t, DataJSON, large("other")), "another format": dataOf(t, DataYAML, raw),
	} {
		if other.Bundles[0].Data[0].Slot() == a.Slot() {
			t.Errorf("%s has the same slot", name)
		}
	}
}

func TestASettledValueIsSafeForConcurrentUse(t *testing.T) {
	raw := large("concurrent")
	set, want := dataOf(t, DataJSON, raw), plain(t, raw)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				if !reflect.DeepEqual(set.Bundles[0].Data[0].Value(), want) {
					t.Error("another value")
				}
				set.Settle()
			}
		})
	}
	wg.Wait()
}
