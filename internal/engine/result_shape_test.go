package engine

import (
	"strings"
	"testing"
	"time"
)

// withRule is a policy whose decision is denied unless the rule given says otherwise.
func withRule(rego string) map[string]string {
	return map[string]string{"policies/authz.rego": "package authz\n\ndefault decision := {\"allow\": false}\n\n" +
		rego + "\n"}
}

// wrongResults are policies whose results are no decisions, and what the problem says.
var wrongResults = map[string]struct{ rego, want string }{
	"a misspelt member": {`decision := {"alow": true} if input.request.method == "GET"`,
		`:5:14: result_error: the result of data.authz.decision has an unknown member "alow", want allow, reasons,`},
	"a misspelt member, no body": {`decision := {"alow": true}`, `unknown member "alow"`},
	"a misspelt member beside allow": {
		`decision := {"allow": true, "obligation": []} if input.request.method == "GET"`,
		`unknown member "obligation"`},
	"a member of another product": {`decision := {"allowed": true} if input.token.active`,
		`unknown member "allowed"`},
	"no allow": {`decision := {"reasons": ["x"]} if input.token.active`,
		"has no allow, which is required"},
	"text for a boolean": {`decision := {"allow": "true"} if input.token.active`,
		"allow of the result of data.authz.decision is a string, want a boolean"},
	"text that comes from the input": {`decision := {"allow": input.request.method}`,
		"allow of the result of data.authz.decision is a string, want a boolean"},
	"a number for a boolean": {`decision := {"allow": count(input.token.scopes)}`,
		"allow of the result of data.authz.decision is a number, want a boolean"},
	"a text as a decision": {`decision := "allow" if input.token.active`,
		"the result of data.authz.decision is a string, want a boolean or an object with allow"},
	"a number as a decision": {`decision := 1 if input.token.active`,
		"is a number, want a boolean or an object with allow"},
	"an array as a decision":        {`decision := ["allow"] if input.token.active`, "is an array, want"},
	"a set as a decision":           {`decision := {true} if input.token.active`, "is a set, want"},
	"a comprehension as a decision": {`decision := [x | some x in input.token.scopes]`, "is an array, want"},
	"a value of the input":          {`decision := input.token.scopes if input.token.active`, "is an array, want"},
	"another rule, misspelt": {"decision := answer if input.token.active\n\nanswer := {\"alow\": true}",
		`:7:12: result_error: the result of data.authz.decision has an unknown member "alow"`},
	"a function, misspelt": {"decision := answer(true) if input.token.active\n\nanswer(x) := {\"alow\": x}",
		`has an unknown member "alow"`},
	"a local, misspelt": {"decision := d if {\n\td := {\"alow\": true}\n}",
		`has an unknown member "alow"`},
	"a status of a redirect": {`decision := {"allow": false, "status": 302} if input.token.active`,
		"status of the result of data.authz.decision is not between 400 and 499"},
	"a status of a success": {`decision := {"allow": true, "status": 200} if input.token.active`,
		"is not between 400 and 499"},
	"a status in a rule": {"decision := {\"allow\": false, \"status\": code} if input.token.active\n\ncode := 302",
		":7:9: result_error: status of the result of data.authz.decision is not between"},
	"a status as text": {`decision := {"allow": false, "status": "403"} if input.token.active`,
		"status of the result of data.authz.decision is a string, want an integer"},
	"reasons as text": {`decision := {"allow": false, "reasons": "no"} if input.token.active`,
		"reasons of the result of data.authz.decision is a string, want an array or a set"},
	"a reason without code": {
		`decision := {"allow": false, "reasons": [{"message": "no"}]} if input.token.active`,
		"an element of reasons of the result of data.authz.decision has no code, which is required"},
	"a reason without code, partly": {
		`decision := {"allow": false, "reasons": [{"message": input.request.path}]} if input.token.active`,
		"an element of reasons of the result of data.authz.decision has no code"},
	"reasons of numbers": {"decision := {\"allow\": false, \"reasons\": reasons} if " +
		"input.token.active\n\nreasons contains count(input.token.scopes)",
		"reasons of the result of data.authz.decision"},
	"a code that is a number": {`decision := {"allow": false, "reasons": [{"code": count(input.token.scopes)}]}`,
		"code of an element of reasons of the result of data.authz.decision is a number, want a string"},
	"an unknown challenge": {`decision := {"allow": false, "challenge": {"realm": "x"}} if input.token.active`,
		`challenge of the result of data.authz.decision has an unknown member "realm", want error,`},
	"a challenge as text": {`decision := {"allow": false, "challenge": "Bearer"} if input.token.active`,
		"challenge of the result of data.authz.decision is a string, want an object"},
	"a scope as text": {`decision := {"allow": false, "challenge": {"scope": "a b"}} if input.token.active`,
		"challenge.scope of the result of data.authz.decision is a string, want an array or a set"},
	"a negative max_age": {`decision := {"allow": false, "challenge": {"max_age": -1}} if input.token.active`,
		"challenge.max_age of the result of data.authz.decision is negative"},
	"a number in a header": {`decision := {"allow": true, "upstream_headers": {"X-Age": input.token.age}}`,
		"upstream_headers.X-Age of the result of data.authz.decision is a number, want a string or an array of strings"},
	"a constant number in a header": {
		`decision := {"allow": true, "upstream_headers": {"X-Age": 1}} if input.token.active`,
		"want a string or an array of strings"},
	"a header that frames": {`decision := {"allow": true, "upstream_headers": {"Host": input.request.path}}`,
		`"Host" cannot be set by a policy`},
	"a header name with a blank": {`decision := {"allow": true, "response_headers": {"X Y": input.request.path}}`,
		`"X Y" is not a header name`},
	"headers as an array": {`decision := {"allow": true, "upstream_headers": ["X: 1"]} if input.token.active`,
		"is an array, want an object"},
	"obligations of texts": {`decision := {"allow": true, "obligations": ["log"]} if input.token.active`,
		"an element of obligations of the result of data.authz.decision is a string, want an object"},
	"an object of obligations": {`decision := {"allow": true, "obligations": {"id": input.request.path}}`,
		"obligations of the result of data.authz.decision is an object, want an array or a set"},
	"a context as text": {`decision := {"allow": true, "context": input.request.path}`,
		"context of the result of data.authz.decision is a string, want an object"},
	"an else": {"decision := {\"allow\": true} if input.token.tenant == \"a\"\n\nelse := {\"alow\": true} if " +
		"input.token.active", `:7:10: result_error: the result of data.authz.decision has an unknown member "alow"`},
}

func TestAResultThatIsNoDecisionIsAProblem(t *testing.T) {
	for name, c := range wrongResults {
		t.Run(name, func(t *testing.T) {
			_, err := compiled(t, patient, withRule(c.rego))
			if err == nil || !strings.Contains(err.Error(), c.want) ||
				!strings.HasPrefix(err.Error(), "policies/authz.rego:") {
				t.Errorf("problems %v, want %q", err, c.want)
			}
		})
	}
}

func TestARuleThatIsNoSingleValueCannotDecide(t *testing.T) {
	for name, c := range map[string]struct{ rego, want string }{
		"a partial set": {"decision contains \"x\" if input.token.active",
			"policies/authz.rego:3:1: result_error: the result of data.authz.decision is a set, want a boolean or " +
				"an object with allow"},
		"an object by parts": {"decision.allow := true\n\ndecision.reasons contains \"none\" if false",
			"policies/authz.rego:3:1: entrypoint_error: data.authz.decision, which the configuration names, cannot " +
				"be an entrypoint: it is an object built by parts; write one rule that puts them together"},
		"an object by keys": {"decision[\"allow\"] := true", "it is an object built by parts"},
		"an object by a set": {"decision[x] := true if some x in {\"allow\"}",
			"policies/authz.rego:3:1: entrypoint_error: data.authz.decision, which the configuration names, cannot " +
				"be an entrypoint: it is an object built by parts"},
		"a misspelt rule": {"desicion := true", "no policy has a rule of this name; did you mean authz/desicion?"},
		"no default": {"decision if input.request.method == \"PUT\"",
			"policies/authz.rego:3:1: result_error: data.authz.decision can be undefined: it is for GET /orders/42 " +
				"with the token of a user; give it a default, such as: default decision := false"},
		"no default, two ways": {"decision if input.token.tenant == \"acme\"\n\ndecision := false if " +
			"input.token.tenant != \"acme\"", "can be undefined: it is for GET / with the token of a client"},
		"a failing builtin": {"default decision := false\n\ndecision if to_number(input.request.path) == 1",
			"policies/authz.rego:3:1: result_error: data.authz.decision answers none of the requests that were " +
				"tried: evaluate data.authz.decision: policies/authz.rego:5:13: eval_builtin_error: to_number"},
		"untyped data": {"decision := data.authz.answer.value\n\nanswer := json.unmarshal(\"{\\\"value\\\": " +
			"\\\"yes\\\"}\")", "answers none of the requests that were tried: read the result of " +
			"data.authz.decision: it is a string"},
	} {
		t.Run(name, func(t *testing.T) {
			refusedWith(t, patient,
				map[string]string{"policies/authz.rego": "package authz\n\n" + c.rego + "\n"}, c.want)
		})
	}
}

func TestAPolicyThatCanAnswerBecomesActive(t *testing.T) {
	for name, rego := range map[string]string{
		"a boolean":                 "default decision := false\n\ndecision if input.token.active",
		"a constant":                "decision := true",
		"an else that always holds": "decision := {\"allow\": true} if input.token.tenant == \"a\"\n\nelse := false",
		"two bodies that meet all":  "decision if input.token.active\n\ndecision := false if not input.token.active",
		"a value that is never absent": "decision := {\"allow\": allow, \"reasons\": reasons}\n\ndefault allow := " +
			"false\n\nallow if input.token.tenant == \"a\"\n\nreasons contains \"x\" if not allow",
		"a function that always holds": "decision := answer(input.token.active)\n\nanswer(x) := {\"allow\": x}",
		"data decide": "default decision := false\n\ndecision := " +
			"data.authz.table[input.request.path]\n\ntable := json.unmarshal(\"{\\\"/x\\\": {\\\"allow\\\": true}}\")",
		"open reasons": "decision := {\"allow\": false, \"reasons\": {{\"code\": \"a\", \"more\": " +
			"input.request.path}, \"text\"}}",
		"headers of every kind": "decision := {\"allow\": true, \"upstream_headers\": {\"X-A\": " +
			"input.request.path, \"X-B\": input.token.scopes, \"X-C\": [], \"X-D\": \"\"}}",
		"headers by name": "decision := {\"allow\": true, \"upstream_headers\": {sprintf(\"X-%s\", " +
			"[name]): \"v\" | some name in [\"a\"]}}",
		"a member that claims fill": "default decision := false\n\ndecision := {\"allow\": input.token.claims.ok}",
		"a challenge from a route": "default decision := false\n\ndecision := {\"allow\": false, \"challenge\": " +
			"object.union({\"error\": \"insufficient_scope\"}, object.filter(input.context, {\"scope\"}))} if " +
			"input.context",
		"an error for some": "default decision := false\n\ndecision if to_number(input.context.role) == 1",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := compiled(t, patient,
				map[string]string{"policies/authz.rego": "package authz\n\n" + rego + "\n"}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryEntrypointIsTried(t *testing.T) {
	refused(t, patient, beside("package b\n\n# METADATA\n# entrypoint: true\nf := \"yes\"\n"),
		"policies/other.rego:5:6: result_error: the result of data.b.f is a string, want a boolean or an object "+
			"with allow")
}

func TestAnonymousRequestsAreTriedWhereTheyReachPolicies(t *testing.T) {
	rego := map[string]string{"policies/authz.rego": "package authz\n\ndecision := input.token.subject.type == " +
		"\"user\"\n"}
	if _, err := compiled(t, patient, rego); err != nil {
		t.Error(err)
	}
	refusedWith(t, Config{Deadline: time.Minute, AnonymousRequests: true}, rego,
		"can be undefined: it is for GET / without a token")
}

func TestAPolicyThatCallsTheNetworkIsNotTried(t *testing.T) {
	cfg := Config{Deadline: time.Minute, AllowBuiltins: []string{"http.send"}}
	_, err := compiled(t, cfg, map[string]string{"policies/authz.rego": "package authz\n\ndefault decision := " +
		"false\n\ndecision if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1:1/\"}).status_code == 200\n"})
	if err != nil {
		t.Error(err)
	}
}

func TestTryingObeysTheDeadline(t *testing.T) {
	refusedWith(t, Config{Deadline: 20 * time.Millisecond},
		withRule("decision := {\"allow\": true} if count(numbers.range(1, 1000000000)) < 0"),
		"answers none of the requests that were tried: evaluate data.authz.decision: not done after 20ms")
}
