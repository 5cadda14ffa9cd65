package bundle

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
)

// comparePlaces reports where a value in a text is not what it is in the types of DataFile.Value.
func comparePlaces(t *testing.T, path []string, p Place, want any) (compared int) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		if p.First() != '{' || p.Len() != len(want) {
			t.Fatalf("at %q: %c with %d members, want %d", path, p.First(), p.Len(), len(want))
		}
		found := 0
		for name, v := range p.All() {
			member, ok := p.Member(name)
			if _, is := want[name]; !is || !ok || member != v {
				t.Fatalf("at %q: member %q is there: %t; looked up: %t, at %d, want %d", path, name, is, ok, member.at, v.at)
			}
			found++
			compared += comparePlaces(t, below(path, name), v, want[name])
		}
		if _, ok := p.Member("no such name"); ok || found != len(want) {
			t.Fatalf("at %q: %d of %d members; another: %t", path, found, len(want), ok)
		}
	case []any:
		if p.First() != '[' || p.Len() != len(want) {
			t.Fatalf("at %q: %c with %d elements, want %d", path, p.First(), p.Len(), len(want))
		}
		i := 0
		for _, v := range p.All() {
			compared += comparePlaces(t, path, v, want[i])
			i++
		}
	default:
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Member(""); p.First() != raw[0] || p.Len() != 0 || ok {
			t.Fatalf("at %q: %c, %d members, want %.20s", path, p.First(), p.Len(), raw)
		}
	}
	return compared + 1
}

func TestPlacesInATextAreWhatIsThere(t *testing.T) {
	compared := 0
	for seed := range 3 {
		r := rand.New(rand.NewPCG(9, uint64(seed)))
		value := any(map[string]any{"a": drawnValue(r, 3, 60), "b": drawnValue(r, 2, 300), "c": drawnValue(r, 4, 12)})
		raw, err := json.Marshal(value)
		if seed > 0 {
			raw, err = json.MarshalIndent(value, " \r\n", "\t ")
		}
		if err != nil {
			t.Fatal(err)
		}
		compared += comparePlaces(t, nil, newText(raw).Top(), value)
	}
	if compared < 1000 {
		t.Errorf("%d values were compared", compared)
	}
}

func TestPlacesOfSmallTexts(t *testing.T) {
	for _, text := range []string{`{}`, `[]`, "{ \n}", `[ ]`, `{"": {}}`, "[\t[ ] , {} ,\r\n1]", `"}"`, `-1.5e3`,
		`null`, `true`, `{ "a" : [ 1 , "]" ] , "b\"" : { "c" : false } }`} {
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		comparePlaces(t, nil, newText([]byte(text)).Top(), want)
	}
}
