package migrate

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// moved is a policy with one request, as the product hands it on and as the sidecar does.
type moved struct {
	name         string
	opts         Options
	policy       string // Rego v0 where it has no "import rego.v1"
	query        string
	theirs, ours string // JSON
	allow        bool
}

func (c moved) run(t *testing.T) {
	t.Helper()
	result, err := Run([]File{{"policy.rego", []byte(c.policy)}}, c.opts)
	if err != nil {
		t.Fatal(err)
	}
	version := ast.RegoV0
	if strings.Contains(c.policy, "import rego.v1") {
		version = ast.RegoV1
	}
	before := evaluated(t, "data."+c.query, version, c.theirs, []File{{"policy.rego", []byte(c.policy)}})
	after := evaluated(t, "data."+strings.ReplaceAll(result.Report.Entrypoint, "/", "."), ast.RegoV1, c.ours,
		result.Files)
	if allows(before) != c.allow || allows(after) != c.allow {
		var b strings.Builder
		_ = result.Report.Write(&b)
		t.Errorf("want %v, the original says %v, the new one %v\n%s\n%s", c.allow, before, after, texts(result),
			b.String())
	}
}

func texts(r *Result) string {
	var b strings.Builder
	for _, f := range r.Files {
		b.WriteString("--- " + f.Name + "\n" + string(f.Text))
	}
	return b.String()
}

func evaluated(t *testing.T, query string, version ast.RegoVersion, input string, files []File) any {
	t.Helper()
	var document any
	if err := json.Unmarshal([]byte(input), &document); err != nil {
		t.Fatal(err)
	}
	opts := []func(*rego.Rego){rego.Query("x = " + query), rego.SetRegoVersion(version), rego.Input(document)}
	for _, f := range files {
		if strings.HasSuffix(f.Name, ".rego") {
			opts = append(opts, rego.Module(f.Name, string(f.Text)))
		}
	}
	set, err := rego.New(opts...).Eval(context.Background())
	if err != nil {
		t.Fatalf("%v\n%s", err, files)
	}
	if len(set) == 0 {
		return nil
	}
	return set[0].Bindings["x"]
}

func allows(v any) bool {
	if b, ok := v.(bool); ok {
		return b
	}
	object, _ := v.(map[string]any)
	return slices.ContainsFunc(allowNames, func(n string) bool { return object[n] == true })
}

func TestAPolicyDecidesAsItDidBefore(t *testing.T) {
	for _, c := range slices.Concat(movedTutorial, movedGateways, movedTokens) {
		t.Run(c.name, c.run)
	}
}

// movedTutorial are policies for inputs that applications make.
var movedTutorial = []moved{
	{
		name: "the path as an array, the user of the token", query: "shop.allow", allow: true,
		policy: "package shop\ndefault allow = false\nallow { input.method == \"GET\"; input.path = [\"baskets\", " +
			"owner]; owner == input.user }",
		theirs: `{"method": "GET", "path": ["baskets", "kim"], "user": "kim"}`,
		ours:   `{"request": {"method": "GET", "segments": ["baskets", "kim"]}, "token": {"subject": {"id": "kim"}}}`,
	},
	{
		name: "the root", query: "shop.allow", allow: true,
		policy: "package shop\ndefault allow = false\nallow { input.path == [\"\"] }",
		theirs: `{"path": [""]}`, ours: `{"request": {"segments": []}}`,
	},
	{
		name: "the number of parts of the root", query: "shop.allow", allow: true,
		policy: "package shop\ndefault allow = false\nallow { input.path[0]; count(input.path) == 1 }",
		theirs: `{"path": [""]}`, ours: `{"request": {"segments": []}}`,
	},
	{
		name: "the path as a text", query: "shop.allow", allow: true,
		policy: "package shop\nimport rego.v1\ndefault allow := false\nallow if split(input.path, \"/\")[1] == " +
			"\"open\"",
		theirs: `{"path": "/open/x"}`, ours: `{"request": {"path": "/open/x", "segments": ["open", "x"]}}`,
	},
	{
		name: "a set of what is wrong", query: "shop.allow", allow: false,
		policy: "package shop\nallow { count(deny) == 0 }\ndeny[m] { input.method == \"DELETE\"; m := \"no\" }",
		theirs: `{"method": "DELETE"}`, ours: `{"request": {"method": "DELETE"}}`,
	},
	{
		name: "a header that is sent twice is no match", query: "shop.allow", allow: false,
		policy: "package shop\ndefault allow = false\nallow { input.headers[\"X-Tier\"] == \"1\"; input.user }",
		theirs: `{"headers": {"X-Tier": "1,2"}, "user": "a"}`,
		ours:   `{"request": {"headers": {"x-tier": ["1", "2"]}}, "token": {"subject": {"id": "a"}}}`,
	},
	{
		name: "a part of the input is handed to a function", query: "shop.allow", allow: true,
		policy: "package shop\nimport rego.v1\ndefault allow := false\nread(x) if x.method == \"GET\"\nallow if " +
			"read(input)\n" +
			"allow if object.get(input, [\"request\", \"size\"], 0) > 9",
		theirs: `{"method": "GET"}`, ours: `{"request": {"method": "GET", "path": "/"}, "context": {}}`,
	},
	{
		name: "a function reads what no table knows", query: "shop.allow", allow: true,
		policy: "package shop\ndefault allow = false\nallow { input.user == \"kim\"; whole(input) }\n" +
			"whole(doc) { named(doc); object.get(doc, \"shelf\", \"\") == \"b\" }\nnamed(x) { x.thing.id == 7 }",
		theirs: `{"user": "kim", "thing": {"id": 7}, "shelf": "b"}`,
		ours:   `{"token": {"subject": {"id": "kim"}}, "context": {"thing": {"id": 7}, "shelf": "b"}}`,
	},
	{
		name: "keywords of today as names", query: "shop.allow", allow: true,
		policy: "package shop\ndefault allow = false\nallow { some in; [\"GET\"][in] == input.method; if(in) " +
			"}\nif(x) { x >= 0 }",
		theirs: `{"method": "GET"}`, ours: `{"request": {"method": "GET"}}`,
	},
	{
		name: "builtins that are gone", query: "shop.allow", allow: true,
		policy: "package shop\ndefault allow = false\nallow { any([false, input.method == \"GET\"]); all([true]); " +
			"re_match(\"^G\", input.method)\n" +
			"x := cast_array({1}); x[0] == 1 }",
		theirs: `{"method": "GET"}`, ours: `{"request": {"method": "GET"}}`,
	},
	{
		name: "variables that nothing reads", query: "shop.allow", allow: true,
		policy: "package shop\nallow { x := 1; y := 2 }\nset[any([input.method == \"GET\"])]",
		theirs: `{"method": "GET"}`, ours: `{"request": {"method": "GET"}}`,
	},
	{
		name: "a pair as the answer", query: "shop.allow[0]", allow: true,
		policy: "package shop\nimport rego.v1\ndefault allow := [false, \"no\"]\nallow := [true, \"yes\"] if " +
			"input.method == \"GET\"",
		theirs: `{"method": "GET"}`, ours: `{"request": {"method": "GET"}}`,
	},
	{
		name: "the decision is a member", query: "shop.answer", allow: true,
		policy: "package shop\nimport rego.v1\ndefault answer[\"decision\"] := false\nanswer[\"decision\"] if " +
			"input.action.name == \"read\"\n" +
			"answer[\"note\"] := input.subject.id",
		theirs: `{"action": {"name": "read"}, "subject": {"id": "a"}}`,
		ours:   `{"context": {"action": {"name": "read"}, "subject": {"id": "a"}}}`,
	},
	{
		name: "an entrypoint that is named", opts: Options{Entrypoint: "shop/may", User: "username",
			Map: map[string]string{"plan": "input.token.claims.plan"}}, query: "shop.may", allow: true,
		policy: "package shop\nimport rego.v1\ndefault may := false\nmay if { input.user == \"kim\"; input.plan == " +
			"\"pro\" }\ndefault must := false",
		theirs: `{"user": "kim", "plan": "pro"}`,
		ours:   `{"token": {"subject": {"username": "kim"}, "claims": {"plan": "pro"}}}`,
	},
}

// movedGateways are policies for proxies and gateways.
var movedGateways = []moved{
	{
		name: "envoy, a query is a part of the path", query: "mesh.allow", allow: false,
		policy: "package mesh\nimport input.attributes.request.http as http\ndefault allow = false\nallow { " +
			"http.path == \"/healthz\" }",
		theirs: `{"attributes": {"request": {"http": {"path": "/healthz?a=1"}}}}`,
		ours:   `{"request": {"path": "/healthz", "query": {"a": ["1"]}}}`,
	},
	{
		name: "envoy, an alias of an alias, a header under a not, the body", query: "mesh.allow", allow: true,
		policy: "package mesh\nimport rego.v1\nrequest := input.attributes.request\ndefault allow := false\nallow " +
			"if {\n\thttp := request.http\n" +
			"\tnot http.headers[\"x-blocked\"] == \"1\"\n\tstartswith(http.path, \"/a\")\n\tinput.parsed_body.n == " +
			"1\n\tinput.truncated_body == false\n}",
		theirs: `{"attributes": {"request": {"http": {"path": "/a?b", "headers": {}}}}, "parsed_body": {"n": 1}, "truncated_body": false}`,
		ours:   `{"request": {"path": "/a", "query": {"b": [""]}, "headers": {}, "body": "{\"n\": 1}"}}`,
	},
	{
		name: "kong, an object as the answer", query: "kong.decision", allow: true,
		policy: "package kong\nimport rego.v1\ndefault decision := {\"allow\": false, \"status\": 404, \"message\": " +
			"\"no\", \"headers\": {\"x-a\": \"b\"}}\n" +
			"decision := {\"allow\": true} if { input.request.http.port == \"8000\"; " +
			"input.request.http.querystring.a == \"1\"; input.client_ip }",
		theirs: `{"request": {"http": {"port": "8000", "querystring": {"a": "1"}}}, "client_ip": "10.0.0.1"}`,
		ours:   `{"request": {"port": 8000, "query": {"a": ["1"]}, "source_ip": "10.0.0.1"}}`,
	},
	{
		name: "apisix, rules beside the decision", query: "ap.allow", allow: true,
		policy: "package ap\nimport input.request\ndefault allow = false\nallow { request.headers[\"x-a\"] == " +
			"\"1\"; input.type == \"http\"; input.var.remote_addr }\n" +
			"reason = \"no\" { not allow }\nstatus_code = 410 { not allow }\nheaders = {\"x-b\": \"c\"}",
		theirs: `{"type": "http", "request": {"headers": {"x-a": "1"}}, "var": {"remote_addr": "10.0.0.1"}}`,
		ours:   `{"request": {"headers": {"x-a": ["1"]}, "source_ip": "10.0.0.1"}}`,
	},
	{
		name: "dapr, names of headers by a variable", query: "http.allow", allow: true,
		policy: "package http\ndefault allow = false\nallow { some n; input.request.headers[n] == \"yes\"; n == " +
			"\"X-Open\"; input.request.path_parts[1] == \"b\"\n" +
			"input.request.body == \"\" }",
		theirs: `{"request": {"headers": {"X-Open": "yes"}, "path_parts": ["a", "b"], "body": ""}}`,
		ours:   `{"request": {"headers": {"x-open": ["yes"]}, "segments": ["a", "b"]}}`,
	},
	{
		name: "spring, authorities", query: "s.decision", allow: true,
		policy: "package s\nimport rego.v1\ndefault decision := {\"decision\": false}\ndecision := {\"decision\": " +
			"true} if {\n" +
			"\tinput.subject.authorities[_].authority == \"SCOPE_a\"\n\tinput.action.headers[\"X-Q\"] == " +
			"\"1\"\n\tinput.context.type == \"http\"\n}",
		theirs: `{"subject": {"authorities": [{"authority": "SCOPE_a"}]}, "action": {"headers": {"X-Q": "1"}}, "context": {"type": "http"}}`,
		ours:   `{"request": {"headers": {"x-q": ["1"]}}, "token": {"scopes": ["a"], "roles": []}}`,
	},
	{
		name: "traefik, arrays of values", query: "t.allow", allow: true,
		policy: "package t\ndefault allow = false\nallow { input.headers[\"X-A\"][0] == \"1\"; " +
			"input.parameters.b[_] == \"2\"; input.path[0] == \"c\" }",
		theirs: `{"headers": {"X-A": ["1"]}, "parameters": {"b": ["2"]}, "path": ["c"]}`,
		ours:   `{"request": {"headers": {"x-a": ["1"]}, "query": {"b": ["2"]}, "segments": ["c"]}}`,
	},
	{
		name: "authorino, no package", query: "policy.allow", allow: true,
		opts: Options{From: "authorino"},
		policy: "package policy\nallow { input.auth.identity.sub == \"a\"; input.context.request.http.method == " +
			"\"GET\"; input.auth.metadata.m.open }",
		theirs: `{"auth": {"identity": {"sub": "a"}, "metadata": {"m": {"open": true}}}, "context": {"request": {"http": {"method": "GET"}}}}`,
		ours:   `{"request": {"method": "GET"}, "token": {"claims": {"sub": "a"}}, "context": {"metadata": {"m": {"open": true}}}}`,
	},
	{
		name: "wso2, headers by the name of Envoy's", query: "w.allow", allow: true,
		policy: "package w\ndefault allow = false\nallow { input.transportHeaders[\":method\"] == \"GET\"; " +
			"input.transportHeaders[\"x-a\"] == \"1\"; input.apiName == \"n\" }",
		theirs: `{"transportHeaders": {":method": "GET", "x-a": "1"}, "apiName": "n"}`,
		ours:   `{"request": {"method": "GET", "headers": {"x-a": ["1"]}}, "context": {"apiName": "n"}}`,
	},
}
