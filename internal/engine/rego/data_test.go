package rego

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// compareData reports where two values of the data are looked at differently.
func compareData(t *testing.T, path string, a, b Data) {
	t.Helper()
	if a == nil || b == nil {
		t.Fatalf("%s: %v and %v", path, a, b)
	}
	if a.Kind() != b.Kind() || a.Len() != b.Len() || empty(a) != empty(b) {
		t.Fatalf("%s: %s of %d, and %s of %d", path, a.Kind(), a.Len(), b.Kind(), b.Len())
	}
	if a.Member("no such name") != nil || b.Member("no such name") != nil {
		t.Fatalf("%s has any member", path)
	}
	inA, inB := maps.Collect(a.All()), maps.Collect(b.All())
	names := slices.Sorted(maps.Keys(inA))
	if !slices.Equal(names, slices.Sorted(maps.Keys(inB))) {
		t.Fatalf("%s: %d members, and %d", path, len(inA), len(inB))
	}
	for _, name := range names {
		compareData(t, path+"/"+name, inA[name], inB[name])
		if name != "" {
			compareData(t, path+"/"+name, a.Member(name), b.Member(name))
		}
	}
}

// TestDataAreTheSameAsTextAndAsTerms has objects that several files write.
func TestDataAreTheSameAsTextAndAsTerms(t *testing.T) {
	space := strings.Repeat(" ", 70_000)
	files := map[string][]byte{
		"":        []byte(`{"a": {"n": 1.50, "users": {"u1": {"more": {"x": 1}}, "mine": {}}}, "plain": [1, {"k": "v"}]}`),
		"users":   different("data", 700),
		"a users": []byte(`{"u1": {"roles": [], "more": {"\u0079": 2}}, "u2": {"more": null}}` + space),
		"a other": []byte(`{"e": {}, "l": [[], {"k": true}], "t": "text"}` + space),
		"e":       []byte(`{}` + space),
		"lists":   lists(),
	}
	set := setOf(t, "package a\n", files)
	text, err := DataOf(set)
	if err != nil {
		t.Fatal(err)
	}
	if all, ok := text.(several); !ok || len(all) != 1+5 {
		t.Fatalf("%T, want the terms and five texts", text)
	}
	p, err := partsOf(set, func(*bundle.DataFile) *bundle.Text { return nil })
	if err != nil {
		t.Fatal(err)
	}
	compareData(t, "data", text, termData{p.held})
	terms, err := DataOf(set)
	if _, ok := terms.(termData); !ok || err != nil {
		t.Errorf("once there are terms: %T, %v", terms, err)
	}
}

func TestConflictsWithDataAreFoundWithoutTerms(t *testing.T) {
	files := map[string][]byte{"users": different("conflict", 700), "small": []byte(`{"a": {"b": 1}, "l": [1]}`)}
	store, err := NewStore(setOf(t, "package a\n", files))
	if err != nil {
		t.Fatal(err)
	}
	nonEmpty := store.NonEmpty(t.Context(), nil)
	for path, want := range map[string]bool{
		"": true, "users": true, "users u1": true, "users u1 id": true, "users u1 id x": true, "users none": false,
		"users none x": false, "users u1 roles 0": true, "users u1 roles 9": true, "none": false, "none x": false,
		"small": true, "small a": true, "small a b c": true, "small a c": false, "small l 1": true,
	} {
		if got, err := nonEmpty(strings.Fields(path)); got != want || err != nil {
			t.Errorf("%q is not empty: %t, %v", path, got, err)
		}
	}
	if store.whole.Load() != nil {
		t.Error("terms of everything were made")
	}
}

// TestAStoreReadsTextFromTheBeginning: the terms of a file that policies look up by names are never made.
func TestAStoreReadsTextFromTheBeginning(t *testing.T) {
	set := setOf(t, "package a\n", map[string][]byte{"users": different("first", 3000)})
	store, err := NewStore(set)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if got := read(t, store, "users", "u"+strconv.Itoa(i), "id"); got.Compare(ast.Number(strconv.Itoa(i))) != 0 {
			t.Errorf("user %d has the id %s", i, got)
		}
	}
	if _, err := DataOf(set); err != nil || store.whole.Load() != nil || set.Bundles[0].Data[0].Slot().Load() != nil {
		t.Errorf("terms were made, or %v", err)
	}
}
