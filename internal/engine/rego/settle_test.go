package rego

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// different is a document of so many users of whom no two are equal.
func different(mark string, users int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"first": {"roles": ["owner"], "n": 1e2}`)
	for i := range users {
		fmt.Fprintf(&b, `,"u%d":{"id":%d,"email":"%s.%d@example.com","tenant":"t%d","roles":["team-%d","reader"]}`,
			i, i, mark, i, i%997, i)
	}
	b.WriteString("}")
	return b.Bytes()
}

// lists is a document with an array of some KB.
func lists() []byte {
	return []byte(`{"big": {"list": [1` + strings.Repeat(", 1.0", 20_000) + `]}, "e": 1}`)
}

// settled is a store that was settled for a policy.
func settled(t *testing.T, policy string, files map[string][]byte) (*Store, *bundle.Set) {
	t.Helper()
	set := setOf(t, policy, files)
	store, err := NewStore(set)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ast.ParseModuleWithOpts("a.rego", policy, ParserOptions(ast.CapabilitiesForThisVersion()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := ast.NewCompiler()
	if compiler.Compile(map[string]*ast.Module{"a": parsed}); compiler.Failed() {
		t.Fatal(compiler.Errors)
	}
	if err := store.Arrange(compiler); err != nil {
		t.Fatal(err)
	}
	store.Settle()
	set.Settle()
	return store, set
}

func TestDataThatAreLookedUpTakeTwiceTheirSize(t *testing.T) {
	files := map[string][]byte{"users": different("memory", 30_000)}
	size := int64(len(files["users"]))
	before := testkit.Heap()
	store, set := settled(t, "package a\n\nx := data.users[input.user].roles\n", files)
	if took := testkit.Heap() - before; took > size {
		t.Errorf("%d bytes besides the text for %d bytes of data", took, size)
	}
	if got := read(t, store, "users", "u77", "roles", "0"); got.String() != `"team-77"` {
		t.Errorf("read %s", got)
	}
	if got := set.Document()["users"].(map[string]any); len(got) != 30_001 {
		t.Errorf("%d users", len(got))
	}
}

func TestASettledStoreHasTheSameData(t *testing.T) {
	files := map[string][]byte{
		"":        []byte(`{"a": {"n": 1.50, "users": {"u1": {"more": 1}, "u2": {"more": 2}}}, "plain": [1, {"k": "v"}]}`),
		"users":   different("same", 3000),
		"a users": bytes.Replace(different("other", 3000), []byte(`"u1"`), []byte(`"\u0075 1"`), 1),
		"lists":   lists(),
		"list":    []byte(`["` + strings.Repeat(`x","`, 30_000) + `", {"k": [{"k": null}]}]`),
	}
	plain, err := NewStore(setOf(t, "package a\n", files))
	if err != nil {
		t.Fatal(err)
	}
	paths := []storage.Path{{}, {"users"}, {"a"}, {"a", "users"}, {"a", "n"}, {"plain"}, {"plain", "1", "k"},
		{"plain", "2"},
		{"list"}, {"list", "3"}, {"list", "30001", "k", "0", "k"}, {"list", "-1"}, {"list", "1.0"}, {"list", "01"},
		{"none"},
		{"lists", "big"}, {"lists", "big", "list"}, {"lists", "big", "list", "7"},
		{"lists", "e"}, {"users", "first", "n"},
		{"users", "first", "roles", "0"}, {"users", "first", "roles", "1"}, {"users", "first", "roles", "x"},
		{"users", "first", "n", "x"}, {"users", "none"}, {"users", ""}, {"users", "first", "none", "none"},
		{"a", "users", "u1"}, {"a", "users", "u 1", "email"}, {"a", "users", "u1", "more"},
		{"a", "users", "u1", "email"}, {"a", "users", "u2"}, {"a", "users", "u2", "more"},
		{"a", "users", "u2", "email"}}
	for i := range 300 {
		paths = append(paths, storage.Path{"users", "u" + strconv.Itoa(i*11)},
			storage.Path{"a", "users", "u" + strconv.Itoa(i)})
	}
	var inPlace int
	store, set := settled(t, "package a\n\nx := data.users[input.user].roles\n", files)
	for _, path := range paths {
		for range 2 {
			want, missing := plain.Read(t.Context(), nil, path)
			got, err := store.Read(t.Context(), nil, path)
			if storage.IsNotFound(err) != storage.IsNotFound(missing) || (err == nil) != (missing == nil) {
				t.Fatalf("%v: %v, want %v", path, err, missing)
			}
			if err != nil {
				continue
			}
			a, b := got.(ast.Value), want.(ast.Value)
			if a.Compare(b) != 0 || a.Hash() != b.Hash() || len(path) > 2 && a.String() != b.String() {
				t.Fatalf("%v: %.200s, want %.200s", path, a, b)
			}
		}
		if store.whole.Load() == nil {
			inPlace++
			continue
		}
		store.Settle()
		set.Settle()
	}
	if inPlace < 600 {
		t.Errorf("%d of %d paths were read in place", inPlace, len(paths))
	}
}

func TestTermsAreHeldOfDataThatAPolicyReadsWhole(t *testing.T) {
	files := map[string][]byte{"users": different("whole", 3000), "lists": lists()}
	for rule, whole := range map[string]bool{
		`x := data.users[input.user].roles`:                                  false,
		`x if data.users[input.user].tenant == "t1"`:                         false,
		`x if { u := data.users[input.user]; "reader" in u.roles }`:          false,
		`x := [r | some r in data.users[input.user].roles]`:                  false,
		`f(user) := data.users[user]` + "\n" + `x := f(input.user)`:          false,
		`x if { every r in data.users[input.user].roles { r != "" } }`:       false,
		`x := data.users.first`:                                              false,
		`x := y if { some id in input.ids; y := data.users[id].tenant }`:     false,
		`x contains y if { some id; input.ids[id]; y := data.users[id].id }`: false,
		`x if not data.users[input.user].tenant`:                             false,
		`x if not data.users[input.user]`:                                    false,
		`x := y if y := data.users[input.u].id with data.users as input.all`: false,
		`x := data.other`:                                         false,
		`x := count(data.users)`:                                  true,
		`x := data.users`:                                         true,
		`x := object.get(data.users, input.user, {})`:             true,
		`x if { some id; data.users[id].tenant == input.tenant }`: true,
		`x contains id if data.users[id].tenant == input.tenant`:  true,
		`x := [id | some id, _ in data.users]`:                    true,
		`x if { every u in data.users { u.id > 0 } }`:             true,
		`x if data.users[_].tenant == input.tenant`:               true,
		`x if { walk(data.users, [_, v]); v == 1 }`:               true,
		`x if data.users == input.users`:                          true,
		`x if data.users[input.user]`:                             true,
		`x := data.lists.e`:                                       false,
		`x := data.lists.big`:                                     true,
		`x := data.lists.big.list[input.n]`:                       true,
		`x if input.y with input.y as data.users`:                 true,
		`x := 1 if { input.a } else := data.users`:                true,
	} {
		store, _ := settled(t, "package a\n\n"+rule+"\n", files)
		if held := len(store.parts.Load().texts) < len(files); held != whole {
			t.Errorf("%s: all terms are held: %t, want %t", rule, held, whole)
		}
	}
}

func TestASettledStoreIsSafeForConcurrentUse(t *testing.T) {
	store, set := settled(t, "package a\n\nx := data.users[input.user].roles\n",
		map[string][]byte{"users": different("concurrent", 3000)})
	done := make(chan string)
	for i := range 4 {
		go func() {
			defer func() { done <- "" }()
			for n := range 50 {
				path := []string{"users", "u" + strconv.Itoa(n*7+i), "tenant"}
				if n == 25 {
					path = path[:1]
				}
				if v, err := store.Read(t.Context(), nil, path); err != nil || len(path) == 3 &&
					v.(ast.Value).Compare(ast.String("t"+strconv.Itoa(n*7+i))) != 0 {
					t.Errorf("read %v, %v", v, err)
				}
				if n == 10 {
					store.Settle()
					set.Settle()
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
}
