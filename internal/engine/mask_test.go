package engine

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// logging compiles a policy whose decision allows, with text as the policy of the decision log.
func logging(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := compiled(t, Config{Deadline: 200 * time.Millisecond},
		map[string]string{"policies/authz.rego": allowAll, "policies/log.rego": text})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const event = `{"decision_id":"d1","path":"authz/decision","input":{"context":{"password":"hunter2","n":1},"token":{"active":true}},"labels":{"x":"y"}}`

func masked(t *testing.T, p *Policy, want authz.Mask) {
	t.Helper()
	got, err := p.Mask([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPolicyWithoutLogRulesMasksNothing(t *testing.T) {
	p := policy(t, patient, "decision := true\n")
	if p.Masks() {
		t.Error("masks")
	}
	masked(t, p, authz.Mask{})
}

func TestMaskNamesPathsAndValues(t *testing.T) {
	p := logging(t, `package system.log

mask contains "/input/context/password" if input.input.context.password

mask contains {"op": "upsert", "path": "/input/context/n", "value": {"was": input.input.context.n}}

mask contains {"op": "remove", "path": "/input/token"}
`)
	if !p.Masks() {
		t.Fatal("does not mask")
	}
	masked(t, p, authz.Mask{Ops: []authz.MaskOp{
		{Op: "remove", Path: "/input/context/password"},
		{Op: "remove", Path: "/input/token"},
		{Op: "upsert", Path: "/input/context/n", Value: []byte(`{"was":1}`)},
	}})
}

func TestMaskMayBeAnArray(t *testing.T) {
	masked(t, logging(t, "package system.log\n\nmask := [\"/input/token\", \"/input/context\"]\n"),
		authz.Mask{Ops: []authz.MaskOp{{Op: "remove", Path: "/input/token"}, {Op: "remove", Path: "/input/context"}}})
}

func TestUndefinedMaskChangesNothing(t *testing.T) {
	masked(t, logging(t, "package system.log\n\nmask := [\"/input\"] if input.path == \"other\"\n\ndrop if "+
		"input.path == \"other\"\n"), authz.Mask{})
}

func TestDropDropsTheEvent(t *testing.T) {
	masked(t, logging(t, "package system.log\n\ndrop if input.labels.x == \"y\"\n\nmask contains \"/input\"\n"),
		authz.Mask{Drop: true})
	masked(t, logging(t, "package system.log\n\ndrop := false\n"), authz.Mask{})
}

// TestMaskErrorNeverQuotesTheEvent: the text of an error is logged, beside the very event that could not be masked.
func TestMaskErrorNeverQuotesTheEvent(t *testing.T) {
	for name, c := range map[string]struct{ rules, want string }{
		"an object without path": {`mask contains {"op": "remove", "value": input.input.context.password}`,
			"data.system.log.mask: an object has no op of remove or upsert, or no path"},
		"an unknown op": {`mask contains {"op": input.input.context.password, "path": "/input"}`,
			"an object has no op"},
		"a number": {`mask contains 1`,
			"data.system.log.mask: a mask is a number, want a string or an object"},
		"a mask that is a string": {`mask := input.input.context.password`,
			"data.system.log.mask is a string, want an array or a set"},
		"a drop that is a string": {`drop := input.input.context.password`,
			"data.system.log.drop is a string, want a boolean"},
		"a builtin error": {`mask contains "/input" if time.parse_rfc3339_ns(input.input.context.password) > 1`,
			"policies/log.rego:3:27: eval_builtin_error: time.parse_rfc3339_ns cannot work with what it was given"},
		"a builtin error of drop": {`drop if to_number(input.input.context.password) > 1`,
			"evaluate data.system.log.drop: policies/log.rego:3:9: eval_builtin_error: to_number"},
		"a contradiction": {"mask := [input.input.context.password]\n\nmask := []",
			"eval_conflict_error: rule data.system.log.mask produced conflicting values, at policies/log.rego:3 and " +
				"policies/log.rego:5"},
		"a value that is no JSON": {
			`mask contains {"op": "upsert", "path": "/input", "value": {1: input.input.context.password, "1": 2}}`,
			"two members of an object have one name"},
		"an endless rule": {
			`mask contains input.input.context.password if count(numbers.range(1, 1000000000)) < 0`,
			"not done after 200ms"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := logging(t, "package system.log\n\n"+c.rules+"\n").Mask([]byte(event))
			if err == nil {
				t.Fatalf("got %+v", got)
			}
			if !reflect.DeepEqual(got, authz.Mask{}) {
				t.Errorf("%+v beside an error", got)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
			silent(t, err, "hunter2")
		})
	}
}

func TestEventThatIsNoJSONIsAnErrorThatDoesNotQuoteIt(t *testing.T) {
	p := logging(t, "package system.log\n\nmask contains \"/input\"\n")
	_, err := p.Mask([]byte(`{"password":hunter2}`))
	if err == nil {
		t.Fatal("no error")
	}
	silent(t, err, "hunter2")
}

func TestLogPoliciesReadAnEventWhateverTheirAnnotations(t *testing.T) {
	for name, head := range map[string]string{
		"bare":                  "package system.log\n",
		"annotated":             "# METADATA\n# title: Masks\n# description: Hides.\npackage system.log\n",
		"annotated by a rule":   "package system.log\n\n# METADATA\n# title: One\nother := 1\n",
		"annotated for all":     "# METADATA\n# scope: subpackages\n# title: Masks\npackage system.log\n",
		"annotated with schema": "# METADATA\n# schemas:\n# - input: schema.log_event\npackage system.log\n",
	} {
		t.Run(name, func(t *testing.T) {
			masked(t, logging(t, head+"\nmask contains \"/input\" if input.input.context.password == \"hunter2\"\n"),
				authz.Mask{Ops: []authz.MaskOp{{Op: "remove", Path: "/input"}}})
		})
	}
}

func TestLogPoliciesMayBeInSeveralFiles(t *testing.T) {
	_, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": allowAll,
		"policies/a.rego":     "package system.log\n\nmask contains \"/input/a\" if input.labels.a\n",
		"policies/b.rego": "# METADATA\n# title: B\npackage system.log\n\nmask contains \"/input/b\" if " +
			"input.labels.b\n",
		"policies/c.rego": "package system.log\n\ndrop if input.labels.c\n",
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOtherPoliciesStayTypedBesideLogPolicies(t *testing.T) {
	refused(t, patient, map[string]string{
		"policies/authz.rego": "# METADATA\n# title: Mine\npackage authz\n\ndecision if input.request.methd\n",
		"policies/log.rego":   "package system.log\n\nmask contains \"/input\" if input.labels.x\n",
	}, `policies/authz.rego:5:13: rego_type_error: undefined ref: input.request.methd (have: "methd", want (one of): ["body" "body_truncated" "headers" "host" "method" "path" "port" "query" "raw_path" "scheme" "segments" "source_ip"]); did you mean input.request.method?`)
}

// TestNoCallerCanMakeAnEventThatAMaskCannotRead: the event nests deeper than the context that a caller may send, and
// the one that the policy echoes.
func TestNoCallerCanMakeAnEventThatAMaskCannotRead(t *testing.T) {
	p, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": "package authz\n\ndefault decision := false\n\ndecision := {\"allow\": true, " +
			"\"context\": object.filter(input.context, [\"b\"])} if input.request.method == \"GET\"\n",
		"policies/mask.rego": "package system.log\n\nmask contains \"/input/request/path\" if { input.path; " +
			"input.input.token.claims.n }\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	q := question(strings.Repeat(`{"b":`, jsonbound.MaxDepth-3) + "1" + strings.Repeat("}", jsonbound.MaxDepth-3))
	q.Document.Context = []byte(`{"a":` + strings.Repeat("[", jsonbound.MaxDepth-1) + strings.Repeat("]",
		jsonbound.MaxDepth-1) + "," + string(q.Document.Context[1:]))
	q.Document.Token.Claims = []byte(`{"n":1e999999999,"details":` + strings.Repeat("[",
		jsonbound.MaxDepth-1) + strings.Repeat("]", jsonbound.MaxDepth-1) + "}")
	a := answered(t, p, q)
	in, err := q.Document.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Mask([]byte(`{"path":"x","input":` + string(in) + `,"result":` + resultJSON(t, a) + `}`))
	if want := []authz.MaskOp{{Op: "remove", Path: "/input/request/path"}}; err != nil ||
		!reflect.DeepEqual(got.Ops, want) {
		t.Errorf("%+v, %v", got, err)
	}
}
