package engine

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/document"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const programData = `{"at": 1, "names": ["x-own", "orders", "b"], "list": ["orders", "b", "/b"],
	"map": {"orders": "x-own", "b": "orders", "/orders": "b", "/v": "b"},
	"by": {"orders": {"b": "x-own"}, "b": ["orders", "b"], "x-own": "b"}}`

// drawnProgram is a program that is compiled, and the key of its decision. Of decision keeping keeps values, if any.
type drawnProgram struct {
	text              string
	view              *document.View
	decision, keeping *preparedRule
	key               *document.Key
	narrowed          bool
	// taken counts the evaluations that took values that are kept.
	taken int
}

// packageOfProgram is the package, and the file, of a program by number.
func packageOfProgram(i int) string { return fmt.Sprint("p", i) }

// parsedPrograms parses each program as a package, beside packages whose names a segment may be. A program that cannot
// be parsed becomes empty, as those that were.
func parsedPrograms(t *testing.T, texts []string) map[string]*ast.Module {
	t.Helper()
	all := map[string]*ast.Module{}
	parse := func(name, text string) error {
		m, err := ast.ParseModuleWithOpts(name, text, rego.ParserOptions(ast.CapabilitiesForThisVersion()))
		all[name] = m
		return err
	}
	if err := errors.Join(parse("e", "package parts.zeta"), parse("f", "package parts.full\n\nx := 1")); err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if err := parse(packageOfProgram(i), "package "+packageOfProgram(i)+"\n\n"+text); err != nil {
			texts[i] = ""
			_ = parse(packageOfProgram(i), "package "+packageOfProgram(i))
		}
	}
	return all
}

// compiledPrograms compiles programs together, without those that do not compile. It is nil where OPA's compiler
// panics, as it does on a few expressions within others.
func compiledPrograms(
	t *testing.T, store storage.Store, txn storage.Transaction, texts []string,
) (compiler *ast.Compiler) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Logf("OPA's compiler: %v", r)
			compiler = nil
		}
	}()
	for {
		conflicts := storage.NonEmpty(t.Context(), store, txn)
		compiler, errs := rego.Compile(patient.Rego(), parsedPrograms(t, texts), conflicts, rego.Lenient)
		if len(errs) == 0 {
			return compiler
		}
		for _, e := range errs {
			i, err := strconv.Atoi(strings.TrimPrefix(e.Location.File, "p"))
			if err != nil {
				t.Fatal(e)
			}
			texts[i] = ""
		}
	}
}

// preparedPrograms are those of texts that compile.
func preparedPrograms(
	t *testing.T, store storage.Store, txn storage.Transaction, texts []string,
) (out []drawnProgram) {
	t.Helper()
	compiler := compiledPrograms(t, store, txn, texts)
	if compiler == nil {
		return nil
	}
	view := document.NewView(document.UsageOf(compiler))
	builtins.GuardCalls(compiler)
	rego.SkipIndexes(compiler)
	w := newRuntime(t.Context(), compiler, store, txn, patient)
	for i, text := range texts {
		if text == "" {
			continue
		}
		path := packageOfProgram(i) + "/decision"
		e, err := w.prepare(path, authz.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		ref := rego.RefOf(path)
		keeping := *e
		own := reads.New(compiler)
		keeping.data, keeping.token = newDataValues(own, ref), newTokenValues(own, ref)
		keeping.request = newRequestValues(w, own, ref)
		read, narrow := own.Narrowed(w.baseData, ref)
		key := document.NewKey(read.Paths, &narrow, &document.View{})
		out = append(out, drawnProgram{text, view, e, &keeping, key, narrow.Any(), 0})
	}
	return out
}

// answer is what a program decides of a document, or its error. With values that are kept it must be the same.
func (p *drawnProgram) answer(t *testing.T, d *input.Document) string {
	in, err := p.view.Value(d)
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.decision.eval(t.Context(), in, evalOptions{time: start})
	answer := fmt.Sprint(v, err)
	if p.keeps() {
		if p.knows(in, d) {
			p.taken++
		}
		v, err := p.keeping.eval(t.Context(), in, evalOptions{time: start, document: d})
		if kept := fmt.Sprint(v, err); kept != answer {
			text, _ := d.AppendJSON(nil)
			t.Errorf("%s with kept values, %s without, of\n%s\n%s", kept, answer, p.text, text)
		}
	}
	return answer
}

// knows reports whether some values are kept of data, or of the token or the request of a document.
func (p *drawnProgram) knows(in ast.Value, d *input.Document) bool {
	if of := p.keeping.data; of != nil && of.known.Load() != nil {
		return true
	}
	if of := p.keeping.token; of != nil {
		token := in.(ast.Object).Get(tokenName)
		if known := of.slot(token).Load(); known != nil && known.token.Value() == token {
			return true
		}
	}
	of := p.keeping.request
	return of != nil && of.slot(of.key.Append(nil, d)).Load() != nil
}

// keeps reports whether there are rules whose values are kept.
func (p *drawnProgram) keeps() bool {
	return p.keeping.data != nil || p.keeping.token != nil || p.keeping.request != nil
}

// The words of paths and of what they are compared with: some are in the data, some differ in case or by a prefix.
// A document and those near it have few of them.
var pathWords = strings.Split("u v w u v w u v U /u orders b zeta full tenant x-own 0 1 +1 u/v", " ")

// likeWords are other spellings of words, and what only the types of the input and the packages name.
var likeWords = strings.Split("U /u u/v tenant zeta /v", " ")

func programDocument(r *rand.Rand, words []string) *input.Document {
	word := func() string { return draw(r, words) }
	claims := &authz.Claims{Active: true, Kind: authz.AccessToken, Fetched: start, Tenant: word(),
		Subject: authz.Subject{ID: word(), Type: authz.User}, Scopes: []string{word(), word()}[:r.IntN(3)],
		Slot: new(authz.Slot)}
	req := input.Request{Method: "GET", Path: word(), RawPath: "/", Segments: []string{},
		Query: map[string][]string{word(): {word()}}, Headers: map[string][]string{}}
	for range 1 + r.IntN(3) {
		req.Segments = append(req.Segments, word())
	}
	for range r.IntN(3) {
		req.Headers[word()] = []string{word()}
	}
	doc := input.Build(input.Query{Request: req}, claims, input.Presented{Scheme: "bearer"}, start)
	doc.Context = fmt.Appendf(nil, `{"id": %q, %q: %q}`, word(), word(), word())
	return doc
}

// otherPath is a document with another path, other headers or other parameters.
func otherPath(r *rand.Rand, words []string, d *input.Document) *input.Document {
	word := func() string { return draw(r, words) }
	out := *d
	q := &out.Request
	q.Segments, q.Headers, q.Query = slices.Clone(q.Segments), maps.Clone(q.Headers), maps.Clone(q.Query)
	switch at := r.IntN(len(q.Segments)); r.IntN(6) {
	case 0: // in all places
		was, now := q.Segments[at], word()
		for i, s := range q.Segments {
			if s == was {
				q.Segments[i] = now
			}
		}
	case 1:
		slices.Reverse(q.Segments)
	case 2:
		q.Headers[word()] = []string{word()}
	case 3:
		clear(q.Headers)
		clear(q.Query)
	default:
		q.Segments[at] = word()
	}
	return &out
}

// compareNarrowed compares answers to documents that share a key, and counts them.
func (p *drawnProgram) compareNarrowed(t *testing.T, r *rand.Rand, documents int) (n int) {
	for range documents {
		words := []string{"u", draw(r, []string{"v", "w"}), draw(r, likeWords), draw(r, pathWords)}
		d := programDocument(r, words)
		key, answer := string(p.key.Append(nil, d)), ""
		for range 8 {
			near := otherPath(r, words, d)
			if string(p.key.Append(nil, near)) != key {
				if p.keeps() {
					p.answer(t, near)
				}
				continue
			}
			if answer == "" {
				answer = p.answer(t, d)
			}
			if other := p.answer(t, near); other != answer {
				a, _ := d.AppendJSON(nil)
				b, _ := near.AppendJSON(nil)
				t.Errorf("one key, and two answers of\n%s\n%s: %s\n%s: %s", p.text, a, answer, b, other)
				return n
			}
			n++
		}
	}
	return n
}

// drawnStore is a store whose data are those of one file, below a name.
func drawnStore(t *testing.T, name, data string) (storage.Store, storage.Transaction) {
	t.Helper()
	t.Chdir(t.TempDir())
	testkit.WriteFiles(t, ".", map[string]string{
		"d/" + name + "/data.json": data, "d/rules.rego": "package " + name + ".rego",
	})
	set, err := dir.Load(dir.Config{Paths: []string{"d"}})
	if err != nil {
		t.Fatal(err)
	}
	store, txn, err := openStore(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	return store, txn
}

// TestWhatIsNarrowedInDrawnProgramsDecidesNothing draws programs, and pairs of documents that share a key. MEMO_PAIRS
// is half the number of programs; 250000 is the long run.
func TestWhatIsNarrowedInDrawnProgramsDecidesNothing(t *testing.T) {
	store, txn := drawnStore(t, "t", programData)
	n := 2 * pairs(t)
	r := rand.New(rand.NewPCG(17, uint64(n)))
	draws := programs{random: r}
	compiled, narrowed, keeping, compared, taken := 0, 0, 0, 0, 0
	for drawn := 0; drawn < n && !t.Failed(); drawn += 100 {
		texts := make([]string, 100)
		for i := range texts {
			texts[i] = draws.program(decisions)
		}
		for _, p := range preparedPrograms(t, store, txn, texts) {
			compiled++
			if p.keeps() {
				keeping++
			}
			if p.narrowed {
				narrowed++
			}
			if p.narrowed || p.keeps() {
				compared += p.compareNarrowed(t, r, 5)
			}
			taken += p.taken
		}
	}
	t.Logf("of %d programs %d compile, %d of these are narrowed, %d keep values: %d pairs, %d took values", n, compiled,
		narrowed, keeping, compared, taken)
	if compiled < n/2 || narrowed < n/5 || keeping < n/10 || compared < 4*n || taken < n {
		t.Error("the test says little")
	}
}
