package engine

import (
	"fmt"
	goruntime "runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const onlyOfToken = `x := input.token.tenant if y == "a"

y := v if v := z with input.token as {"tenant": "a"}

z := input.token.tenant`

// Each rule x is used by a decision. It is kept with a token where nothing but the token and data decides it.
func TestRulesThatFollowFromTheTokenAreKept(t *testing.T) {
	for rule, want := range map[string]bool{
		`x := input.token.tenant`:                                    true,
		`x := concat(" ", input.token.scopes)`:                       true,
		"x := y\n\ny := input.token.tenant":                          true,
		"default x := \"\"\n\nx := input.token.tenant":               true,
		"x := f(input.token.tenant)\n\nf(t) := upper(t)":             true,
		"x := input.token.tenant if input.token.active else := \"\"": true,
		`x := [s | some s in input.token.scopes]`:                    true,
		`x := 1`:                    false,
		`x := input.token`:          true,
		`x := input`:                false,
		`x := input.request.method`: false,
		`x := [input.token.tenant, input.request.method]`:                                 false,
		"x := f(input.token.tenant)\n\nf(t) := [t, input.request.method]":                 false,
		"x := y\n\ny := input.token.tenant if input.request.method == \"GET\"":            false,
		`x := [input.token.tenant, time.now_ns()]`:                                        false,
		`x := [input.token.tenant, uuid.rfc4122("k")]`:                                    false,
		"x := [input.token.tenant, y]\n\ny := rand.intn(\"k\", 1000)":                     false,
		`x contains input.token.tenant`:                                                   false,
		`x[input.token.tenant] := 1`:                                                      false,
		"x := v if v := y with input.request as input.token\n\ny := input.request.method": false,
		"x := object.get(input, [\"token\", \"tenant\"], \"\")":                           false,
		"x := [v | some k; v := input[k]]":                                                false,
		onlyOfToken:                                                                       true,
	} {
		p := policy(t, patient, "default decision := false\n\ndecision if x == input.context.a\n\n"+rule+"\n")
		kept := p.entries[decisionPath].token
		if got := kept != nil && hasRule(kept.refs, "authz/x"); got != want {
			t.Errorf("%s: kept is %v, want %v", rule, got, want)
		}
	}
}

const greetings = `
default decision := {"allow": false}

decision := {"allow": true, "context": {"who": who, "asks": input.request.method, "other": other}} if not barred

decision := {"allow": false, "context": {"who": who}} if barred

barred if "barred" in input.token.roles

default who := "unknown"

who := sprintf("%s of %s", [input.token.subject.id, input.token.tenant]) if input.token.active

other := elsewhere if {
	elsewhere := who with input.token as {"active": true, "subject": {"id": input.request.method}, "tenant": "there"}
}
`

func TestWhatIsKeptWithATokenChangesNoAnswer(t *testing.T) {
	p := policy(t, patient, greetings)
	e := p.entries[decisionPath]
	if e.token == nil || len(e.token.refs) != 2 {
		t.Fatalf("%+v is kept, want who and barred", e.token)
	}
	var all []*authz.Claims
	for i := range 30 {
		c := *question("").Document.Claims
		c.Tenant, c.Subject.ID, c.Roles = fmt.Sprint("t", i%3), fmt.Sprint("s", i), nil
		if i%5 == 0 {
			c.Roles = []string{"barred"}
		}
		all = append(all, &c)
	}
	for round := range 3 {
		for i, c := range all {
			for _, method := range []string{"GET", "POST"} {
				q := question("")
				req := input.Request{Method: method, Segments: []string{"a"}}
				q.Document = input.Build(input.Query{Request: req}, c, input.Presented{Scheme: "bearer"}, start)
				in, err := p.view.Value(q.Document)
				if err != nil {
					t.Fatal(err)
				}
				got, err := e.eval(t.Context(), in, evalOptions{time: start})
				if err != nil {
					t.Fatal(err)
				}
				plain := *e
				plain.token = nil
				want, err := plain.eval(t.Context(), in, evalOptions{time: start})
				if err != nil {
					t.Fatal(err)
				}
				if got.Compare(want) != 0 {
					t.Errorf("round %d, token %d: %v, want %v", round, i, got, want)
				}
				if len(c.Roles) == 0 && !strings.Contains(got.String(), c.Subject.ID+" of") {
					t.Errorf("round %d, token %d: %v", round, i, got)
				}
			}
		}
	}
}

// TestManyRulesOfOneNameAreLookedAtOnce: four times as many rules take less than eight times the memory to look at.
// What grew with the square of their number took sixteen times.
func TestManyRulesOfOneNameAreLookedAtOnce(t *testing.T) {
	look := func(n int) (bytes uint64) {
		var text strings.Builder
		text.WriteString("default decision := false\n\ndecision := ok\n\ndefault ok := false\n")
		for i := range n {
			fmt.Fprintf(&text, "\nok if {\n\tinput.request.path == \"/%d\"\n\tinput.token.tenant == \"a\"\n}\n", i)
		}
		c := policy(t, patient, text.String()).compiler
		return testkit.Allocated(func() { newTokenValues(reads.New(c), rego.RefOf(decisionPath)) })
	}
	if few, many := look(250), look(1000); many > 8*few {
		t.Errorf("250 rules take %d bytes, 1000 take %d", few, many)
	}
}

func TestNothingIsKeptOfAnInputThatIsNoDocument(t *testing.T) {
	const ofToken = "%s := {x | some i in numbers.range(1, 2); x := sprintf(\"%%v%%d\", [who, i])}\n\nwho := input.token.id\n"
	p, err := compiled(t, Config{Deadline: time.Minute, CallerPackages: []string{"app"}}, map[string]string{
		"policies/authz.rego": allowAll,
		"policies/app.rego":   "package app\n\n" + fmt.Sprintf(ofToken, "names"),
		"policies/log.rego":   "package system.log\n\n" + fmt.Sprintf(ofToken, "mask"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := askCallers(t, p, "app/names", `{"token":{"id":"a"}}`); err != nil || got != `["a1","a2"]` {
		t.Errorf("%s, %v", got, err)
	}
	for _, e := range []*preparedRule{p.callers.prepared["data.app.names"], p.mask.mask} {
		if e == nil || e.token != nil {
			t.Errorf("%+v keeps values with a token", e)
		}
	}
}

func TestValuesOfATokenKeepNoTokenInMemory(t *testing.T) {
	p := policy(t, patient, greetings)
	e := p.entries[decisionPath]
	kept := func() weak.Pointer[ast.Term] {
		q := question("")
		// The document keeps no form of a token that is as large as this.
		q.Document.Token.Subject.Username = strings.Repeat("x", 2<<20)
		in, err := p.view.Value(q.Document)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = e.eval(t.Context(), in, evalOptions{time: start}); err != nil {
			t.Fatal(err)
		}
		token := in.(ast.Object).Get(tokenName)
		if known := e.token.slot(token).Load(); known == nil {
			t.Error("no value is kept")
		}
		return weak.Make(token)
	}()
	for range 3 {
		goruntime.GC()
	}
	if kept.Value() != nil {
		t.Error("the token is in memory although only its values are used")
	}
	goruntime.KeepAlive(p)
}
