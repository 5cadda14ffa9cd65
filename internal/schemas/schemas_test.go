package schemas_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/authz-sidecar/sidecar/internal/schemas"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// broken is what a validator says about a YAML text and the schema of a name.
func broken(t *testing.T, name, text string) []string {
	t.Helper()
	raw, ok := schemas.Named(name)
	if !ok {
		t.Fatalf("there is no schema %q", name)
	}
	node, failed := yamlnode.Parse([]byte(text))
	if failed != nil {
		t.Fatal(failed)
	}
	value, failed := node.JSON()
	if failed != nil {
		t.Fatal(failed)
	}
	rs, err := rego.New(rego.Query("[ok, errors] = json.match_schema(input.value, input.schema)"),
		rego.Input(map[string]any{"value": value, "schema": string(raw)}), rego.StrictBuiltinErrors(true)).Eval(
		t.Context())
	if err != nil || len(rs) != 1 {
		t.Fatalf("%d results, error %v", len(rs), err)
	}
	if rs[0].Bindings["ok"] == true {
		return nil
	}
	return []string{fmt.Sprint(rs[0].Bindings["errors"])}
}

func TestEachSchemaHasItsDraftAndItsID(t *testing.T) {
	for _, name := range schemas.Names() {
		raw, _ := schemas.Named(name)
		var s map[string]any
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "openapi" {
			if s["openapi"] != "3.1.0" {
				t.Errorf("%s is of version %v", name, s["openapi"])
			}
			continue
		}
		id := "https://github.com/authz-sidecar/sidecar/schema/" + name + ".json"
		if s["$schema"] != "https://json-schema.org/draft/2020-12/schema" || s["$id"] != id || s["title"] == nil {
			t.Errorf("%s has $schema %v, $id %v, title %v", name, s["$schema"], s["$id"], s["title"])
		}
	}
	if _, ok := schemas.Named("routs"); ok {
		t.Error("there is a schema of no name")
	}
}

func TestWhatIsShippedFitsItsSchema(t *testing.T) {
	for name, pattern := range map[string]string{
		"suite": "../../policy_test/*_suite.yaml", "routes": "../../policies/routes/data.yaml",
		"config": "../../sidecar.example.yaml",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, error %v", pattern, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if said := broken(t, name, string(text)); said != nil {
				t.Errorf("%s: %s", f, said)
			}
		}
	}
}

const route = "id: a, scopes: [], audience: [], tenant: none"

func TestRoutesThatFit(t *testing.T) {
	for _, text := range []string{
		"{}", "GET: {" + route + "}", "/**: {GET: {" + route + "}}",
		"/a b: {/*: {POST: {id: a, anonymous: true}, /**: {GET: {anonymous: true}}, /: {GET: {" + route + "}}}}",
		"GET: {id: a, scopes: [], audience: [], tenant: {header: x-tenant}, roles: [r], acr_values: [mfa], max_age: 0}",
		"/v1.0: {GET: {id: a, scopes: [], audience: [], tenant: {segment: 1}}}",
	} {
		if said := broken(t, "routes", text); said != nil {
			t.Errorf("%s: %s", text, said)
		}
	}
}

func TestEachMistakeInRoutesIsFound(t *testing.T) {
	for _, text := range []string{
		"/a: {GET: {id: a, scope: [], audience: [], tenant: none}}", "/a: {GET: {" + route + ", scope: [x]}}",
		"/a: {get: {" + route + "}}", "/a: {HEAD: {" + route + "}}", "documents: {GET: {" + route + "}}",
		"/a: {documents: {GET: {" + route + "}}}", "/a: {}", "/a: []", "[]", "/a: {GET: {}}",
		"/a: {GET: {id: a, anonymous: false}}", "/a: {GET: {anonymous: true, scopes: []}}",
		"/a: {GET: {id: a, scopes: x, audience: [], tenant: none}}",
		"/a: {GET: {id: a, scopes: [1], audience: [], tenant: none}}",
		"/a: {GET: {id: a, scopes: [], audience: [], tenant: any}}",
		"/a: {GET: {id: a, scopes: [], audience: [], tenant: {header: X-Tenant}}}",
		"/a: {GET: {id: a, scopes: [], audience: [], tenant: {segment: -1}}}",
		"/a: {GET: {id: a, scopes: [], audience: [], tenant: {segment: 1.5}}}",
		"/a: {GET: {id: a, scopes: [], audience: [], tenant: {segment: 1, header: x}}}",
		"/a: {GET: {" + route + ", max_age: -1}}", "/a: {GET: {" + route + ", max_age: 5m}}",
		"/a/b: {GET: {" + route + "}}", "/a*: {GET: {" + route + "}}", "'/{id}': {GET: {" + route + "}}",
		"/a: {/**: {/b: {GET: {" + route + "}}}}", "/a: {/: {/b: {GET: {" + route + "}}}}",
		"/a: {/: {}}", "/: {GET: {" + route + "}}",
	} {
		if broken(t, "routes", text) == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
}

const suiteHead = "suite: s\nnow: 2026-11-20T12:00:00Z\ntokens: {a: {active: true}, b: {error: unavailable}, " +
	"c: {jwt: {iss: x}}}\n"

func TestSuitesThatFit(t *testing.T) {
	for _, text := range []string{
		"issuer: main\ntoken: optional\nrealm: r\ndefaults: {host: a, method: POST, source_ip: 10.0.0.1, headers: " +
			"{a: b}}\n" +
			"cases: [{name: 1, token: a, key: shown, now: 2026-11-20T12:00:00+01:00, expect: {allow: true}}]",
		"issuer: {dialect: rfc7662, issuer: x, audience: [a], absent_audience: accept, tenant: [/t], roles: [/r]}\n" +
			"cases: [{name: x, context: {a: 1}, entrypoint: a/b, request: {method: GET, url: /a, body: '', headers: " +
			"{a: [b, c]}}, expect: {kind: deny, status: 403, reasons: [a], challenge: none, headers: {a: []}, upstream_headers: " +
			"{b: c}, context: {}, obligations: []}}]",
		"matrix: {lists: {request: {url: /a}, expect: {a: allow, b: 503, none: no_credential, c: {kind: allow}}}}",
	} {
		if said := broken(t, "suite", suiteHead+text); said != nil {
			t.Errorf("%s: %s", text, said)
		}
	}
}

func TestEachMistakeInSuitesIsFound(t *testing.T) {
	one := "cases: [{name: x, expect: {allow: true}}]"
	for _, text := range []string{
		suiteHead, suiteHead + "cases: []", suiteHead + "matrix: {}", suiteHead + "caes: []\n" + one,
		"suite: s\n" + one, "now: 2026-11-20T12:00:00Z\n" + one, "suite: s\nnow: yesterday\n" + one,
		suiteHead + "token: perhaps\n" + one, suiteHead + "issuer: {dialec: x}\n" + one,
		suiteHead + "issuer: {absent_audience: maybe}\n" + one, suiteHead + "defaults: {hosts: a}\n" + one,
		strings.Replace(suiteHead, "unavailable", "typo", 1) + "tokens_: {}\n" + one,
		suiteHead + "cases: [{name: x}]", suiteHead + "cases: [{expect: {allow: true}}]",
		suiteHead + "cases: [{name: x, tokne: a, expect: {allow: true}}]",
		suiteHead + "cases: [{name: x, key: maybe, expect: {allow: true}}]",
		suiteHead + "cases: [{name: x, request: {uri: /}, expect: {allow: true}}]",
		suiteHead + "cases: [{name: x, request: {headers: {a: {b: c}}}, expect: {allow: true}}]",
		suiteHead + "cases: [{name: x, context: text, expect: {allow: true}}]",
		suiteHead + "cases: [{name: x, expect: {}}]", suiteHead + "cases: [{name: x, expect: {allow: maybe}}]",
		suiteHead + "cases: [{name: x, expect: {kind: allowed}}]",
		suiteHead + "cases: [{name: x, expect: {allow: false, status: many}}]",
		suiteHead + "cases: [{name: x, expect: {allow: false, reason: [a]}}]",
		suiteHead + "cases: [{name: x, expect: {allow: false, reasons: a}}]",
		suiteHead + "cases: [{name: x, expect: {allow: false, obligations: {}}}]",
		suiteHead + "matrix: {a: {expect: {a: allow}}}", suiteHead + "matrix: {a: {request: {url: /}}}",
		suiteHead + "matrix: {a: {request: {url: /}, expect: {}}}",
		suiteHead + "matrix: {a: {request: {url: /}, expect: {a: [allow]}}}",
		suiteHead + "matrix: {a: {request: {url: /}, expect: {a: 40}}}",
	} {
		if broken(t, "suite", text) == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
}

func TestATimeWithoutUnitIsNoDuration(t *testing.T) {
	for text, want := range map[string]bool{"30": false, "30s": true, "0": true, "'30'": false} {
		said := broken(t, "config", "issuers: [{cache: {ttl: "+text+"}}]")
		if (said == nil) != want {
			t.Errorf("ttl: %s: %s", text, said)
		}
		if strings.Contains(fmt.Sprint(said), "maximum") {
			t.Errorf("ttl: %s is compared with a bound: %s", text, said)
		}
	}
}
