package bundle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// drawnValue is a value whose objects have so many members, some of which have awkward names and values.
func drawnValue(r *rand.Rand, depth, members int) any {
	scalars := []any{nil, true, json.Number("1e2"), json.Number("-0.0"), json.Number("12345678901234567890"), "",
		"a\"]}{[\\", "\u00e9\U0001F600\n", strings.Repeat("x", r.IntN(60)), strings.Repeat("\\\"", 3000)}
	n := 1 + members/2 + r.IntN(members)/2
	switch kind := r.IntN(8); {
	case depth == 0 || kind < 2:
		return scalars[min(r.IntN(100), r.IntN(len(scalars)))]
	case kind == 2:
		list := make([]any, n%50)
		for i := range list {
			list[i] = drawnValue(r, depth-1, members)
		}
		return list
	}
	names := []string{"", "\"", "\\", "a:b", "{", "\u00e9", "\x00", "a\nb", "\u2028"}
	object := map[string]any{}
	for i := range n {
		name := fmt.Sprint("m", i)
		if r.IntN(4) == 0 {
			name = names[r.IntN(len(names))] + name
		}
		object[name] = drawnValue(r, depth-1, 1+members/(1+r.IntN(40)))
	}
	return object
}

// eachPath visits the paths to all values in v.
func eachPath(v any, at []string, visit func(path []string, v any)) {
	visit(at, v)
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			eachPath(value, below(at, name), visit)
		}
	case []any:
		for i, value := range v {
			eachPath(value, below(at, strconv.Itoa(i)), visit)
		}
	}
}

// valueIn is the value at a path in v.
func valueIn(v any, path []string) (any, bool) {
	for _, name := range path {
		switch in := v.(type) {
		case map[string]any:
			value, ok := in[name]
			if !ok {
				return nil, false
			}
			v = value
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(in) {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// found says what there is at a path of a text.
type found uint8

const (
	absent found = iota
	here
	tooLarge
)

// partIn is the value at a path of a text, made by PartOf.
func partIn(x *Text, path []string) (any, found) {
	at, rest, ok := x.Find(path)
	if !ok {
		return nil, absent
	}
	v, size := PartOf(x, at, goValues{})
	if size == 0 {
		return nil, tooLarge
	}
	if v, ok = valueIn(v, rest); !ok {
		return nil, absent
	}
	return v, here
}

func TestPartsOfATextAreWhatIsThere(t *testing.T) {
	var made, large int
	for seed := range 3 {
		r := rand.New(rand.NewPCG(5, uint64(seed)))
		value := any(map[string]any{"a": drawnValue(r, 3, 200), "b": drawnValue(r, 2, 600), "c": drawnValue(r, 4, 12)})
		raw, err := json.Marshal(value)
		if seed%3 == 1 {
			raw, err = json.MarshalIndent(value, " \r\n", "\t ")
		}
		if err != nil {
			t.Fatal(err)
		}
		if seed%3 == 2 {
			raw = append([]byte("\uFEFF \n"), raw...)
		}
		if problem := checkJSON(raw); problem != nil {
			t.Fatal(problem)
		}
		x := newText(jsonTextOf(raw))
		eachPath(value, nil, func(path []string, want any) {
			if len(path) > 2 && r.IntN(12) > 0 {
				return
			}
			switch got, found := partIn(x, path); found {
			case here:
				if made++; !reflect.DeepEqual(got, want) {
					t.Fatalf("seed %d: at %q is %.100v, want %.100v", seed, path, got, want)
				}
			case tooLarge:
				large++
				steps := make([]Step, len(path))
				for i, name := range path {
					steps[i] = Step{Name: name, Any: r.IntN(2) == 0}
				}
				if !x.Large(steps) {
					t.Fatalf("seed %d: the value at %q is too large, but not at %v", seed, path, steps)
				}
			default:
				t.Fatalf("seed %d: there is nothing at %q, want %.100v", seed, path, want)
			}
			if r.IntN(10) > 0 {
				return
			}
			if _, found := partIn(x, below(path, "no such name")); found == here {
				t.Fatalf("seed %d: there is something below %q", seed, path)
			}
		})
	}
	if t.Logf("%d values were compared, %d were too large", made, large); made < 1000 || large < 10 {
		t.Error("too few")
	}
}

func TestAFileHasATextWhereItIsLargeAndJSON(t *testing.T) {
	for _, d := range []*DataFile{
		&dataOf(t, DataJSON, []byte(`{"small": 1}`)).Bundles[0].Data[0],
		&dataOf(t, DataYAML, large("yaml")).Bundles[0].Data[0],
	} {
		if d.Text() != nil {
			t.Errorf("%s of %d bytes has a text", d.Path, len(d.value.raw))
		}
	}
}

func TestATextIsOneForFilesWithTheSameContent(t *testing.T) {
	first := dataOf(t, DataJSON, large("text"))
	a := &first.Bundles[0].Data[0]
	x := a.Text()
	slot := a.Slot()
	first.Settle()
	if a.Slot() != slot {
		t.Error("the form of a policy engine is forgotten, although it does not keep the text")
	}
	a.Keep(x)
	first.Settle()
	if a.Slot() == slot {
		t.Error("the form of a policy engine that keeps the text is not forgotten")
	}
	if b := &dataOf(t, DataJSON, large("text")).Bundles[0].Data[0]; b.Text() != x {
		t.Error("two files with one content have two texts")
	}
	runtime.KeepAlive(first)
}

func TestATextTakesLittleMoreThanItsBytes(t *testing.T) {
	raw := large("size")
	before := testkit.Heap()
	x := newText(raw)
	if took := testkit.Heap() - before; took > int64(len(raw))/2 {
		t.Errorf("tables take %d bytes for a text of %d", took, len(raw))
	}
	runtime.KeepAlive(x)
	runtime.KeepAlive(raw)
}
