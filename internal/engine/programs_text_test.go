package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// largeIndexedData are those of indexedData, with many members in what programs look up.
func largeIndexedData() map[string]string {
	var b strings.Builder
	fmt.Fprintf(&b, `,"large":{"x":%q}`, strings.Repeat("x", 3000))
	for i := range 2000 {
		fmt.Fprintf(&b, `,"u%d":{"tenant":"t%d","roles":["r%d","reader"],"id":%d.50}`, i, i%7, i, i)
	}
	return map[string]string{
		"d/d/data.json":       `{"n": "a", "list": ["a", 1, null, ["a"]], "items": [{"a": "a"}, {"a": 1}], "o": {"a": "a"}}`,
		"d/d/names/data.json": `{"a": "a", "1": "a", "no": false` + b.String() + `}`,
		"d/d/by/data.json":    `{"a": {"a": "a", "1": "a"}, "b": {"a": ["a"]}` + b.String() + `}`,
		"d/d.rego":            "package d.rego",
	}
}

// settledProgram is the same program with data of its own, which stay text where it reads them by names alone. isText
// is set when some do.
func settledProgram(t *testing.T, set *bundle.Set, text string) (p drawnProgram, isText bool) {
	t.Helper()
	store, txn, err := openStore(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	p = preparedPrograms(t, store, txn, []string{text})[0]
	if err := store.Arrange(p.decision.compiler); err != nil {
		t.Fatal(err)
	}
	store.Settle()
	set.Settle()
	p.decision.evaluations, p.keeping.evaluations = &sync.Pool{}, &sync.Pool{} // those before have read data
	large := func() any {
		v, err := store.Read(t.Context(), txn, []string{"d", "by", "large"})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return p, large() != large()
}

// TestDrawnProgramsReadTheSameOutOfText compares answers by data that stay text with those by terms. MEMO_PAIRS is
// about ten times the number of pairs.
func TestDrawnProgramsReadTheSameOutOfText(t *testing.T) {
	t.Chdir(t.TempDir())
	testkit.WriteFiles(t, ".", largeIndexedData())
	load := func() *bundle.Set {
		set, err := dir.Load(dir.Config{Paths: []string{"d"}})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	asTerms, asText := load(), load()
	store, txn, err := openStore(t.Context(), asTerms)
	if err != nil {
		t.Fatal(err)
	}
	n := pairs(t) / 100
	r := rand.New(rand.NewPCG(23, uint64(n)))
	draws := programs{random: r}
	read, compared := 0, 0
	for range n {
		text := "import future.keywords.and\nimport future.keywords.or\n" + draws.program(indexedDecisions)
		if !strings.Contains(text, "data.d") {
			continue
		}
		for _, p := range preparedPrograms(t, store, txn, []string{text}) {
			settled, isText := settledProgram(t, asText, text)
			if isText {
				read++
			}
			for range 20 {
				compared++
				d := indexedDocument(r)
				if want, got := p.answer(t, d), settled.answer(t, d); got != want {
					at, _ := d.AppendJSON(nil)
					t.Errorf("%s out of text, %s of terms, of\n%s\n%s", got, want, p.text, at)
				}
			}
		}
	}
	if t.Logf("%d programs read text: %d pairs", read, compared); read < n/10 || compared < 4*n {
		t.Error("the test says little")
	}
}
