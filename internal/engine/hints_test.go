package engine

import (
	"strings"
	"testing"
)

func TestMembersOfOtherProductsHaveHints(t *testing.T) {
	for rego, want := range map[string]string{
		`x if input.token == "abc"`: "; policies never see a token: ",
		`x if input.request.path[0] == "orders"`: "; input.request.path is a string, which has no members: " +
			"input.request.segments are the parts of the path",
		`x if input.token.present == 1`: "; a boolean never equals a number",
		`x if input.role == "a"`: "; what the caller passes is in input.context: " +
			"input.context.role",
		`x if input.Requires.Admin`: "; what the caller passes is in input.context: " +
			"input.context.Requires",
		`x if input.Roles[0] == "a"`: "; here input.roles is input.token.roles",
		`x if input.subjects[_] == "a"`: "; what the caller passes is in input.context: " +
			"input.context.subjects",
		`x if input.resource.office == "a"`: "; nothing sets input.resource: what the caller " +
			"passes is input.context.resource",
		`x if input.tokn.active`:                     "; did you mean input.token?",
		`x if input.request.methd == "GET"`:          "; did you mean input.request.method?",
		`x := {y | some y in input.Roles; y != "a"}`: "undefined ref: input.Roles[_] (",
		`x := io.jwt.decode(input.token)[1]`: "; policies never see a token: " +
			"input.token.claims has what it says, and input.token.active that it is good",
		"in := 3":              "in keyword cannot be used for rule name; if, in, contains and every are keywords: ",
		"küche := 1":           "; names of rules and variables are of ASCII letters, digits and _",
		"internal if 1 in [1]": "; a rule or an import has the name internal, which hides the builtins that OPA ",
		"f(in) := in": "; if, in, contains and every are keywords: " +
			"give a variable or rule another name",
		"# METADATA\n# entrypoint: true\nx := {\"allowed\": true}":                      `unknown member "allowed", want allow, reasons, challenge, status, upstream_headers, upstream_token, response_headers, obligations or context; here it is allow`,
		"# METADATA\n# entrypoint: true\nx := {\"allow\": false, \"http_status\": 404}": "; here it is status",
	} {
		_, err := compiled(t, patient, map[string]string{"policies/authz.rego": sound,
			"policies/p.rego": "package p\n\n" + rego + "\n"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: problems %v, want one with %q", rego, err, want)
		}
	}
}

func TestAnEntrypointThatIsAMemberOfAValueIsAProblem(t *testing.T) {
	refusedWith(t, patient, map[string]string{"policies/authz.rego": "package authz.decision\n\nmain := true\n"},
		"it is a package; name one of its rules")
	cfg := patient
	cfg.Entrypoints = []string{"authz/decision/allow"}
	refused(t, cfg, map[string]string{"policies/authz.rego": sound},
		"policies/authz.rego:5:1: entrypoint_error: data.authz.decision.allow, which the configuration names, "+
			"cannot be an entrypoint: no policy has a rule of this name: data.authz.decision is one, and allow a "+
			"member of its value; name a rule")
}

// TestAFileOfRegoV0IsOneProblem, for one command converts it; undefined members of the input are told beside it.
func TestAFileOfRegoV0IsOneProblem(t *testing.T) {
	refused(t, patient, map[string]string{
		"policies/authz.rego": sound,
		"policies/old.rego": "package old\n\nimport input.attributes.request.http as http\n\na { http.method == " +
			"\"GET\" }\n\nb[x] { x := http.path }\n\nc { input.token.active }\n",
	},
		"policies/old.rego:5:1: rego_parse_error: `if` keyword is required before rule body; write if before the "+
			"body; this may be Rego v0: sidecar migrate brings it up to date",
		`policies/old.rego:5:5: rego_type_error: undefined ref: input.attributes.request.http.method (have: "attributes", want (one of): ["action" "context" "mcp" "request" "resource" "subject" "token" "version"]); here input.attributes.request.http.method is input.request.method`,
		`policies/old.rego:7:13: rego_type_error: undefined ref: input.attributes.request.http.path (have: "attributes", want (one of): ["action" "context" "mcp" "request" "resource" "subject" "token" "version"]); here input.attributes.request.http.path is input.request.path (without the query)`,
	)
}

func TestErrorsBehindAnImportAreReportedAtEachUse(t *testing.T) {
	refused(t, patient, map[string]string{
		"policies/authz.rego": sound,
		"policies/p.rego": "package p\n\nimport input.request as r\n\na if r.methd == \"GET\"\n\nb if r.pth == " +
			"\"/\"\n\nc if r.method == \"GET\"\n",
	},
		`policies/p.rego:5:6: rego_type_error: undefined ref: input.request.methd (have: "methd", want (one of): ["body" "body_truncated" "headers" "host" "method" "path" "port" "query" "raw_path" "scheme" "segments" "source_ip"]); did you mean input.request.method?`,
		`policies/p.rego:7:6: rego_type_error: undefined ref: input.request.pth (have: "pth", want (one of): ["body" "body_truncated" "headers" "host" "method" "path" "port" "query" "raw_path" "scheme" "segments" "source_ip"]); did you mean input.request.path?`,
	)
}

func TestAnUndefinedFunctionHasASuggestion(t *testing.T) {
	for call, want := range map[string]string{
		"opne(1)": "undefined function opne; did you mean open?",
		"lib.granted(1)": "undefined function lib.granted; data.lib.granted is one: import data.lib and write " +
			"lib.granted",
		"granted(1)": "undefined function granted; data.lib.granted is one: import data.lib and write " +
			"lib.granted",
		"data.lib.grantd(1)": "undefined function data.lib.grantd; did you mean data.lib.granted?",
		"scopes.granted(1)":  "undefined function scopes.granted; is the line import data.sidecar.scopes missing?",
		"starts_with(1, 2)":  "undefined function starts_with; did you mean startswith?",
		"elephant(1)":        "undefined function elephant",
	} {
		refused(t, patient, map[string]string{
			"policies/authz.rego": sound,
			"policies/lib.rego":   "package lib\n\ngranted(x) := x\n",
			"policies/p.rego":     "package p\n\nopen(x) := x\n\na if " + call + "\n",
		}, "policies/p.rego:5:6: rego_type_error: "+want)
	}
}

func TestTextThatCannotBeParsedHasAHint(t *testing.T) {
	for rego, want := range map[string]string{
		`x { input.token.active }`:                "; write if before the body",
		`x[y] { y := 1 }`:                         "; write ",
		`x := {"a": 1} input.token.age == 1`:      "; is an if missing before the body, or a := in a rule?",
		"x\n\tinput.token.active":                 "; is an if missing before the body, or a := in a rule?",
		`x if input.request.method == 'GET'`:      "; texts are in double quotes",
		`x if input.token.active && true`:         "; expressions that must all hold are lines of one body",
		`x if { y := 1; y := 2; y > 0 }`:          "; a variable has one value: give the second one another name",
		`x if y == 1`:                             "; nothing gives it a value: is the name misspelt",
		"f(y) if { y := input.token.age; y > 0 }": "; a parameter has its value from the call",
		"default x := 1\n\ndefault x := 2":        "policies/p.rego:5:1: rego_type_error: multiple default rules",
	} {
		_, err := compiled(t, patient, map[string]string{"policies/authz.rego": sound,
			"policies/p.rego": "package p\n\n" + rego + "\n"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: problems %v, want one with %q", rego, err, want)
		}
	}
	for text, want := range map[string]string{
		"x := 1\n":      "; begin the file with a package, such as: package authz",
		"\xff\xfep\x00": "; save the file as UTF-8",
		"# nothing\n":   "; begin the file with a package, or delete it",
	} {
		_, err := compiled(t, patient, map[string]string{"policies/authz.rego": sound, "policies/p.rego": text})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: problems %v, want one with %q", text, err, want)
		}
	}
}
