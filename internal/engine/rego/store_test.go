package rego

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// people is a document of some MB that gives each of many users a few roles.
func people() []byte {
	roles := []string{"admin", "auditor", "billing", "operator", "owner", "reader", "support", "writer"}
	var b bytes.Buffer
	b.WriteString(`{"users": {"first": ["owner"]`)
	for i := range 100_000 {
		fmt.Fprintf(&b, `,"user-%06d":["%s","%s"]`, i, roles[i%8], roles[(i/8)%8])
	}
	b.WriteString("}}")
	return b.Bytes()
}

// setOf is a set with one policy and files of data by their directories.
func setOf(t *testing.T, policy string, files map[string][]byte) *bundle.Set {
	t.Helper()
	source := bundle.Source{Name: "p", Files: []bundle.SourceFile{
		{File: bundle.File{Path: "p/a.rego", Raw: []byte(policy)}, Kind: bundle.Module}}}
	for dir, raw := range files {
		source.Files = append(source.Files, bundle.SourceFile{Kind: bundle.DataJSON, Dirs: strings.Fields(dir),
			File: bundle.File{Path: "p/" + dir + "/data.json", Raw: raw}})
	}
	set, err := bundle.Build(bundle.Contents{Sources: []bundle.Source{source}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// read reads the store of a set.
func read(t *testing.T, store storage.Store, path ...string) ast.Value {
	t.Helper()
	txn := storage.NewTransactionOrDie(t.Context(), store)
	defer store.Abort(t.Context(), txn)
	v, err := store.Read(t.Context(), txn, path)
	if err != nil {
		t.Fatal(err)
	}
	return v.(ast.Value)
}

func TestDataAtRestTakeAtMostFiveTimesTheirSize(t *testing.T) {
	files := map[string][]byte{"": people()}
	size := int64(len(files[""]))
	before := testkit.Heap()
	set := setOf(t, "package a\n", files)
	store, err := NewStore(set)
	if err != nil {
		t.Fatal(err)
	}
	compiled := testkit.Heap() - before
	set.Settle()
	took := testkit.Heap() - before
	t.Logf("%.1f MB of data: %.1f times their size, %.1f until they are settled", float64(size)/1e6,
		float64(took)/float64(size), float64(compiled)/float64(size))
	if took > 5*size {
		t.Errorf("%d bytes for %d bytes of data", took, size)
	}

	next := setOf(t, "package a\n\nx := 1\n", files)
	second, err := NewStore(next)
	if err != nil {
		t.Fatal(err)
	}
	next.Settle()
	if both := testkit.Heap() - before; both > took+size/2 {
		t.Errorf("%d bytes for two generations of the same data, %d for one", both, took)
	}
	if a, b := read(t, store, "users"), read(t, second, "users"); a != b {
		t.Error("two generations do not share their data")
	}
	if got, _ := set.Document()["users"].(map[string]any)["first"].([]any); len(got) != 1 || got[0] != "owner" {
		t.Errorf("data that were settled: %v", got)
	}
	runtime.KeepAlive(files)
}

func TestTheStoreHasTheDataOfAllFiles(t *testing.T) {
	set := setOf(t, "package a\n", map[string][]byte{
		"":          []byte(`{"a": {"n": 1.50, "e": {}, "l": [], "t": [null, true, "x", "x", {"k": ["x"]}, {"k": ["x"]}]}}`),
		"a b":       []byte(`{"m": -0, "big": 12345678901234567890}`),
		"a e":       []byte(`{"x": {"k": ["x"]}}`),
		"routes":    []byte(`{"/x": {"GET": {}}}`),
		"list here": []byte(`["x", 1e3]`),
	})
	want, err := ast.InterfaceToValue(set.Document())
	if err != nil {
		t.Fatal(err)
	}
	store, err := NewStore(set)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, store); got.Compare(want) != 0 || got.String() != want.String() || got.Hash() != want.Hash() {
		t.Errorf("the store has\n%s, the set\n%s", got, want)
	}
	if got := read(t, store, "a", "t", "4", "k"); got.String() != `["x"]` {
		t.Errorf("read %s", got)
	}
}

func TestASetWithoutDataHasAnEmptyStore(t *testing.T) {
	store, err := NewStore(setOf(t, "package a\n", nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, store); got.String() != "{}" {
		t.Errorf("read %s", got)
	}
}
