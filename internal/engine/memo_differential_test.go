package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/engine/document"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// memoTrial asks one policy about documents that differ in little, each several times, and compares what is remembered
// with evaluations.
type memoTrial struct {
	policy *Policy
	entry  *preparedRule
	rego   string
	random *rand.Rand
	docs   *documents
	// asked are documents that are asked about again and again.
	asked []*input.Document
	// byKey is what was first answered for a key, and the document, where nothing varies.
	byKey map[string]keyedAnswer

	// counts are those of the trial, fault tells a difference.
	counts trialCounts
	fault  func(format string, args ...any)
}

// trialCounts count questions, those that were answered from memory, those that were evaluated without the rule index
// too, the pairs of different documents with one key, and differences.
type trialCounts struct{ asked, hits, unindexed, shared, faults int }

func (c *trialCounts) add(o trialCounts) {
	c.asked, c.hits, c.unindexed = c.asked+o.asked, c.hits+o.hits, c.unindexed+o.unindexed
	c.shared, c.faults = c.shared+o.shared, c.faults+o.faults
}

func (c trialCounts) String() string {
	return fmt.Sprintf("%d pairs: %d remembered, %d without the index, %d other documents with a known key", c.asked,
		c.hits, c.unindexed, c.shared)
}

type keyedAnswer struct {
	document *input.Document
	answer   string
}

const askedAtOnce = 8

func newMemoTrial(t testing.TB, p *Policy, rego string, random *rand.Rand) *memoTrial {
	m := &memoTrial{policy: p, entry: p.entries[decisionPath], rego: rego, random: random, docs: newDocuments(random),
		byKey: map[string]keyedAnswer{}, fault: t.Errorf}
	m.docs.segments = strings.Contains(rego, "segments") || strings.Contains(rego, "routes.")
	for range askedAtOnce {
		m.asked = append(m.asked, m.docs.document())
	}
	return m
}

// run asks n questions.
func (m *memoTrial) run(t testing.TB, n int) {
	for range n {
		at := m.random.IntN(len(m.asked))
		m.ask(t, m.asked[at])
		switch m.random.IntN(16) {
		case 0:
			m.asked[at] = m.docs.document()
		case 1, 2, 3: // what replaces it differs in little from one that is there
			m.asked[at] = m.docs.near(draw(m.random, m.asked))
		}
	}
}

// ask compares the answer to a question with that of an evaluation, with one without the rule index, and with answers
// to documents with the same key.
func (m *memoTrial) ask(t testing.TB, d *input.Document) {
	q := Question{Entrypoint: decisionPath, Document: d, Seed: fmt.Sprint(m.random.IntN(100)),
		Time: start.Add(time.Duration(m.random.IntN(2e9)))}
	before := m.policy.memory.hits.Load()
	got := answerText(m.policy.Eval(t.Context(), q))
	hit := m.policy.memory.hits.Load() > before
	m.counts.asked++
	if hit {
		m.counts.hits++
	}
	want := m.evaluated(t, q)
	if got != want {
		m.differ("remembered: %t\n%s\nevaluated:\n%s", hit, d, got, want)
	}
	m.compareKey(d, want)
	if m.random.IntN(2) == 0 {
		m.compareIndex(t, q, want)
	}
}

// evaluated is the answer to q with nothing remembered.
func (m *memoTrial) evaluated(t testing.TB, q Question) string {
	e, err := m.policy.asked(q)
	if err != nil {
		return answerText(Result{}, err)
	}
	return answerText(m.policy.evalAnew(t.Context(), e.plain(), q, nil))
}

// compareIndex compares an answer with that of an evaluation without the index. Where a builtin fails that the index
// spares, since another condition of the rule does not hold, there is nothing to compare.
func (m *memoTrial) compareIndex(t testing.TB, q Question, answer string) {
	if _, err := m.policy.view.Value(q.Document); err != nil || !q.Document.HasRequest() {
		return
	}
	without, err := unindexed(t, m.policy, q)
	if err != nil {
		return
	}
	m.counts.unindexed++
	if want := answerText(without.Result, nil); answer != want {
		m.differ("with the index %t\n%s\nwithout:\n%s", true, q.Document, answer, want)
	}
}

func (m *memoTrial) differ(format string, hit bool, d *input.Document, got, want string) {
	m.counts.faults++
	text, _ := d.AppendJSON(nil)
	m.fault("%s\nwith %s, "+format, m.rego, text, hit, got, want)
}

// compareKey checks that documents with one key have one answer.
func (m *memoTrial) compareKey(d *input.Document, answer string) {
	if m.varies() {
		return
	}
	key := m.entry.key.key.Append(nil, d)
	first, ok := m.byKey[string(key)]
	switch {
	case !ok:
		m.byKey[string(key)] = keyedAnswer{d, answer}
	case first.answer != answer:
		m.differ("same key %t\n%s\nfirst:\n%s", true, d, answer, first.answer)
	case first.document != d:
		m.counts.shared++
	}
}

// varies reports whether an answer may follow from more than the document.
func (m *memoTrial) varies() bool {
	return slices.ContainsFunc([]string{"time.", "rand.", "uuid.", "login."}, func(name string) bool {
		return strings.Contains(m.rego, name)
	})
}

// changeWhatIsNotInTheKey changes one member of a document after another, and compares the answers where the key stays
// the same.
func (m *memoTrial) changeWhatIsNotInTheKey(t testing.TB, times int) {
	for range times {
		d := draw(m.random, m.asked)
		m.ask(t, d)
		for range 3 {
			m.ask(t, m.docs.near(d))
		}
	}
}

// TestAnswersAreThoseOfAnEvaluation draws policies and documents. MEMO_PAIRS=5000000 is the long run.
func TestAnswersAreThoseOfAnEvaluation(t *testing.T) {
	n := pairs(t)
	each := max(40, min(2000, n/2000))
	var all trialCounts
	policies, began := 0, time.Now()
	drawnPolicies(t, remembering(), n/each, func(p *Policy, rego string, random *rand.Rand) bool {
		m := newMemoTrial(t, p, rego, random)
		m.run(t, each/2)
		m.changeWhatIsNotInTheKey(t, each/8)
		all.add(m.counts)
		if policies++; policies%200 == 0 {
			t.Logf("%d policies, %s, after %s", policies, all, time.Since(began).Round(time.Second))
		}
		return true
	})
	t.Logf("%d policies, %s", policies, all)
	if all.hits < all.asked/10 || all.shared < all.asked/20 || all.unindexed < all.asked/10 {
		t.Error("the test says little")
	}
}

// TestADroppedPathIsNoticed takes one path out of the key of each policy, and asks whether the trial finds it.
func TestADroppedPathIsNoticed(t *testing.T) {
	tried, found := 0, 0
	drawnPolicies(t, remembering(), 100, func(p *Policy, text string, random *rand.Rand) bool {
		m := newMemoTrial(t, p, text, random)
		paths := reads.New(m.entry.compiler).Of(rego.RefOf(decisionPath)).Paths
		if m.varies() || len(paths) == 0 {
			return true
		}
		less := slices.Delete(slices.Clone(paths), 0, 1)
		m.entry.key.key = document.NewKey(less, &reads.Narrowing{}, document.NewView(document.Usage{}))
		m.fault = func(string, ...any) {}
		m.run(t, 300)
		if tried++; m.counts.faults > 0 {
			found++
		}
		return tried < 30
	})
	if t.Logf("%d of %d", found, tried); found < tried/3 {
		t.Errorf("of %d keys without a path %d were found", tried, found)
	}
}

// TestInputsThatCollideNeverShareAVerdict asks about objects that have the same hash in OPA: the values of members are
// swapped, or a member's name is that of another, at any depth and in each place of JSON.
func TestInputsThatCollideNeverShareAVerdict(t *testing.T) {
	p := policy(t, remembering(), `decision := {"allow": true, "context": {"of": [[x | x := input.context],
	[x | x := input.token.claims], [x | x := input.resource.properties], input.request.headers]}}
`)
	objects := []string{`{"a":"p","b":"q"}`, `{"a":"q","b":"p"}`, `{"p":"a","q":"b"}`, `{"q":"a","p":"b"}`,
		`{"x":{"a":"p","b":"q"},"y":{"a":"q","b":"p"}}`, `{"x":{"a":"q","b":"p"},"y":{"a":"p","b":"q"}}`,
		`{"x":{"a":"p","b":"p"},"y":{"a":"q","b":"q"}}`, `{"a":1,"b":2}`, `{"a":2,"b":1}`, `{"a":1.0,"b":2}`,
		`{"a":[1,2],"b":[2,1]}`, `{"a":[2,1],"b":[1,2]}`, `{"a":null,"b":false}`, `{"a":false,"b":null}`}
	headers := []map[string][]string{{"a": {"p"}, "b": {"q"}}, {"a": {"q"}, "b": {"p"}}, {"a": {"p", "q"}, "b": nil},
		{"a": nil, "b": {"p", "q"}}, {"a": {"p\x00q"}}, {"a": {"pq"}}, {"a": {"p", "q"}}}
	answers := map[string]string{}
	for range 4 {
		for _, context := range objects {
			for _, claims := range objects {
				for _, h := range headers {
					q := question(context)
					q.Document.Claims, q.Document.Token.Claims = nil, []byte(claims)
					q.Document.Resource = &input.Entity{Properties: []byte(claims)}
					q.Document.Request.Headers = maps.Clone(h)
					id := fmt.Sprint(context, claims, h)
					answer := answerText(p.Eval(t.Context(), q))
					if want := answerText(p.evalAnew(t.Context(), p.entries[decisionPath], q, nil)); answer != want {
						t.Fatalf("%s: %s, want %s", id, answer, want)
					}
					if first, ok := answers[id]; ok && first != answer {
						t.Fatalf("%s: %s, before %s", id, answer, first)
					}
					answers[id] = answer
				}
			}
		}
	}
	if p.memory.hits.Load() == 0 {
		t.Error("nothing was remembered")
	}
}
