package archive_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	opa "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// readByOPA is how OPA reads an archive, without looking at its signatures.
func readByOPA(raw []byte) (opa.Bundle, error) {
	loader := opa.NewTarballLoaderWithBaseURL(bytes.NewReader(raw), "")
	return opa.NewCustomReader(loader).WithSkipBundleVerification(true).Read()
}

// meaning is what both make of a bundle: modules by text, data, and what the manifest says.
type meaning struct {
	modules  []string
	data     any
	revision string
	roots    []string
}

func ours(set *bundle.Set) meaning {
	b := set.Bundles[0]
	m := meaning{data: set.Document(), revision: b.Revision, roots: b.Roots}
	for _, f := range slices.Concat(b.Modules, b.Tests) {
		m.modules = append(m.modules, string(f.Raw))
	}
	return m.sorted()
}

func opas(b opa.Bundle) meaning {
	m := meaning{data: b.Data, revision: b.Manifest.Revision, roots: *b.Manifest.Roots}
	for _, f := range b.Modules {
		m.modules = append(m.modules, string(f.Raw))
	}
	return m.sorted()
}

// sorted is m in an order that does not depend on that of the archive, with its data in one spelling of their types.
func (m meaning) sorted() meaning {
	slices.Sort(m.modules)
	slices.Sort(m.roots)
	raw, _ := json.Marshal(plain(m.data))
	m.data = string(raw)
	return m
}

// plain is a value with its numbers in one spelling: OPA has one of its own for those of YAML.
func plain(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, v := range x {
			out[k] = plain(v)
		}
		return out
	case []any:
		out := []any{}
		for _, v := range x {
			out = append(out, plain(v))
		}
		return out
	case json.Number:
		if r, ok := new(big.Rat).SetString(x.String()); ok {
			return "number " + r.RatString()
		}
	}
	return v
}

// sameAsOPA compares what is accepted of an archive with what OPA makes of it, and reports whether it is accepted.
func sameAsOPA(t *testing.T, raw []byte) bool {
	t.Helper()
	a, err := read(raw)
	if err != nil {
		return false
	}
	set, err := bundle.Build(bundle.Contents{Sources: []bundle.Source{a.WithTests()}})
	if err != nil {
		return false
	}
	b, err := readByOPA(raw)
	if err != nil {
		// What is no Rego, and packages outside of the roots, are found when a set is compiled.
		for _, known := range []string{"rego_parse_error", "do not permit 'package", "invalid character 'ï'"} {
			if strings.Contains(err.Error(), known) {
				return false
			}
		}
		t.Errorf("OPA refuses what the sidecar reads: %v", err)
		return false
	}
	if x, y := ours(set), opas(b); !reflect.DeepEqual(x, y) {
		t.Errorf("the sidecar reads %+v\nOPA reads %+v", x, y)
	}
	return true
}

func TestRead_ReadsAsOPADoes(t *testing.T) {
	if !sameAsOPA(t, packed(t)) {
		t.Fatal("the bundle is refused")
	}
	var written bytes.Buffer
	b, err := readByOPA(packed(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := opa.NewWriter(&written).Write(b); err != nil {
		t.Fatal(err)
	}
	if !sameAsOPA(t, written.Bytes()) {
		t.Error("a bundle that OPA wrote is refused")
	}
}

// TestRead_NeverReadsOtherwiseThanOPA changes archives in ways that keep them readable, and in some that do not. What
// is accepted must mean the same to OPA. The seed is fixed.
func TestRead_NeverReadsOtherwiseThanOPA(t *testing.T) {
	r := rand.New(rand.NewPCG(20261128, 1))
	accepted := 0
	for range 600 {
		if sameAsOPA(t, mutated(t, r)) {
			accepted++
		}
	}
	if accepted < 100 {
		t.Errorf("only %d of the archives were accepted: the test compares too little", accepted)
	}
}

// names are those that a mutation gives to a file.
func names() []string {
	return []string{"data.json", "data.yaml", "data.yml", "Data.json", ".manifest", "x.manifest", ".manifest.pb",
		"orders/.manifest", "patch.json", "policy.wasm", "plan.json", "x.rego", ".x.rego", "x_test.rego", "x.REGO",
		"orders/data.json", "orders/data.yml", "./orders/more.rego", "/orders/more.rego", "//orders/more.rego",
		"orders/./data.yml", "orders/../data.json", ".hidden/data.json", "..orders/data.json", "a.b/data.json",
		"orders/more/deep/data.json", "README.md", "orders/x.json", ".signatures.json", "a/.signatures.json",
		"orders/data.json/data.json", "orders/ä/data.json", "orders/a%2Fb/data.json", "orders /data.json"}
}

// texts are those that a mutation gives to a file.
func texts() []string {
	return []string{"{}", "[]", "null", `{"a": 1}`, `{"a": 1, "a": 2}`, `{"a": 1} {"b": 2}`, `{"a": 1.0e3}`, "",
		`{"roots": ["orders"]}`, `{"Roots": ["orders"], "revision": "x"}`,
		`{"roots": ["orders", "x"], "revision": "r2"}`,
		`{"revision": "r3"}`, `{"roots": ["/orders/"]}`, `{"roots": [], "metadata": {"a": [1]}}`,
		`{"roots": ["orders"], "rego_version": 0}`, `{"roots": ["orders"], "file_rego_versions": {"/x.rego": 0}}`,
		"package orders\n", "package orders.x\n\nx := 1\n", "package x\n", "not rego", "a: 1\n", "a: 1\na: 2\n",
		"a: yes\nb: on\nc: 0o14\nd: 014\n", "a: &x [1]\nb: *x\n", "a: {b: 1}\n---\na: 2\n", "? [a]\n: 1\n",
		"a: 1_000\n",
		"a: 2026-11-28\n", "<<: {a: 1}\nb: 2\n", "a: .inf\n", "a: 0x1F\nb: 1e3\nc: 1.50\n", "\ufeff{\"a\": 1}",
		"a: !!str 1\n", "a: |\n  x\n", "1: 2\n", "a: ~\nb: null\nc:\n", `{"limits": {"post": 2}}`,
		"{\"a\": \"\\ud800\"}"}
}

// mutated is a sound archive with one to three changes.
func mutated(t *testing.T, r *rand.Rand) []byte {
	t.Helper()
	all := entries(small)
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	raw := func() []byte { return gzipped(t, tarred(t, all...)) }
	for range 1 + r.IntN(3) {
		switch i := r.IntN(len(all)); r.IntN(6) {
		case 0:
			all = append(all, entry{name: pick(names()), text: pick(texts())})
		case 1:
			all[i].text = pick(texts())
		case 2:
			all[i].name = pick(names())
		case 3:
			all[i], all[0] = all[0], all[i]
		case 4:
			if len(all) > 1 {
				all = slices.Delete(all, i, i+1)
			}
		case 5:
			plain := tarred(t, all...)
			plain[r.IntN(len(plain))] ^= 1 << r.IntN(8)
			return gzipped(t, plain)
		}
	}
	return raw()
}
