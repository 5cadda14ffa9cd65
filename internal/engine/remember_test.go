package engine

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/memo"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// remembering is patient, and remembers verdicts.
func remembering() Config {
	cfg := patient
	cfg.Memo = memo.Config{MaxEntries: 1000, MaxBytes: 1 << 20}
	return cfg
}

// decisionOrNot is policy with a decision that is false by default.
func decisionOrNot(t testing.TB, cfg Config, rego string) *Policy {
	t.Helper()
	return policy(t, cfg, "default decision := false\n\n"+rego)
}

// rememberedFor asks a question three times, and reports whether the last answer came from memory.
func rememberedFor(t testing.TB, p *Policy, q Question) bool {
	t.Helper()
	for range 2 {
		_, _ = p.Eval(t.Context(), q)
	}
	was := p.memory.hits.Load()
	_, _ = p.Eval(t.Context(), q)
	return p.memory.hits.Load() > was
}

func TestAVerdictIsRememberedFromItsSecondEvaluationOn(t *testing.T) {
	p := decisionOrNot(t, remembering(), `
decision := {"allow": true, "upstream_headers": {"X-T": input.token.tenant}} if input.request.method == "GET"
`)
	q := question("")
	for i, want := range []int{0, 1, 1} {
		a := answered(t, p, q)
		if !a.Verdict.Allow || a.Verdict.UpstreamHeaders[0].Values[0] != "acme" ||
			resultJSON(t, a) != `{"allow":true,"upstream_headers":{"X-T":"acme"}}` {
			t.Errorf("evaluation %d: %s", i, resultJSON(t, a))
		}
		if n := p.MemoUse().Entries; n != want {
			t.Errorf("after evaluation %d: %d entries", i, n)
		}
	}
	if p.memory.hits.Load() != 1 {
		t.Error("the third evaluation is no hit")
	}
}

func TestWhatIsNotReadDoesNotMatter(t *testing.T) {
	p := decisionOrNot(t, remembering(), `decision if input.request.segments[0] == "orders"`)
	q := question("")
	if !rememberedFor(t, p, q) {
		t.Fatal("not remembered")
	}
	q.Document.Request.Segments = []string{"orders", "43"}
	q.Document.Token.Subject.ID = "u2"
	if answered(t, p, q); p.memory.hits.Load() != 2 {
		t.Error("another verdict for another subject")
	}
	q.Document.Request.Segments = []string{"admin"}
	if a := answered(t, p, q); a.Verdict.Allow || p.memory.hits.Load() != 2 {
		t.Error("the verdict for another path")
	}
}

func TestAnswersThatAreNotRemembered(t *testing.T) {
	for name, rego := range map[string]string{
		"no verdict":         `decision := {"allow": input.context.text}`,
		"a builtin error":    `decision if time.parse_rfc3339_ns(input.context.text) > 1`,
		"time":               `decision if time.now_ns() > input.context.n`,
		"rand":               `decision if rand.intn("a", 10) >= input.context.n`,
		"uuid":               `decision if uuid.rfc4122("a") != input.context.text`,
		"a signed token":     `decision if not io.jwt.decode_verify(input.context.text, {"secret": "a"})[0]`,
		"time in a function": "decision if now(1)\nnow(n) if time.now_ns() > n",
	} {
		if rememberedFor(t, decisionOrNot(t, remembering(), rego), question(`{"n":1,"text":"x"}`)) {
			t.Errorf("%s is remembered", name)
		}
	}
}

func TestAReplacedClockDoesNotVary(t *testing.T) {
	p := decisionOrNot(t, remembering(), `
decision if late with time.now_ns as 5
late if time.now_ns() == 5
`)
	if !rememberedFor(t, p, question("")) {
		t.Error("not remembered")
	}
}

func TestAPolicyThatPrintsIsEvaluatedEachTime(t *testing.T) {
	cfg, printed := remembering(), 0
	cfg.Print = func(string, Print) { printed++ }
	p := decisionOrNot(t, cfg, `decision if {
	input.request.method == "GET"
	print("hello")
}

decision if input.request.method == "POST"`)
	for range 4 {
		answered(t, p, question(""))
	}
	if printed != 4 {
		t.Errorf("printed %d times", printed)
	}
	q := question("")
	q.Document.Request.Method = "POST"
	if !rememberedFor(t, p, q) {
		t.Error("an evaluation that prints nothing is not remembered")
	}
}

func TestAVerdictIsForgotten(t *testing.T) {
	p := decisionOrNot(t, remembering(), `decision if input.request.method == "GET"`)
	expiring := func(c *authz.Claims) { c.ExpiresAt = authz.Time(start.Unix() + 5) }
	expiringWithin := func(c *authz.Claims) {
		expiring(c)
		c.ExpirySkew = 2 * time.Second
	}
	for name, c := range map[string]struct {
		change func(*authz.Claims)
		after  time.Duration
		kept   bool
	}{
		"within a minute":        {func(*authz.Claims) {}, time.Minute - 1, true},
		"after a minute":         {func(*authz.Claims) {}, time.Minute, false},
		"before its token":       {expiring, 5*time.Second - 1, true},
		"with its token":         {expiring, 5 * time.Second, false},
		"within the leeway":      {expiringWithin, 7*time.Second - 1, true},
		"after the leeway":       {expiringWithin, 7 * time.Second, false},
		"while facts are fresh":  {func(c *authz.Claims) { c.FreshFor = time.Second }, time.Second - 1, true},
		"when facts are stale":   {func(c *authz.Claims) { c.FreshFor = time.Second }, time.Second, false},
		"when the clock is back": {func(*authz.Claims) {}, -time.Second, false},
	} {
		p.memory = newMemory(remembering())
		q := question("")
		c.change(q.Document.Claims)
		if !rememberedFor(t, p, q) {
			t.Fatal(name, ": not remembered")
		}
		was := p.memory.hits.Load()
		q.Time = start.Add(c.after)
		if answered(t, p, q); (p.memory.hits.Load() > was) != c.kept {
			t.Errorf("%s: remembered %t, want %t", name, !c.kept, c.kept)
		}
	}
}

func TestEntrypointsThatAreExceptedAreEvaluated(t *testing.T) {
	cfg := remembering()
	cfg.Memo.Except = []string{decisionPath}
	p := decisionOrNot(t, cfg, "decision if true\n\n# METADATA\n# entrypoint: true\ndefault other := false\n\nother if input.request.method == \"GET\"")
	q := question("")
	if rememberedFor(t, p, q) {
		t.Error("the excepted one is remembered")
	}
	q.Entrypoint = "authz/other"
	if !rememberedFor(t, p, q) {
		t.Error("the other one is not remembered")
	}
}

func TestEntrypointsOfEqualKeysHaveVerdictsOfTheirOwn(t *testing.T) {
	p := decisionOrNot(t, remembering(), "decision if true\n\n# METADATA\n# entrypoint: true\nother := {\"allow\": false}")
	for range 4 {
		for path, want := range map[string]bool{decisionPath: true, "authz/other": false} {
			q := question("")
			q.Entrypoint = path
			if a := answered(t, p, q); a.Verdict.Allow != want {
				t.Fatalf("%s: %t", path, a.Verdict.Allow)
			}
		}
	}
}

func TestOtherUsesOfAPolicyRememberNothing(t *testing.T) {
	p := decisionOrNot(t, remembering(), `decision if input.request.method == "GET"`)
	rememberedFor(t, p, question(""))
	hits := p.memory.hits.Load()
	for range 4 {
		if _, _, err := p.Explain(t.Context(), question("")); err != nil {
			t.Fatal(err)
		}
	}
	if p.memory.hits.Load() != hits {
		t.Error("an explanation shows a remembered answer")
	}
	known, err := p.Eval(t.Context(), question(""))
	if err != nil {
		t.Fatal(err)
	}
	if why := p.Trace(t.Context(), question(""), known); len(why.Decided) == 0 {
		t.Errorf("a remembered answer is not explained: %+v", why)
	}
	if followed, _ := p.Reached(); followed.memory != nil {
		t.Error("a policy that is followed remembers")
	}
}

// TestAWrongVerdictIsFound puts another answer in the place of the right one.
func TestAWrongVerdictIsFound(t *testing.T) {
	cfg := remembering()
	cfg.MemoCounts = memo.NewCounts(nil)
	var told []string
	cfg.MemoCounts.Mismatch = func(entrypoint, decisionID string) { told = append(told, entrypoint+" "+decisionID) }
	p := decisionOrNot(t, cfg, `decision := {"allow": false} if input.request.method == "GET"`)
	q := question("")
	rememberedFor(t, p, q)
	key := p.entries[decisionPath].key
	wrong, _ := Result{value: ast.Boolean(true), path: decisionPath}.bare()
	p.memory.kept.Put(key.key.Append(key.name, q.Document), &wrong, 100, start, start.Add(time.Minute))
	p.memory.hits.Store(checkEvery - 2)
	if a := answered(t, p, q); !a.Verdict.Allow {
		t.Fatal("the wrong verdict is not used") // as it would be for real
	}
	for range 3 {
		if a := answered(t, p, q); a.Verdict.Allow {
			t.Error("the wrong verdict was not found")
		}
	}
	if len(told) != 1 || told[0] != decisionPath+" "+q.Seed {
		t.Errorf("told %q", told)
	}
}

func TestARightVerdictIsKeptWhenItIsChecked(t *testing.T) {
	cfg := remembering()
	cfg.MemoCounts = memo.NewCounts(nil)
	cfg.MemoCounts.Mismatch = func(string, string) { t.Error("a mismatch") }
	p := decisionOrNot(t, cfg, `decision := {"allow": true, "reasons": {"a", "b"}} if input.request.method == "GET"`)
	for range 3 * checkEvery {
		answered(t, p, question(""))
	}
	if n := p.memory.hits.Load(); n != 3*checkEvery-2 {
		t.Errorf("%d hits", n)
	}
}

// TestACheckThatFailsAnswersUnlessItRanOutOfTime has an evaluation that does not end, and one that fails, in place of
// the one whose answer is remembered.
func TestACheckThatFailsAnswersUnlessItRanOutOfTime(t *testing.T) {
	for condition, mismatches := range map[string]int{
		`count(numbers.range(1, 1000000000000)) == 0`: 0,
		`time.parse_rfc3339_ns("a") == 0`:             1,
	} {
		cfg := remembering()
		cfg.Deadline, cfg.MemoCounts = 50*time.Millisecond, memo.NewCounts(nil)
		found := 0
		cfg.MemoCounts.Mismatch = func(string, string) { found++ }
		p := decisionOrNot(t, cfg, "decision if {\n\tinput.request.method == \"PUT\"\n\t"+condition+"\n}")
		q := question("")
		q.Document.Request.Method = "PUT"
		known, _ := Result{value: ast.Boolean(true), path: decisionPath}.bare()
		key := p.entries[decisionPath].key
		p.memory.kept.Put(key.key.Append(key.name, q.Document), &known, 100, start, start.Add(time.Minute))
		p.memory.hits.Store(checkEvery - 1)
		if _, err := p.Eval(t.Context(), q); (err != nil) != (mismatches > 0) || found != mismatches {
			t.Errorf("%s: %v, %d mismatches", condition, err, found)
		}
	}
}

// TestInputsThatCollideInOPADoNotShareAVerdict swaps members, which OPA's hash of an object does not tell apart.
func TestInputsThatCollideInOPADoNotShareAVerdict(t *testing.T) {
	p := decisionOrNot(t, remembering(), `decision := {"allow": input.context.a == "p"}`)
	for range 4 {
		for context, want := range map[string]bool{`{"a":"p","b":"q"}`: true, `{"a":"q","b":"p"}`: false} {
			if a := answered(t, p, question(context)); a.Verdict.Allow != want {
				t.Fatalf("%s: %t", context, a.Verdict.Allow)
			}
		}
	}
}

func TestAnEntrypointThatVariesIsRarelyLookedUp(t *testing.T) {
	p := decisionOrNot(t, remembering(), `decision if time.now_ns() > 0`)
	for range 1000 {
		answered(t, p, question(""))
	}
	if n := p.entries[decisionPath].key.varied.Load(); n < 900 {
		t.Errorf("%d of 1000 vary", n)
	}
	p = decisionOrNot(t, remembering(), `decision if input.request.method == "GET"
decision if { input.request.method == "POST"; time.now_ns() > 0 }`)
	q := question("")
	q.Document.Request.Method = "POST"
	for range 1000 {
		answered(t, p, q)
	}
	for range 2 * lookedUp {
		answered(t, p, question(""))
	}
	if !rememberedFor(t, p, question("")) {
		t.Error("what does not vary is not remembered any more")
	}
}

// BenchmarkRemembered is BenchmarkEval from memory, with the document and its key.
func BenchmarkRemembered(b *testing.B) {
	p, err := compiled(b, remembering(), map[string]string{
		"policies/authz.rego":       scopeAudienceTenant,
		"policies/routes/data.json": `{"GET": {"orders": {"scope": "orders:read", "audience": "https://api.example"}}}`,
	})
	if err != nil {
		b.Fatal(err)
	}
	claims := question("").Document.Claims
	req := input.Request{
		Method: "GET", Scheme: "https", Host: "api.example", Port: 443, Path: "/orders/42", RawPath: "/orders/42",
		Segments: []string{"orders", "42"},
		Headers:  map[string][]string{"x-tenant": {"acme"}, "accept": {"application/json"}},
	}
	q := Question{Entrypoint: decisionPath, Time: start, Seed: "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
	q.Document = input.Build(input.Query{Request: req}, claims, input.Presented{Scheme: "bearer"}, start)
	b.ReportAllocs()
	for b.Loop() {
		if a, err := evaluated(b.Context(), p, q); err != nil || !a.Verdict.Allow {
			b.Fatal(a.Verdict, err)
		}
	}
	if p.memory.hits.Load() == 0 {
		b.Fatal("nothing was remembered")
	}
}

// TestRequestsAtOnceHaveVerdictsOfTheirOwn asks a policy for requests of several tenants at once, with a memory that
// is too small for them.
func TestRequestsAtOnceHaveVerdictsOfTheirOwn(t *testing.T) {
	cfg := remembering()
	cfg.Memo.MaxEntries = 20
	p := decisionOrNot(t, cfg, `
decision := {"allow": true, "upstream_headers": {"X-T": input.token.tenant}} if input.context.n in [1, 2, 3]
`)
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			for i := range 300 {
				n, tenant := i%5, fmt.Sprint("tenant ", (i+c)%7)
				q := question(fmt.Sprintf(`{"n":%d}`, n))
				q.Document.Token.Tenant = tenant
				q.Document.Claims = nil
				a, err := evaluated(t.Context(), p, q)
				switch allowed := n > 0 && n < 4; {
				case err != nil:
					t.Error(err)
				case a.Verdict.Allow != allowed:
					t.Errorf("%d: allow %t", n, a.Verdict.Allow)
				case allowed && a.Verdict.UpstreamHeaders[0].Values[0] != tenant:
					t.Errorf("the verdict of %s for %s", a.Verdict.UpstreamHeaders[0].Values[0], tenant)
				}
			}
		})
	}
	clients.Wait()
	if p.memory.hits.Load() == 0 {
		t.Error("no hits")
	}
}

func TestARememberedVerdictKeepsNothingOfItsRequest(t *testing.T) {
	p := decisionOrNot(t, remembering(),
		`decision := {"allow": true, "upstream_headers": {"X-First": input.request.segments[0]}}`)
	long := strings.Repeat("a", 16<<10)
	q := question("")
	q.Document.Request.Segments = []string{long[:9], long[9:]}
	var got Result
	for range 3 { // the first is asked in vain
		var err error
		if got, err = p.Eval(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if got.made == nil || len(got.made.verdict.UpstreamHeaders) != 1 {
		t.Fatalf("%+v is not remembered", got)
	}
	value := got.made.verdict.UpstreamHeaders[0].Values[0]
	if value != long[:9] || unsafe.StringData(value) == unsafe.StringData(long) {
		t.Errorf("%q is a part of the path", value)
	}
}
