package bundle

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// sameWhenChecked compares the three readers of JSON: each must find the same problem, or the same value.
func sameWhenChecked(t *testing.T, raw []byte) {
	t.Helper()
	want, problem := decodeJSON(raw)
	if found := checkJSON(raw); !reflect.DeepEqual(found, problem) {
		t.Fatalf("%q: the check finds %+v, the reader %+v", raw, found, problem)
	}
	if problem != nil {
		return
	}
	if got, err := makeOfChecked(raw, goValues{}); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: made %#v, %v, read %#v", raw, got, err, want)
	}
	top := newDataValue(DataJSON, want)
	large := &dataValue{kind: DataJSON, raw: raw, object: top.object}
	if got, _ := membersOf(large); !sameMembers(got, want) {
		t.Fatalf("%q: the members are %v, of %v", raw, got, want)
	}
	again, err := MakeOf(&DataFile{value: top}, goValues{})
	if err != nil || !reflect.DeepEqual(again, want) {
		t.Fatalf("%q: made of the value %#v, %v", raw, again, err)
	}
}

// sameMembers compares members whose values may be texts, level by level, with a value.
func sameMembers(got map[string]any, want any) bool {
	object, _ := want.(map[string]any)
	if len(got) != len(object) {
		return false
	}
	for name, value := range got {
		of, ok := object[name]
		members, is := membersOf(value)
		if _, object := of.(map[string]any); !ok || is != object || is && !sameMembers(members, of) {
			return false
		}
	}
	return true
}

func TestLargeDataAreReadAsSmallDataAre(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, text := range []string{
		`{}`, ` [ ] `, "\uFEFF{\"a\": 1}", `null`, `-0.50e+3`, `"\u00e9"`, `""`, "", " ", "{",
		`{"a"`, `{"a":`, "{}x", "{} {}",
		`{"a": {"b": 1}, "c": {"b": 1}, "d": { "b":1}, "e": [{"b": 1}, {"b": 2}], "": {}}`,
		`{"a": ["}", "]\"", "\\"], "b": ["}", "]\"", "\\"], "c\n": "\ud83d\ude00"}`,
		`{"a": {"x": 1, "x": 2}}`, `{"a": {}, "a": {}}`, `{"a": {"x": 1}, "b": {"x": 1}, "a": 3}`,
		`[1e99999999]`,
		"{\"a\": \"\xff\"}", `[` + deep(200) + `,[[[[` + deep(200) + `]]]]]`,
		`[` + deep(200) + strings.Repeat("[", 80) + deep(200) + strings.Repeat("]", 80) + `]`,
		deep(256), deep(257), string(large("x")),
	} {
		sameWhenChecked(t, []byte(text))
	}
}

func FuzzLargeJSON(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": "c"}, {"b": "c"}], "b": {"b": "c"}}`))
	f.Add([]byte(`{"a": {"}": "\""}, "b": {"}": "\""}, "a": 2}`))
	f.Fuzz(sameWhenChecked)
}

func TestConflictsBelowLargeDataAreFound(t *testing.T) {
	big := large("conflict")
	for text, want := range map[string]string{
		`{"m7": {"n": 1}}`: "p/x/data.json:1:9: conflict_error: data.x.m7.n is also written by p/data.json",
		`{"mark": {}}`:     "p/x/data.json:1:2: conflict_error: data.x.mark is also written by p/data.json",
		`{"other": {}}`:    "",
	} {
		_, err := Build(Contents{Sources: []Source{{Name: "p", Files: []SourceFile{
			{File: File{Path: "p/a.rego", Raw: []byte("package a\n")}, Kind: Module},
			{File: File{Path: "p/data.json", Raw: fmt.Appendf(nil, `{"x": %s}`, big)}, Kind: DataJSON},
			{File: File{Path: "p/x/data.json", Raw: []byte(text)}, Kind: DataJSON, Dirs: []string{"x"}},
		}}}})
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestAPolicyEngineReadsLargeDataWithoutTheirOtherForm(t *testing.T) {
	raw := large("once")
	set := dataOf(t, DataJSON, raw)
	d := &set.Bundles[0].Data[0]
	if d.value.used != nil {
		t.Error("large data have values before anything asks for one")
	}
	allocated := testkit.Allocated(func() {
		if n, err := MakeOf(d, counted{}); err != nil || n != 5000*5+2 {
			t.Errorf("%d values, %v", n, err)
		}
	})
	if allocated > uint64(4*len(raw)) {
		t.Errorf("%d bytes allocated to read %d", allocated, len(raw))
	}
	set.Settle()
	if n, err := MakeOf(d, counted{}); err != nil || n != 5000*5+2 {
		t.Errorf("settled: %d values, %v", n, err)
	}
}

// counted makes of each value how many values are in it. An object is one itself, an array and a name are none.
type counted struct{}

func (counted) Null() int              { return 1 }
func (counted) Bool(bool) int          { return 1 }
func (counted) Number(json.Number) int { return 1 }
func (counted) Text(string) int        { return 1 }

func (counted) Array(elements []int) int {
	n := 0
	for _, e := range elements {
		n += e
	}
	return n
}

func (counted) Object(members [][2]int) int {
	n := 1
	for _, m := range members {
		n += m[1]
	}
	return n
}
